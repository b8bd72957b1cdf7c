"""Augmentation of spectrograms on the model's device; in evaluation mode they stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.augment.torchaudio_import import import_torchaudio
from audiocnn.ranges import SHARE, Range
from audiocnn.registry import InitArgs

WIDTH = Range(0, 1 << 20, whole=True)  # bins or frames; more than there are is as many as there are


class SpecAugment(InitArgs, nn.Module):
    """Mask a band of bins and a stretch of frames of each spectrogram, by torchaudio.

    Args:
        p: probability of each of the two masks, for each spectrogram.
        bins: widest mask along frequency.
        frames: widest mask along time.

    Raises:
        ValueError: p is no probability, or a width negative.

    Shape:
        (batch, ..., bins, frames) -> the same.

    Source:
        Park et al., "SpecAugment", 2019.

    Differs:
        Masked bins get the spectrogram's lowest value.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"p": SHARE, "bins": WIDTH, "frames": WIDTH}

    def __init__(self, p: float = 0.3, bins: int = 18, frames: int = 8) -> None:
        super().__init__()
        self.p, self.bins, self.frames = p, bins, frames

    def forward(
        self, spectrograms: Float[Tensor, "batch *channels bins frames"]
    ) -> Float[Tensor, "batch *channels bins frames"]:
        if not self.training:
            return spectrograms
        functional = import_torchaudio("functional")
        kept = torch.ones_like(spectrograms)
        for axis, widest in ((kept.ndim - 2, self.bins), (kept.ndim - 1, self.frames)):
            max_width = min(widest, kept.shape[axis]) + 1  # torchaudio's widths are below this
            masked = functional.mask_along_axis_iid(kept, max_width, 0.0, axis)
            chosen = torch.rand(len(kept), *[1] * (kept.ndim - 1), device=kept.device) < self.p
            kept = torch.where(chosen, masked, kept)
        return torch.where(kept > 0, spectrograms, spectrograms.amin(dim=(-2, -1), keepdim=True))


class RandomShift(InitArgs, nn.Module):
    """Shift spectrograms along time and frequency.

    Time shifts are circular. Shifts in frequency are not, since treble would become bass: bins that come in
    have the spectrogram's lowest value.

    Args:
        p: probability of each of the two shifts, for each spectrogram.
        bins: furthest shift up or down.

    Raises:
        ValueError: p is no probability, or bins negative.

    Shape:
        (batch, ..., bins, frames) -> the same.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"p": SHARE, "bins": WIDTH}

    def __init__(self, p: float = 0.5, bins: int = 2) -> None:
        super().__init__()
        self.p, self.bins = p, bins

    def forward(
        self, spectrograms: Float[Tensor, "batch *channels bins frames"]
    ) -> Float[Tensor, "batch *channels bins frames"]:
        if not self.training:
            return spectrograms
        return torch.stack([self._shift(spectrogram) for spectrogram in spectrograms])

    def _shift(self, spectrogram: Tensor) -> Tensor:
        n_bins, n_frames = spectrogram.shape[-2:]
        if torch.rand(()) < self.p:
            spectrogram = spectrogram.roll(int(torch.randint(n_frames, ())), -1)
        if torch.rand(()) < self.p:
            furthest = min(self.bins, n_bins - 1)
            up = int(torch.randint(-furthest, furthest + 1, ()))
            spectrogram = spectrogram.roll(up, -2)
            spectrogram.narrow(-2, 0 if up > 0 else n_bins + up, abs(up)).fill_(float(spectrogram.min()))
        return spectrogram
