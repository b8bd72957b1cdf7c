"""How a clip becomes an item to train on: a random crop, augmented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiocnn.augment import RandomClip, RandomRecording, negative_example
from audiocnn.datasets.notes.loader import CONTEXT_S, fast_length

Read = Callable[[int, int], np.ndarray]  # first sample and number of samples -> float32 (samples,)


@dataclass(frozen=True)
class Cropping:
    """How a clip becomes an item to train on.

    Args:
        n_samples: length of a crop.
        augment: done to each crop, with a second before it, which a reverberation fills.
        negative_p: how often an item is no clip, but a sound that is none of the labels
            (`augment.distraction`).
    """

    sample_rate: int
    n_samples: int
    augment: RandomClip | RandomRecording | None = None
    negative_p: float = 0.0

    def item(
        self, read: Read, length: int, target: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """A random crop of a clip of `length` samples, of which `read(start, n)` gives n, and its target.

        Shape: (n_samples,) and (labels,).
        """
        n_context = 0
        if self.augment:
            n_context = fast_length(round(CONTEXT_S * self.sample_rate) + self.n_samples) - self.n_samples
        n_heard = n_context + self.n_samples
        if rng.random() < self.negative_p:
            waveform, target = negative_example(n_heard, self.sample_rate, rng), torch.zeros_like(target)
        else:
            waveform = self._crop(read, length, n_context, rng)
        if self.augment:
            waveform = self.augment(waveform, n_heard, self.sample_rate, rng)[n_context:]
        return torch.from_numpy(waveform), target

    def _crop(self, read: Read, length: int, n_context: int, rng: np.random.Generator) -> np.ndarray:
        """A stretch of a clip with what comes before it; silence where the clip is not.

        Shape: (n_context + n_samples,).
        """
        room = length - self.n_samples
        start = int(rng.integers(min(room, 0), max(room, 0) + 1))  # negative: silence, then the clip
        waveform = np.zeros(n_context + self.n_samples, np.float32)
        begin = max(start - n_context, 0)
        end = min(start + self.n_samples, length)
        place = begin - (start - n_context)
        waveform[place : place + end - begin] = read(begin, end - begin)
        return waveform
