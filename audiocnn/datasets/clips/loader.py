"""Clips -> batches: augmented crops to train on, whole clips to validate and test on.

Place in the flow: `finding` finds the clips, `cache` decodes them once, `splits` divides them, `items` makes
crops and whole clips of them; here they become batches. The split is written to the folder of a run
(`SPLIT_FILE`, a manifest) and into its checkpoints, so that a resumed training keeps it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from audiocnn.datasets.broken import refuse_broken, report_broken
from audiocnn.datasets.clips import shards
from audiocnn.datasets.clips.cache import FOLDER, Sounds, open_cache
from audiocnn.datasets.clips.cropping import WINDOW_S, CropOptions, Cropping
from audiocnn.datasets.clips.finding import find_clips
from audiocnn.datasets.clips.items import Crops, WholeClips
from audiocnn.datasets.clips.manifest import write_manifest
from audiocnn.datasets.clips.record import Record, apply_records, record_split
from audiocnn.datasets.clips.shard_stream import ShardLoader, ShardStream
from audiocnn.datasets.clips.sources import SPLITS, Clip
from audiocnn.datasets.clips.splits import SplitOptions, describe_split, split_clips
from audiocnn.datasets.defaults import default_of_model
from audiocnn.datasets.epochs import EpochSampler
from audiocnn.ranges import COUNT, NOT_NEGATIVE, ArgumentError, check_fields

Loader = DataLoader | ShardLoader
SPLIT_FILE = "split.jsonl"  # in the folder of a run
KIND = "files or clips"  # that cannot be read

if TYPE_CHECKING:
    LabelsFile = str
else:  # an existing file; in a config, its path is relative to the config's folder
    from jsonargparse.typing import Path_fr as LabelsFile


@dataclass(frozen=True, kw_only=True)
class LoaderOptions:
    """How clips are read.

    Args:
        batch_size: crops in a batch of training.
        workers: processes that read, and as many that decode into the cache.
        cache: folder of decoded sound, which other trainings use too.
        skip_broken: go on without the files and shards that cannot be read.

    Raises:
        ArgumentError: a number is out of its range.
    """

    batch_size: int = 32
    workers: int = 2
    cache: str = str(FOLDER)
    skip_broken: bool = False

    def __post_init__(self) -> None:
        check_fields(self, batch_size=COUNT, workers=NOT_NEGATIVE)


def prepare_clips(
    path: Path,
    out: Path = FOLDER,
    sample_rate: int = 22050,
    layout: str | None = None,
    workers: int = 2,
) -> int:
    """Decode a data set of clips into the cache that a training reads.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), or a data set's folder.
        out: folder of decoded sound, the configs' `loader.cache`.
        sample_rate: in Hz.
        layout: name of the data set (see `audiocnn data list`), mirdata:NAME, or folder for a folder per
            class; recognised where not given.
        workers: processes that decode.

    Returns:
        The number of files in the cache.

    Raises:
        FileError: files cannot be read; the others are in the cache.
    """
    found = find_clips(path, layout)
    print(found)
    sounds = open_cache((clip.path for clip in found.clips), sample_rate, out, workers)
    _, reasons = sounds.select(found.clips)
    refuse_broken(path, reasons, KIND, f"the other {len(sounds.places)} files are in the cache")
    return len(sounds.places)


class ClipsDataModule(lightning.LightningDataModule):
    """Clips as batches: of crops to train on; of one whole clip each to validate and test on.

    Shape: a training batch is waveforms (batch, samples) and targets (batch, labels), 1 where a label holds;
    a batch of validation or test is (1, samples) and (1, labels).

    Attributes:
        labels: after `setup`, in the order of the targets.
        record: after `setup`, of the split, as of `record_split`.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), a data set's folder, or the folder or address of
            `audiocnn data shard`.
        layout: name of the data set (`audiocnn data list`), mirdata:NAME, or folder for a folder per class;
            recognised when None.
        labels: in the order of the targets, or a file with one on each line; all that the clips have, sorted,
            when None.
        sample_rate: in Hz; the model's when None.
        split: how clips that come without a split are divided.
        crops: options of the training crops.
        loader: how clips are read.

    Raises:
        ArgumentError: an argument is out of range; in `setup`, the split leaks, files are broken, or a clip
            has a label that is not one of `labels`.
    """

    def __init__(
        self,
        path: str,
        layout: str | None = None,
        labels: list[str] | LabelsFile | None = None,
        sample_rate: int | None = None,
        split: SplitOptions = SplitOptions(),
        crops: CropOptions = CropOptions(),
        loader: LoaderOptions = LoaderOptions(),
    ) -> None:
        super().__init__()
        self.path, self.layout = path, layout
        self.labels = labels if isinstance(labels, list) else read_labels(labels) if labels else []
        self.split, self.loader = split, loader
        self._sample_rate, self._crops = sample_rate, crops
        self.record: dict[str, list[str]] = {}
        self._clips: list[Clip] = []  # with their split; none where they are in shards
        self._is_announced = True  # whether the split was

    @property
    def sample_rate(self) -> int:
        """Sample rate of the clips, in Hz."""
        return default_of_model(self, "sample_rate", self._sample_rate)

    @property
    def window_s(self) -> float:
        """Length of a crop, in seconds."""
        return default_of_model(self, "window_s", self._crops.window_s, WINDOW_S)

    @property
    def crops(self) -> CropOptions:
        """Options of the training crops, with their length."""
        return replace(self._crops, window_s=self.window_s)

    @property
    def cropping(self) -> Cropping:
        """Conversion of a clip to a training item."""
        return Cropping(self.sample_rate, self.crops)

    @property
    def label_counts(self) -> dict[str, Counter[tuple[str, ...]]]:
        """How many clips of each part have which labels; empty for shards, whose index says none."""
        if not self._clips:
            return {}
        return {part: Counter(clip.labels for clip in self._clips if clip.split == part) for part in SPLITS}

    def find_labels(self) -> list[str]:
        """Find the labels of the clips, in the order of their targets, before any sound is read."""
        if self.labels:
            return self.labels
        if shards.is_sharded(self.path):
            return sorted(shards.Index.read(self.path).labels)
        return sorted({label for clip in find_clips(self.path, self.layout).clips for label in clip.labels})

    def prepare_data(self) -> None:
        """Decode the files that are not cached yet, in one process per machine."""
        if not shards.is_sharded(self.path):
            self._open_cache(find_clips(self.path, self.layout).clips)

    def setup(self, stage: str | None = None) -> None:
        """Make the data sets of every part, once.

        Args:
            stage: makes no difference.
        """
        if not hasattr(self, "train_set"):  # else set up for another stage, or for its labels
            self._setup_shards() if shards.is_sharded(self.path) else self._setup_clips()
        self._write_split()

    def _setup_clips(self) -> None:
        found = find_clips(self.path, self.layout)
        rank_zero_info(str(found))
        self._sounds = self._open_cache(found.clips)
        clips, reasons = self._sounds.select(found.clips)
        self._report_broken(reasons)
        self._check_labels({label for clip in clips for label in clip.labels})
        self._make_sets(split_clips(clips, self.split))

    def _make_sets(self, clips: list[Clip]) -> None:
        self._is_announced = False
        self._clips, self.record = clips, record_split(clips)
        parts = {part: [clip for clip in clips if clip.split == part] for part in SPLITS}
        if not parts["train"]:
            raise ArgumentError(f"{self.path}: no clips to train on, expected some")
        self.train_set = Crops(parts["train"], self._sounds, self.labels, self.crops)
        self.val_set = WholeClips(parts["validation"], self._sounds, self.labels)
        self.test_set = WholeClips(parts["test"], self._sounds, self.labels)

    def _setup_shards(self) -> None:
        index = shards.Index.read(self.path)
        self._check_shards(index)
        self._check_labels(set(index.labels))
        index, reasons = index.select()
        self._report_broken(reasons)
        counts = ", ".join(f"{part} {sum(index.shards[part].values())}" for part in SPLITS)
        rank_zero_info(f"{self.path}: shards of clips: {counts}; {len(index.labels)} labels")
        if not index.shards["train"]:
            raise ArgumentError(f"{self.path}: no clips to train on, expected some")
        self.record = index.split
        self.train_set = ShardStream(index, "train", self.labels, self.cropping, self.loader.batch_size)
        self.val_set = ShardStream(index, "validation", self.labels)
        self.test_set = ShardStream(index, "test", self.labels)

    def _check_shards(self, index: shards.Index) -> None:
        """Refuse options that shards cannot be read with, in one line with those that go."""
        wrong = {}
        if self.crops.sampling != "natural":
            what = f"crops.sampling is {self.crops.sampling!r}, and their clips come in their own order"
            wrong[what] = "--data.crops.sampling=natural"
        if index.sample_rate != self.sample_rate:
            what = f"sample_rate is {self.sample_rate} Hz, and they are at {index.sample_rate} Hz"
            wrong[what] = f"--model.front_end.sample_rate={index.sample_rate}"
        if wrong:
            raise ArgumentError(
                f"{self.path} holds shards: {'; '.join(wrong)}: give {' '.join(wrong.values())}"
            )

    def _report_broken(self, reasons: list[str]) -> None:
        report_broken(self.path, reasons, KIND, "loader.skip_broken", self.loader.skip_broken)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds of the data: the record of the split."""
        return {"split": self.record}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Divide the clips as the training did that is resumed, and what was added since, anew.

        Args:
            state_dict: of `state_dict`.
        """
        if self._clips and state_dict["split"] != self.record:
            self._make_sets(self._divide_as(state_dict["split"]))
            self._write_split()

    def _divide_as(self, record: Record) -> list[Clip]:
        known = {digest for digests in record.values() for digest in digests}
        found = find_clips(self.path, self.layout).clips  # with the split that they come with
        clips, _ = self._sounds.select(found)
        added = [clip for clip in clips if clip.digest not in known]
        rank_zero_info(f"split: as the checkpoint says it; {len(added)} clips were added since")
        parts = iter(split_clips(added, self.split) if added else [])
        divided = apply_records(clips, [record])
        return [clip if clip.digest in known else next(parts) for clip in divided]

    def _write_split(self) -> None:
        """Write the split to the folder of a run."""
        trainer = self.trainer
        if trainer is None or trainer.state.fn != "fit" or getattr(trainer, "fast_dev_run", False):
            return
        if self._clips and trainer.is_global_zero:
            write_manifest(Path(trainer.default_root_dir) / SPLIT_FILE, self._clips)

    def _check_labels(self, found: set[str]) -> None:
        """Take over the labels that the clips have, where none are given; refuse others where some are."""
        self.labels = self.labels or sorted(found)
        if unknown := sorted(found - set(self.labels)):
            raise ArgumentError(
                f"clips have the labels {', '.join(unknown)}, expected {', '.join(self.labels)}"
            )

    def _open_cache(self, clips: list[Clip]) -> Sounds:
        paths = (clip.path for clip in clips)
        return open_cache(paths, self.sample_rate, Path(self.loader.cache), self.loader.workers)

    def train_dataloader(self) -> Loader:
        """Return batches of crops."""
        if isinstance(self.train_set, ShardStream):
            return self._load(self.train_set)
        sampler = EpochSampler(self.crops.n_crops or len(self.train_set), self.trainer)
        return self._load(self.train_set, batch_size=self.loader.batch_size, sampler=sampler)

    def val_dataloader(self) -> Loader:
        """Return the whole clips of validation, one a batch."""
        return self._load(self.val_set)

    def test_dataloader(self) -> Loader:
        """Return the whole clips of test, one a batch."""
        return self._load(self.test_set)

    def predict_dataloader(self) -> Loader:
        """Return the whole clips of test, one a batch."""
        return self.test_dataloader()

    def _load(self, dataset: Crops | WholeClips | ShardStream, **arguments: Any) -> Loader:
        if not self._is_announced:  # not as it is drawn: a training that is resumed has another
            rank_zero_info(f"split: {describe_split(self._clips)}")
            self._is_announced = True
        workers = self.loader.workers
        if isinstance(dataset, ShardStream):
            return ShardLoader(dataset, workers, self.loader.skip_broken, self.trainer)
        # A worker's start costs a second: they stay between epochs.
        return DataLoader(dataset, num_workers=workers, persistent_workers=workers > 0, **arguments)


def read_labels(path: LabelsFile) -> list[str]:
    """Read labels from a text file.

    Args:
        path: a file with a label on each line.

    Returns:
        The labels, in their order.
    """
    return Path(path).read_text(encoding="utf-8").split("\n")[:-1]
