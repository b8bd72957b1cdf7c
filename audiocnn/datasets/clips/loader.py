"""Clips -> batches: augmented crops to train on, whole clips to validate and test on.

Place in the flow: `layouts.read` finds the clips, `splits.split` cuts them in parts, `clip_cache` decodes
them once; here they become waveforms (batch, samples) and targets (batch, labels), 1 where a label holds.

An item depends on the seed, the epoch and its number alone, not on the workers or on what was drawn before.
A clip that is shorter than a crop is put into silence at a random place. Repeating it instead would teach a
rhythm and clicks that no recording has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from audiocnn.augment import RandomClip, RandomRecording
from audiocnn.datasets.clips import cache, layouts, shards, splits
from audiocnn.datasets.clips.cropping import Cropping
from audiocnn.datasets.clips.sources import SPLITS, Clip


def targets(clip: Clip, labels: list[str]) -> Tensor:
    """1 for each label that holds, 0 for the others.

    Shape: (labels,), float32.
    """
    return torch.tensor([float(label in clip.labels) for label in labels])


class _Sounding:
    """Where clips lie in a cache."""

    def __init__(self, clips: list[Clip], sounds: cache.Sounds, sample_rate: int) -> None:
        self.clips, self.sounds, self.sample_rate = clips, sounds, sample_rate

    def span(self, clip: Clip) -> tuple[int, int]:
        """A clip's first sample in its file, and its number of samples.

        Raises: ValueError when it begins after the end of the file.
        """
        length = self.sounds.n_samples(clip.path)
        start = round(clip.start_s * self.sample_rate)
        end = length if clip.end_s is None else min(round(clip.end_s * self.sample_rate), length)
        if start >= end:
            end_s = end / self.sample_rate
            raise ValueError(f"{clip.path}: start is {clip.start_s} s, expected less than {end_s} s")
        return start, end - start


Sampling = Literal["natural", "balanced"]


class Crops(_Sounding, Dataset):
    """Random crops of random clips; item (e, i) of epoch e is the same whenever the seed is.

    Args:
        sampling: natural goes through all clips before it draws one again; balanced draws each label (and
            what has none) as often.
        alone_p: how often balanced looks among the clips that have the label alone, where there are some.
    """

    def __init__(
        self,
        clips: list[Clip],
        sounds: cache.Sounds,
        labels: list[str],
        cropping: Cropping,
        sampling: Sampling = "natural",
        alone_p: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(clips, sounds, cropping.sample_rate)
        self.labels, self.cropping, self.sampling, self.seed = labels, cropping, sampling, seed
        self.alone_p = alone_p
        self.spans = [self.span(clip) for clip in clips]
        members, alone = defaultdict(list), defaultdict(list)
        for index, clip in enumerate(clips):
            for label in clip.labels or ("",):
                members[label].append(index)
                if len(clip.labels) == 1:
                    alone[label].append(index)
        self.members = [np.array(members[label]) for label in sorted(members)]
        self.alone = [np.array(alone[label] or members[label]) for label in sorted(members)]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, item: tuple[int, int]) -> tuple[Tensor, Tensor]:
        epoch, index = item
        rng = np.random.default_rng((self.seed, epoch, index))
        drawn = self._draw(epoch, index, rng)
        clip, (first, length) = self.clips[drawn], self.spans[drawn]

        def read(start: int, n_samples: int) -> np.ndarray:
            return self.sounds.read(clip.path, first + start, n_samples)

        return self.cropping.item(read, length, targets(clip, self.labels), rng)

    def _draw(self, epoch: int, index: int, rng: np.random.Generator) -> int:
        """Which clip it is."""
        if self.sampling == "balanced":
            label = rng.integers(len(self.members))
            alone = self.alone_p > 0 and rng.random() < self.alone_p
            return int(rng.choice((self.alone if alone else self.members)[label]))
        turn, place = divmod(index, len(self.clips))
        return int(np.random.default_rng((self.seed, epoch, turn, 0)).permutation(len(self.clips))[place])


class WholeClips(_Sounding, Dataset):
    """Each clip as it is, from its start to its end; `clips[index]` tells which it is."""

    def __init__(self, clips: list[Clip], sounds: cache.Sounds, labels: list[str], sample_rate: int) -> None:
        super().__init__(clips, sounds, sample_rate)
        self.labels = labels

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        clip = self.clips[index]
        return torch.from_numpy(self.sounds.read(clip.path, *self.span(clip))), targets(clip, self.labels)


class Numbered(Sampler):
    """The items of an epoch, each as (epoch, number).

    Lightning sets the epoch, so that a run that goes on after a kill has fresh items.
    """

    def __init__(self, n_items: int) -> None:
        self.n_items, self.epoch = n_items, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n_items

    def __iter__(self) -> Iterator[tuple[int, int]]:
        yield from ((self.epoch, number) for number in range(self.n_items))
        self.epoch += 1  # for loops that set none


def prepare(
    path: Path,
    out: Path = cache.FOLDER,
    sample_rate: int = 22050,
    layout: str | None = None,
    workers: int = 2,
) -> int:
    """Decodes a data set of clips into the cache that a training reads, and returns the number of its files.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), or a data set's folder.
        out: folder of decoded sound, the configs' `cache`.
        sample_rate: in Hz.
        layout: what the folder is (see `audiocnn data list`), or mirdata:NAME; found out where not given.
        workers: processes that decode.

    Raises:
        ValueError: files cannot be read; the others are in the cache.
    """
    clips = layouts.read(path, layout)
    sounds = cache.opened((clip.path for clip in clips), sample_rate, out, workers)
    cache.refuse_broken(sounds)
    return len(sounds.places)


class ClipsDataModule(lightning.LightningDataModule):
    """Clips as batches: of crops to train on; of one whole clip each to validate and test on.

    Attributes:
        labels: after `setup`, in the order of the targets.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), a data set's folder, or the folder or address of
            `audiocnn data shard`.
        layout: what the folder is (`audiocnn data list`), or mirdata:NAME; found out when None.
        labels: in the order of the targets; all that the clips have, sorted, when None.
        sample_rate: in Hz.
        window_s: length of a crop.
        segments: crops in an epoch; as many as there are clips when None.
        workers: processes that read; the cache is decoded by as many.
        cache: folder of decoded sound, which other trainings use too.
        sampling: natural draws clips as often as they are there, balanced each label as often.
        alone_p: how often balanced looks among the clips that have the label alone.
        negative_p: how often a crop is of a sound that is none of the labels.
        augment: what is done to a crop, such as `audiocnn.augment.RandomRecording`.
        validation: share of the clips, where they come without a split.
        test: the same.
        by: "random" divides groups too, which `leaky` must allow.
        leaky: allow recordings or groups on both sides of a split, and scores that are too good.
        skip_broken: go on without the files that cannot be read.
        seed: of the crops.
        split_seed: of the split.

    Raises: ValueError when an argument cannot be; in `setup`, when the split leaks, files are broken, or a
        clip has a label that is not one of `labels`.
    """

    def __init__(
        self,
        path: str,
        layout: str | None = None,
        labels: list[str] | None = None,
        sample_rate: int = 22050,
        window_s: float = 3.0,
        segments: int | None = None,
        batch_size: int = 32,
        workers: int = 2,
        cache: str = str(cache.FOLDER),
        sampling: Sampling = "natural",
        alone_p: float = 0.0,
        negative_p: float = 0.0,
        augment: RandomClip | RandomRecording | None = None,
        validation: float = 0.15,
        test: float = 0.15,
        by: Literal["group", "random"] = "group",
        leaky: bool = False,
        skip_broken: bool = False,
        seed: int = 0,
        split_seed: int = 0,
    ) -> None:
        super().__init__()
        if window_s * sample_rate < 1:
            raise ValueError(f"window_s is {window_s}, expected a sample of 1 / {sample_rate} s at least")
        for name, p in (("negative_p", negative_p), ("alone_p", alone_p)):
            if not 0 <= p <= 1:
                raise ValueError(f"{name} is {p}, expected 0 to 1")
        self.path, self.layout, self.labels, self.sample_rate = path, layout, labels or [], sample_rate
        self.cropping = Cropping(sample_rate, round(window_s * sample_rate), augment, negative_p)
        self.segments, self.batch_size, self.workers, self.cache = segments, batch_size, workers, Path(cache)
        self.sampling: Sampling = sampling
        self.alone_p = alone_p
        self.split = {"validation": validation, "test": test, "by": by, "leaky": leaky, "seed": split_seed}
        self.skip_broken, self.seed = skip_broken, seed

    def prepare_data(self) -> None:
        """Decodes what is not in the cache yet: one process of a machine does it for all."""
        if not shards.are_at(self.path):
            self._sounds(layouts.read(self.path, self.layout))

    def setup(self, stage: str | None = None) -> None:
        if hasattr(self, "train_set"):  # set up for another stage, or for its labels
            return None
        if shards.are_at(self.path):
            return self._setup_shards()
        clips = splits.split(layouts.read(self.path, self.layout), **self.split)
        sounds = self._sounds(clips)
        clips = [clip for clip in clips if str(clip.path) in sounds.places]
        self._know({label for clip in clips for label in clip.labels})
        parts = {part: [clip for clip in clips if clip.split == part] for part in SPLITS}
        if not parts["train"]:
            raise ValueError(f"{self.path}: no clips to train on, expected some")
        self.train_set = Crops(
            parts["train"], sounds, self.labels, self.cropping, self.sampling, self.alone_p, self.seed
        )
        self.val_set = WholeClips(parts["validation"], sounds, self.labels, self.sample_rate)
        self.test_set = WholeClips(parts["test"], sounds, self.labels, self.sample_rate)

    def _setup_shards(self) -> None:
        if self.sampling != "natural":
            raise ValueError(
                f"sampling is {self.sampling!r}, expected 'natural': shards come in their own order"
            )
        index = shards.Index.read(self.path)
        if index.sample_rate != self.sample_rate:
            raise ValueError(
                f"{self.path}: sample rate is {index.sample_rate}, expected {self.sample_rate} Hz"
            )
        self._know(set(index.labels))
        self.train_set = shards.Stream(index, "train", self.labels, self.cropping)
        self.val_set = shards.Stream(index, "validation", self.labels)
        self.test_set = shards.Stream(index, "test", self.labels)

    def _know(self, heard: set[str]) -> None:
        """Takes over the labels that are heard, where none are given."""
        self.labels = self.labels or sorted(heard)
        if unknown := sorted(heard - set(self.labels)):
            raise ValueError(f"clips have the labels {', '.join(unknown)}, expected {', '.join(self.labels)}")

    def _sounds(self, clips: list[Clip]) -> cache.Sounds:
        paths = (clip.path for clip in clips)
        sounds = cache.opened(paths, self.sample_rate, self.cache, self.workers)
        if not self.skip_broken:
            cache.refuse_broken(sounds)
        return sounds

    def train_dataloader(self) -> DataLoader:
        if isinstance(self.train_set, shards.Stream):
            return self._loader(self.train_set, batch_size=self.batch_size)
        sampler = Numbered(self.segments or len(self.train_set))
        return self._loader(self.train_set, batch_size=self.batch_size, sampler=sampler)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.val_set, batch_size=1)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.test_set, batch_size=1)

    def predict_dataloader(self) -> DataLoader:
        return self.test_dataloader()

    def _loader(self, dataset: Dataset, **arguments: Any) -> DataLoader:
        # A worker's start costs a second: they stay between epochs.
        return DataLoader(dataset, num_workers=self.workers, persistent_workers=self.workers > 0, **arguments)
