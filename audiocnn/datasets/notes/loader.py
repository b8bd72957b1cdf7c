"""Recordings with notes, from prepared caches: augmented segments to train on, excerpts to validate on.

Place in the flow: cache (NAME.wav beside NAME.tsv) -> batches of waveforms and targets. Rate, licence and
split rule are those of the cache (`maps`, `synthesis.render`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audiocnn import files
from audiocnn.datasets.defaults import default_of_model
from audiocnn.datasets.epochs import EpochSampler
from audiocnn.datasets.notes.cache import Recording, read_recordings
from audiocnn.datasets.notes.segments import Framing, SegmentOptions, Segments
from audiocnn.ranges import COUNT, NOT_NEGATIVE, ArgumentError, check_fields


@dataclass(frozen=True, kw_only=True)
class LoaderOptions:
    """How batches are read.

    Args:
        batch_size: segments in a batch of training.
        workers: processes that read and augment.

    Raises:
        ArgumentError: a number is out of its range.
    """

    batch_size: int = 8
    workers: int = 1

    def __post_init__(self) -> None:
        check_fields(self, batch_size=COUNT, workers=NOT_NEGATIVE)


class Excerpts(Dataset):
    """The first seconds of every recording as they are.

    Shape: items are waveforms (samples,) and notes (notes, 4), see `cache.COLUMNS`.

    Args:
        recordings: one item each.
        duration_s: of an excerpt at most.
    """

    def __init__(self, recordings: list[Recording], duration_s: float) -> None:
        self.recordings, self.duration_s = recordings, duration_s

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        recording = self.recordings[index]
        n_samples = min(int(self.duration_s * recording.sample_rate), recording.n_samples)
        rows = recording.find_notes(0, n_samples / recording.sample_rate)
        return torch.from_numpy(recording.read(0, n_samples)), torch.from_numpy(rows)


class NotesDataModule(lightning.LightningDataModule):
    """Caches of recordings with notes, as batches.

    Shape: a training batch is waveforms (batch, samples) and targets (batch, pitches, frames) by name; one of
    validation is the excerpt of a recording (1, samples) and its notes (1, notes, 4), see `cache.COLUMNS`.

    Args:
        caches: prepared folders, each with `train` and maybe `validation` and `test`; drawn in proportion to
            length.
        validation: prepared folders whose `validation` and `test` are used; all that have one when None.
        sample_rate: in Hz; the model's when None.
        hop_length: samples from one frame of the targets to the next; the model's when None.
        validation_s: seconds of each recording of validation and test.
        segments: options of the training segments.
        loader: how batches are read.

    Raises:
        ArgumentError: in `setup`, a recording has another sample rate.
        FileError: in `setup`, a cache is empty.
    """

    def __init__(
        self,
        caches: list[str],
        validation: list[str] | None = None,
        sample_rate: int | None = None,
        hop_length: int | None = None,
        validation_s: float = 60.0,
        segments: SegmentOptions = SegmentOptions(),
        loader: LoaderOptions = LoaderOptions(),
    ) -> None:
        super().__init__()
        self.caches = [Path(cache) for cache in caches]
        self.validation = [Path(cache) for cache in validation or caches]
        self._sample_rate, self._hop_length = sample_rate, hop_length
        self.validation_s, self.segments, self.loader = validation_s, segments, loader

    @property
    def sample_rate(self) -> int:
        """Sample rate of the recordings, in Hz."""
        return default_of_model(self, "sample_rate", self._sample_rate)

    @property
    def hop_length(self) -> int:
        """Samples from one frame of the targets to the next."""
        return default_of_model(self, "hop_length", self._hop_length)

    @property
    def framing(self) -> Framing:
        """What targets depend on."""
        return Framing(self.sample_rate, self.hop_length)

    def setup(self, stage: str | None = None) -> None:
        """Make the data sets of training and validation.

        Args:
            stage: makes no difference.
        """
        recordings = [recording for cache in self.caches for recording in read_recordings(cache / "train")]
        self._check_rate(recordings)
        self.train_set = Segments(recordings, self.framing, self.segments)
        self.val_set = self._excerpts("validation")

    def _excerpts(self, part: str) -> Excerpts:
        folders = [cache / part for cache in self.validation if (cache / part).is_dir()]
        return Excerpts([one for folder in folders for one in read_recordings(folder)], self.validation_s)

    def _check_rate(self, recordings: list[Recording]) -> None:
        for recording in recordings:
            if recording.sample_rate != self.framing.sample_rate:
                raise ArgumentError(
                    f"{recording.path}: sample rate is {recording.sample_rate} Hz, "
                    f"expected {self.framing.sample_rate} Hz"
                )

    def train_dataloader(self) -> DataLoader:
        """Return batches of segments, other ones in each epoch."""
        sampler = EpochSampler(len(self.train_set), self.trainer)
        return self._load(self.train_set, self.loader.batch_size, sampler)

    def val_dataloader(self) -> DataLoader:
        """Return the excerpts of validation, one a batch."""
        return self._load(self.val_set, 1)

    def test_dataloader(self) -> DataLoader:
        """Return the excerpts of test, one a batch.

        Raises:
            FileError: no cache has a part `test`.
        """
        test_set = self._excerpts("test")
        if not len(test_set):
            folders = ", ".join(str(cache / "test") for cache in self.validation)
            raise files.FileError(
                folders, "no recording to test on; `audiocnn validate` scores those of validation"
            )
        return self._load(test_set, 1)

    def _load(self, dataset: Dataset, batch_size: int, sampler: EpochSampler | None = None) -> DataLoader:
        arguments: dict[str, Any] = {"prefetch_factor": 4} if self.loader.workers else {}
        return DataLoader(dataset, batch_size, sampler=sampler, num_workers=self.loader.workers, **arguments)
