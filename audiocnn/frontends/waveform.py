"""Waveform: the samples themselves."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from audiocnn.frontends.base import FRONT_ENDS, FrontEnd


@FRONT_ENDS.register
class Waveform(FrontEnd):
    """The samples themselves, for networks that find their own filters; one more, of silence, at the end.

    Shape: (batch, samples) -> (batch, 1, 1, samples + 1): a frame a sample.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.reach, self.n_bins = sample_rate, 1, 0, 1
        self.bins_hz = torch.zeros(1)

    def forward(self, waveforms: Tensor) -> Tensor:
        return functional.pad(waveforms, (0, 1))[:, None, None]
