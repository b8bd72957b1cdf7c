"""Recordings with notes -> random segments to train on, transposed and augmented, with their targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.signal
import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.utils.data import Dataset

from audiocnn.augment import RandomRecording, negative_example
from audiocnn.datasets.notes.cache import Recording
from audiocnn.notes import Note, encode
from audiocnn.ranges import COUNT, NOT_NEGATIVE, SHARE, check_fields

# Read before each segment at least, so that its first second has the reverberation of the sound before it.
CONTEXT_S = 1.0


@dataclass(frozen=True)
class Framing:
    """Sample rate and hop length of a model's front end, which targets depend on.

    Args:
        sample_rate: in Hz.
        hop_length: samples from one frame to the next.
    """

    sample_rate: int
    hop_length: int

    @property
    def frame_s(self) -> float:
        """The time from one frame to the next in seconds."""
        return self.hop_length / self.sample_rate


@dataclass(frozen=True, kw_only=True)
class SegmentOptions:
    """The segments that are trained on.

    Args:
        n_frames: length of a segment.
        n_segments: segments in an epoch.
        transpose: largest random transposition, in whole semitones up and down (tempo changes with it).
        transpose_p: how often a segment is transposed.
        detune_cents: largest random detuning.
        negative_p: how often a segment is a negative example (`augment.negative_example`), which has no
            notes.
        augment: applied to each segment; None leaves segments as they are.
        seed: random seed of the segments.

    Raises:
        ValueError: a number is out of its range.
    """

    n_frames: int = 200
    n_segments: int = 4000
    transpose: int = 2
    transpose_p: float = 0.4
    detune_cents: float = 15.0
    negative_p: float = 0.05
    augment: RandomRecording | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("n_frames", "n_segments"), COUNT)
        sizes = dict.fromkeys(("transpose", "detune_cents"), NOT_NEGATIVE)
        check_fields(self, **counts, **sizes, transpose_p=SHARE, negative_p=SHARE)


class Segments(Dataset):
    """Random segments of random recordings; item (e, i) of epoch e is the same whenever the seed is.

    Shape: items are waveforms (samples,) and targets (pitches, frames) by name.

    Args:
        recordings: drawn with probabilities in proportion to their lengths.
        framing: of the model.
        options: sampling and augmentation of the segments.
    """

    def __init__(self, recordings: list[Recording], framing: Framing, options: SegmentOptions) -> None:
        self.recordings, self.framing, self.options = recordings, framing, options
        lengths = np.array([recording.n_samples for recording in recordings], float)
        self.weights = lengths / lengths.sum()

    def __len__(self) -> int:
        return self.options.n_segments

    def __getitem__(self, item: tuple[int, int]) -> tuple[Tensor, dict[str, Tensor]]:
        rng = np.random.default_rng((self.options.seed, *item))
        rate = self.framing.sample_rate
        n_samples = (self.options.n_frames - 1) * self.framing.hop_length
        n_total = fast_length(int(CONTEXT_S * rate) + n_samples)
        if rng.random() < self.options.negative_p:
            waveform, notes = negative_example(n_total, rate, rng), []
        else:
            waveform, notes = self._draw_music(n_total - n_samples, n_samples, rng)
        if self.options.augment:
            waveform = self.options.augment(waveform, n_total, rate, rng)
        elif len(waveform) != n_total:
            waveform = np.asarray(scipy.signal.resample(waveform, n_total), np.float32)
        targets = encode(notes, self.options.n_frames, self.framing.frame_s)
        return torch.from_numpy(waveform[n_total - n_samples :]), {
            name: torch.from_numpy(array) for name, array in targets.items()
        }

    def _draw_music(
        self, n_context: int, n_samples: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, list[Note]]:
        """An excerpt of a recording, to be resampled to n_context + n_samples, and its notes after it."""
        recording = self.recordings[rng.choice(len(self.recordings), p=self.weights)]
        rate, transpose, detune = self.framing.sample_rate, self.options.transpose, self.options.detune_cents
        transposed = rng.random() < self.options.transpose_p
        semitones = int(rng.integers(-transpose, transpose + 1)) if transposed else 0
        cents = float(rng.uniform(-detune, detune))
        speed = 2 ** ((semitones + cents / 100) / 12)
        n_read = fast_length(round((n_context + n_samples) * speed))
        speed = n_read / (n_context + n_samples)
        start = int(rng.integers(-rate, max(recording.n_samples - n_samples // 2, 1)))
        waveform = recording.read(start - round(n_context * speed), n_read)
        bend = 12 * np.log2(speed) - semitones
        return waveform, change_speed(recording, start / rate, n_samples / rate, speed, semitones, bend)


def fast_length(n_samples: int) -> int:
    """Return the next length whose Fourier transform is fast: some are 30 times slower than their neighbours.

    Args:
        n_samples: the smallest length.
    """
    return next_fast_len(n_samples)  # pyright: ignore[reportReturnType], its stub lacks the type


def change_speed(
    recording: Recording, start_s: float, duration_s: float, speed: float, semitones: int, bend: float
) -> list[Note]:
    """Return the notes of an excerpt of a recording that is played at another speed.

    Args:
        recording: with its notes.
        start_s: of the excerpt, in the recording.
        duration_s: of the excerpt, as it is played.
        speed: 2 is twice as fast and an octave higher.
        semitones: that the notes are transposed by.
        bend: rest of the speed's pitch change, in semitones.

    Returns:
        The notes, timed from the start of the excerpt.
    """
    rows = recording.find_notes(start_s, start_s + duration_s * speed)
    return [
        Note(
            (onset_s - start_s) / speed,
            (offset_s - start_s) / speed,
            int(midi) + semitones,
            int(velocity),
            bend=(bend,),
        )
        for onset_s, offset_s, midi, velocity in rows
    ]
