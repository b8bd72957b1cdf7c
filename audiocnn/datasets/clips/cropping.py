"""Crop -> training item: a random excerpt of a clip, or a negative example, augmented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from audiocnn.augment import RandomClip, RandomRecording, negative_example
from audiocnn.datasets.notes.segments import CONTEXT_S, fast_length
from audiocnn.ranges import COUNT, POSITIVE, SHARE, check_fields

Read = Callable[[int, int], np.ndarray]  # first sample and number of samples -> float32 (samples,)
Sampling = Literal["natural", "balanced"]
WINDOW_S = 3.0  # seconds, as of `ClipModel`


@dataclass(frozen=True, kw_only=True)
class CropOptions:
    """The crops that are trained on.

    Args:
        window_s: length of a crop; that of the model's windows when None, or `WINDOW_S` where it has none.
        n_crops: crops in an epoch; as many as there are clips when None.
        sampling: natural goes through all clips before it draws one again; balanced draws each label, and
            clips without one, equally often.
        alone_p: how often balanced looks among the clips that have the label alone, where there are some.
        negative_p: how often a crop is a negative example (`augment.negative_example`), which has none of the
            labels.
        augment: applied to each crop; None leaves crops as they are.
        seed: random seed of the crops.

    Raises:
        ValueError: an argument is out of range.
    """

    window_s: float | None = None
    n_crops: int | None = None
    sampling: Sampling = "natural"
    alone_p: float = 0.0
    negative_p: float = 0.0
    augment: RandomClip | RandomRecording | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, window_s=POSITIVE, n_crops=COUNT, alone_p=SHARE, negative_p=SHARE)


@dataclass(frozen=True)
class Cropping:
    """Conversion of a clip to a training item.

    It is augmented together with a second before it, whose reverberation reaches into the crop.

    Args:
        sample_rate: in Hz.
        options: length, which must be given, augmentation and negative examples.
    """

    sample_rate: int
    options: CropOptions

    @property
    def n_samples(self) -> int:
        """The length of a crop in samples."""
        assert self.options.window_s is not None, "the data module knows it"
        return max(round(self.options.window_s * self.sample_rate), 1)

    def make_item(
        self, read: Read, length: int, target: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Make an item of a random crop of a clip.

        Args:
            read: gives samples of the clip.
            length: of the clip, in samples.
            target: (labels,).
            rng: random number generator.

        Returns:
            The waveform (n_samples,) and its target (labels,).
        """
        augment, n_context = self.options.augment, 0
        if augment:
            n_context = fast_length(round(CONTEXT_S * self.sample_rate) + self.n_samples) - self.n_samples
        n_total = n_context + self.n_samples
        if rng.random() < self.options.negative_p:
            waveform, target = negative_example(n_total, self.sample_rate, rng), torch.zeros_like(target)
        else:
            waveform = self._crop(read, length, n_context, rng)
        if augment:
            waveform = augment(waveform, n_total, self.sample_rate, rng)[n_context:]
        return torch.from_numpy(waveform), target

    def _crop(self, read: Read, length: int, n_context: int, rng: np.random.Generator) -> np.ndarray:
        """A random excerpt of a clip and the samples before, (n_context + n_samples,), silent beyond it."""
        n_spare = length - self.n_samples
        start = int(rng.integers(min(n_spare, 0), max(n_spare, 0) + 1))  # negative: silence, then the clip
        waveform = np.zeros(n_context + self.n_samples, np.float32)
        begin = max(start - n_context, 0)
        end = min(start + self.n_samples, length)
        place = begin - (start - n_context)
        waveform[place : place + end - begin] = read(begin, end - begin)
        return waveform
