"""Clips -> batches: augmented crops to train on, whole clips to validate and test on.

Place in the flow: `layouts` finds the clips, `splits` divides them, `cache` decodes them once, `items` makes
crops and whole clips of them; here they become batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
from torch.utils.data import DataLoader, Dataset

from audiocnn.datasets.clips import shards
from audiocnn.datasets.clips.cache import FOLDER, Sounds, open_cache, refuse_broken
from audiocnn.datasets.clips.cropping import CropOptions, Cropping
from audiocnn.datasets.clips.items import Crops, WholeClips
from audiocnn.datasets.clips.layouts import read_clips
from audiocnn.datasets.clips.sources import SPLITS, Clip
from audiocnn.datasets.clips.splits import SplitOptions, split_clips
from audiocnn.datasets.epochs import EpochSampler
from audiocnn.ranges import COUNT, NOT_NEGATIVE, check_fields

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
        skip_broken: go on without the files that cannot be read.

    Raises:
        ValueError: a number is out of its range.
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
        layout: name of the data set (see `audiocnn data list`), or mirdata:NAME; recognised where not given.
        workers: processes that decode.

    Returns:
        The number of files in the cache.

    Raises:
        ValueError: files cannot be read; the others are in the cache.
    """
    clips = read_clips(path, layout)
    sounds = open_cache((clip.path for clip in clips), sample_rate, out, workers)
    refuse_broken(sounds)
    return len(sounds.places)


class ClipsDataModule(lightning.LightningDataModule):
    """Clips as batches: of crops to train on; of one whole clip each to validate and test on.

    Shape: a training batch is waveforms (batch, samples) and targets (batch, labels), 1 where a label holds;
    a batch of validation or test is (1, samples) and (1, labels).

    Attributes:
        labels: after `setup`, in the order of the targets.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), a data set's folder, or the folder or address of
            `audiocnn data shard`.
        layout: name of the data set (`audiocnn data list`), or mirdata:NAME; recognised when None.
        labels: in the order of the targets, or a file with one on each line; all that the clips have, sorted,
            when None.
        sample_rate: in Hz.
        split: how clips that come without a split are divided.
        crops: options of the training crops.
        loader: how clips are read.

    Raises:
        ValueError: an argument is out of range; in `setup`, the split leaks, files are broken, or a clip has
            a label that is not one of `labels`.
    """

    def __init__(
        self,
        path: str,
        layout: str | None = None,
        labels: list[str] | LabelsFile | None = None,
        sample_rate: int = 22050,
        split: SplitOptions = SplitOptions(),
        crops: CropOptions = CropOptions(),
        loader: LoaderOptions = LoaderOptions(),
    ) -> None:
        super().__init__()
        self.cropping = Cropping(sample_rate, crops)
        if self.cropping.n_samples < 1:
            raise ValueError(
                f"window_s is {crops.window_s}, expected a sample of 1 / {sample_rate} s at least"
            )
        self.path, self.layout, self.sample_rate = path, layout, sample_rate
        self.labels = labels if isinstance(labels, list) else read_labels(labels) if labels else []
        self.split, self.crops, self.loader = split, crops, loader

    def prepare_data(self) -> None:
        """Decode the files that are not cached yet, in one process per machine."""
        if not shards.is_sharded(self.path):
            self._open_cache(read_clips(self.path, self.layout))

    def setup(self, stage: str | None = None) -> None:
        """Make the data sets of every part, once.

        Args:
            stage: makes no difference.
        """
        if hasattr(self, "train_set"):  # set up for another stage, or for its labels
            return None
        if shards.is_sharded(self.path):
            return self._setup_shards()
        clips = split_clips(read_clips(self.path, self.layout), self.split)
        sounds = self._open_cache(clips)
        clips = [clip for clip in clips if str(clip.path) in sounds.places]
        self._check_labels({label for clip in clips for label in clip.labels})
        parts = {part: [clip for clip in clips if clip.split == part] for part in SPLITS}
        if not parts["train"]:
            raise ValueError(f"{self.path}: no clips to train on, expected some")
        self.train_set = Crops(parts["train"], sounds, self.labels, self.crops)
        self.val_set = WholeClips(parts["validation"], sounds, self.labels)
        self.test_set = WholeClips(parts["test"], sounds, self.labels)

    def _setup_shards(self) -> None:
        if self.crops.sampling != "natural":
            raise ValueError(
                f"sampling is {self.crops.sampling!r}, expected 'natural': shards come in their own order"
            )
        index = shards.Index.read(self.path)
        if index.sample_rate != self.sample_rate:
            raise ValueError(
                f"{self.path}: sample rate is {index.sample_rate}, expected {self.sample_rate} Hz"
            )
        self._check_labels(set(index.labels))
        self.train_set = shards.ShardStream(index, "train", self.labels, self.cropping)
        self.val_set = shards.ShardStream(index, "validation", self.labels)
        self.test_set = shards.ShardStream(index, "test", self.labels)

    def _check_labels(self, found: set[str]) -> None:
        """Take over the labels that the clips have, where none are given; refuse others where some are."""
        self.labels = self.labels or sorted(found)
        if unknown := sorted(found - set(self.labels)):
            raise ValueError(f"clips have the labels {', '.join(unknown)}, expected {', '.join(self.labels)}")

    def _open_cache(self, clips: list[Clip]) -> Sounds:
        paths = (clip.path for clip in clips)
        sounds = open_cache(paths, self.sample_rate, Path(self.loader.cache), self.loader.workers)
        if not self.loader.skip_broken:
            refuse_broken(sounds)
        return sounds

    def train_dataloader(self) -> DataLoader:
        """Return batches of crops."""
        if isinstance(self.train_set, shards.ShardStream):
            return self._load(self.train_set, batch_size=self.loader.batch_size)
        sampler = EpochSampler(self.crops.n_crops or len(self.train_set), self.trainer)
        return self._load(self.train_set, batch_size=self.loader.batch_size, sampler=sampler)

    def val_dataloader(self) -> DataLoader:
        """Return the whole clips of validation, one a batch."""
        return self._load(self.val_set, batch_size=1)

    def test_dataloader(self) -> DataLoader:
        """Return the whole clips of test, one a batch."""
        return self._load(self.test_set, batch_size=1)

    def predict_dataloader(self) -> DataLoader:
        """Return the whole clips of test, one a batch."""
        return self.test_dataloader()

    def _load(self, dataset: Dataset, **arguments: Any) -> DataLoader:
        # A worker's start costs a second: they stay between epochs. Not those of shards, which draw from
        # generators of their own: seeded anew, an epoch is the same in a training that resumes.
        workers, streams = self.loader.workers, isinstance(dataset, shards.ShardStream)
        stay = workers > 0 and not streams
        return DataLoader(dataset, num_workers=workers, persistent_workers=stay, **arguments)


def read_labels(path: LabelsFile) -> list[str]:
    """Read labels from a text file.

    Args:
        path: a file with a label on each line.

    Returns:
        The labels, in their order.
    """
    return Path(path).read_text(encoding="utf-8").split("\n")[:-1]
