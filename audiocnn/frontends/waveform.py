"""Waveform: the samples themselves."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from audiocnn.frontends.base import FRONT_ENDS, FrontEnd


@FRONT_ENDS.register
class Waveform(FrontEnd):
    """The samples themselves as one bin, for networks that learn their own filters.

    One zero is appended: with a hop of one sample there are samples + 1 frames, as in every front end.

    Args:
        sample_rate: sample rate of the waveforms, in Hz.

    Shape:
        (batch, samples) -> (batch, 1, 1, samples + 1): a frame for each sample.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.reach, self.n_bins = sample_rate, 1, 0, 1
        self.bins_hz = torch.zeros(1)

    def forward(self, waveforms: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 1 frames"]:
        return functional.pad(waveforms, (0, 1))[:, None, None]
