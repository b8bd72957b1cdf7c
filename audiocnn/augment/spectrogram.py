"""Changes of spectrograms while training; when evaluating they are left as they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SpecAugment(nn.Module):
    """Spectrograms with a few bands of bins and stretches of frames silenced; the same spectrograms when evaluating.

    Shape: (batch, ..., bins, frames) -> the same.
    Source: Park et al., "SpecAugment", 2019. Differs: masked cells get the spectrogram's lowest value.

    Args:
        p: how often each of the two kinds of mask is applied to a spectrogram.
        bins: widest band.
        frames: longest stretch.
    """

    def __init__(self, p: float = 0.3, bins: int = 18, frames: int = 8) -> None:
        super().__init__()
        self.p, self.bins, self.frames = p, bins, frames

    def forward(self, spectrograms: Tensor) -> Tensor:
        if not self.training:
            return spectrograms
        masked = spectrograms.clone()
        for spectrogram in masked:
            for axis, widest in ((-2, self.bins), (-1, self.frames)):
                if torch.rand(()) < self.p:
                    size = spectrogram.shape[axis]
                    width = int(torch.randint(1, min(widest, size) + 1, ()))
                    start = int(torch.randint(0, size - width + 1, ()))
                    spectrogram.narrow(axis, start, width).fill_(float(spectrogram.min()))
        return masked


class RandomShift(nn.Module):
    """Spectrograms that begin at another frame, a few bins higher or lower; the same spectrograms when evaluating.

    Frames that leave at one end come in at the other. Bins do not: treble would be bass; there is the
    spectrogram's lowest value instead.
    Shape: (batch, ..., bins, frames) -> the same.

    Args:
        p: how often a spectrogram is rolled in each of the two directions.
        bins: furthest way up or down.
    """

    def __init__(self, p: float = 0.5, bins: int = 2) -> None:
        super().__init__()
        self.p, self.bins = p, bins

    def forward(self, spectrograms: Tensor) -> Tensor:
        if not self.training:
            return spectrograms
        return torch.stack([self._rolled(spectrogram) for spectrogram in spectrograms])

    def _rolled(self, spectrogram: Tensor) -> Tensor:
        n_bins, n_frames = spectrogram.shape[-2:]
        if torch.rand(()) < self.p:
            spectrogram = spectrogram.roll(int(torch.randint(n_frames, ())), -1)
        if torch.rand(()) < self.p:
            reach = min(self.bins, n_bins - 1)
            up = int(torch.randint(-reach, reach + 1, ()))
            spectrogram = spectrogram.roll(up, -2)
            spectrogram.narrow(-2, 0 if up > 0 else n_bins + up, abs(up)).fill_(float(spectrogram.min()))
        return spectrogram
