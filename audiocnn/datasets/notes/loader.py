"""Recordings with notes, from prepared caches: augmented segments to train on, openings to validate on.

Place in the flow: cache (NAME.wav beside NAME.tsv) -> batches of waveforms and targets. Rate, licence and
split rule are those of the cache (`maps`, `render`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import soundfile
import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audiocnn.augment import RandomRecording, negative_example
from audiocnn.notes import Note, encode

# Heard before each segment at least, so that its first second carries the reverberation of what came before.
CONTEXT_S = 1.0


@dataclass(frozen=True)
class Recording:
    """One file of a cache: its length, and its notes as rows of onset_s, offset_s, midi, velocity."""

    path: Path
    sample_rate: int
    n_samples: int
    notes: np.ndarray

    def read(self, start: int, n_samples: int) -> np.ndarray:
        """Samples from `start`, silent outside the recording."""
        waveform = np.zeros(n_samples, np.float32)
        first, last = max(start, 0), min(start + n_samples, self.n_samples)
        if last > first:
            with soundfile.SoundFile(self.path) as file:
                file.seek(first)
                waveform[first - start : last - start] = file.read(last - first, dtype="float32")
        return waveform

    def between(self, start_s: float, end_s: float) -> np.ndarray:
        """The rows of notes that sound in a span."""
        return self.notes[(self.notes[:, 0] < end_s) & (self.notes[:, 1] > start_s)]


def read_cache(folder: Path) -> list[Recording]:
    """The recordings of one split of a cache, sorted by name.

    Raises: FileNotFoundError when the folder holds no NAME.wav beside a NAME.tsv.
    """
    recordings = []
    for table in sorted(Path(folder).glob("*.tsv")):
        wav = table.with_suffix(".wav")
        if wav.exists():
            info = soundfile.info(wav)
            lines = table.read_text().splitlines()[1:]
            rows = np.array([line.split("\t")[:4] for line in lines], float).reshape(-1, 4)
            recordings.append(Recording(wav, info.samplerate, info.frames, rows))
    if not recordings:
        raise FileNotFoundError(
            f"{folder}: no recording, expected NAME.wav beside NAME.tsv (`audiocnn data prepare`)"
        )
    return recordings


@dataclass(frozen=True)
class Framing:
    """How a model divides time: what a data set must know of its front end."""

    sample_rate: int
    hop_length: int

    @property
    def frame_s(self) -> float:
        return self.hop_length / self.sample_rate


class Segments(Dataset):
    """Random segments of random recordings, augmented: item i of epoch e is the same whenever the seed is.

    Args:
        n_frames: length of a segment.
        transpose: largest random transposition, in whole semitones up and down (tempo changes with it).
        transpose_p: how often a segment is transposed.
        detune_cents: largest random detuning.
        negative_p: how often a segment holds no music, but sounds that are none (`augment.distraction`).
    """

    def __init__(
        self,
        recordings: list[Recording],
        framing: Framing,
        n_frames: int,
        n_segments: int,
        augment: RandomRecording,
        transpose: int = 2,
        transpose_p: float = 0.4,
        detune_cents: float = 15.0,
        negative_p: float = 0.05,
        seed: int = 0,
    ) -> None:
        self.recordings, self.framing, self.n_frames, self.n_segments = (
            recordings,
            framing,
            n_frames,
            n_segments,
        )
        self.augment, self.transpose, self.transpose_p = augment, transpose, transpose_p
        self.detune_cents, self.negative_p, self.seed, self.epoch = detune_cents, negative_p, seed, 0
        lengths = np.array([recording.n_samples for recording in recordings], float)
        self.weights = lengths / lengths.sum()

    def __len__(self) -> int:
        return self.n_segments

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        rate = self.framing.sample_rate
        n_samples = (self.n_frames - 1) * self.framing.hop_length
        n_context = fast_length(int(CONTEXT_S * rate) + n_samples) - n_samples
        if rng.random() < self.negative_p:
            waveform, notes = negative_example(n_context + n_samples, rate, rng), []
        else:
            waveform, notes = self._music(n_context, n_samples, rng)
        waveform = self.augment(waveform, n_context + n_samples, rate, rng)[n_context:]
        targets = encode(notes, self.n_frames, self.framing.frame_s)
        return torch.from_numpy(waveform), {name: torch.from_numpy(array) for name, array in targets.items()}

    def _music(
        self, n_context: int, n_samples: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, list[Note]]:
        """A stretch of a recording, to be resampled to n_context + n_samples, and its notes at that speed."""
        recording = self.recordings[rng.choice(len(self.recordings), p=self.weights)]
        rate = self.framing.sample_rate
        transposed = rng.random() < self.transpose_p
        semitones = int(rng.integers(-self.transpose, self.transpose + 1)) if transposed else 0
        cents = float(rng.uniform(-self.detune_cents, self.detune_cents))
        speed = 2 ** ((semitones + cents / 100) / 12)
        n_read = fast_length(round((n_context + n_samples) * speed))
        speed = n_read / (n_context + n_samples)
        start = int(rng.integers(-rate, max(recording.n_samples - n_samples // 2, 1)))
        waveform = recording.read(start - round(n_context * speed), n_read)
        bend = 12 * np.log2(speed) - semitones
        return waveform, segment_notes(recording, start / rate, speed, semitones, bend, n_samples / rate)


def fast_length(n_samples: int) -> int:
    """The next length whose Fourier transform is fast: some are 30 times slower than their neighbours."""
    return next_fast_len(n_samples)  # pyright: ignore[reportReturnType]


def segment_notes(
    recording: Recording, start_s: float, speed: float, semitones: int, bend: float, duration_s: float
) -> list[Note]:
    """The notes of a stretch that is played at another speed, timed from its start, bent by its detuning."""
    rows = recording.between(start_s, start_s + duration_s * speed)
    return [
        Note(
            (onset - start_s) / speed,
            (offset - start_s) / speed,
            int(midi) + semitones,
            int(velocity),
            1.0,
            (bend,),
        )
        for onset, offset, midi, velocity in rows
    ]


class Openings(Dataset):
    """The first seconds of every recording as they are, with their notes as rows."""

    def __init__(self, recordings: list[Recording], duration_s: float) -> None:
        self.recordings, self.duration_s = recordings, duration_s

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        recording = self.recordings[index]
        n_samples = min(int(self.duration_s * recording.sample_rate), recording.n_samples)
        rows = recording.between(0, n_samples / recording.sample_rate)
        return torch.from_numpy(recording.read(0, n_samples)), torch.from_numpy(rows)


class NotesDataModule(lightning.LightningDataModule):
    """Caches of recordings with notes, as batches.

    Training: waveforms (batch, samples) and targets (batch, pitches, frames) by name. Validation, one
    recording a batch: a waveform (1, samples) and its notes (1, notes, 4).

    Args:
        caches: prepared folders, each with `train` and maybe `validation`; the longer, the more it is drawn.
        validation: prepared folders whose `validation` is used; all that have one when empty.
        n_frames: frames of a training segment.
        segments: training segments in an epoch.
        validation_s: seconds of each validation recording.
        workers: processes that read and augment.

    The other arguments are those of `Segments`.
    """

    def __init__(
        self,
        caches: list[str],
        validation: list[str] | None = None,
        sample_rate: int = 16000,
        hop_length: int = 512,
        n_frames: int = 200,
        segments: int = 4000,
        batch_size: int = 8,
        validation_s: float = 60.0,
        transpose: int = 2,
        detune_cents: float = 15.0,
        negative_p: float = 0.05,
        augment: RandomRecording | None = None,
        workers: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.caches = [Path(cache) for cache in caches]
        self.validation = [Path(cache) for cache in validation or caches]
        self.framing = Framing(sample_rate, hop_length)
        self.n_frames, self.segments, self.batch_size = n_frames, segments, batch_size
        self.validation_s, self.workers, self.seed = validation_s, workers, seed
        self.transpose, self.detune_cents, self.negative_p = transpose, detune_cents, negative_p
        self.augment = augment or RandomRecording()

    def setup(self, stage: str | None = None) -> None:
        recordings = [recording for cache in self.caches for recording in read_cache(cache / "train")]
        self._check_rate(recordings)
        self.train_set = Segments(
            recordings,
            self.framing,
            self.n_frames,
            self.segments,
            self.augment,
            transpose=self.transpose,
            detune_cents=self.detune_cents,
            negative_p=self.negative_p,
            seed=self.seed,
        )
        splits = [cache / "validation" for cache in self.validation if (cache / "validation").is_dir()]
        self.val_set = Openings([r for split in splits for r in read_cache(split)], self.validation_s)

    def _check_rate(self, recordings: list[Recording]) -> None:
        for recording in recordings:
            if recording.sample_rate != self.framing.sample_rate:
                raise ValueError(
                    f"{recording.path}: sample rate is {recording.sample_rate} Hz, "
                    f"expected {self.framing.sample_rate} Hz"
                )

    def train_dataloader(self) -> DataLoader:
        # Called anew each epoch (reload_dataloaders_every_n_epochs=1): a resumed run goes on with fresh
        # segments.
        self.train_set.epoch = self.trainer.current_epoch if self.trainer else 0
        return self._loader(self.train_set, self.batch_size)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.val_set, 1)

    def _loader(self, dataset: Dataset, batch_size: int) -> DataLoader:
        arguments: dict[str, Any] = {"prefetch_factor": 4} if self.workers else {}
        return DataLoader(dataset, batch_size, num_workers=self.workers, **arguments)
