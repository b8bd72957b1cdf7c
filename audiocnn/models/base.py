"""Model: a front end and a backbone; what every model has, without Lightning (its import takes 1 s)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audiocnn.backbones.base import Backbone, channels_last
from audiocnn.frontends.base import FrontEnd


class Model(nn.Module):
    """A front end and a backbone; a subclass adds the head and what its scores mean.

    Attributes:
        name: of the file that it was loaded from, without the suffix.
    """

    head: nn.Module
    name: str = "model"

    def __init__(self, front_end: FrontEnd, backbone: Backbone) -> None:
        super().__init__()
        self.front_end, self.backbone = front_end, backbone
        channels_last(backbone)

    @property
    def sample_rate(self) -> int:
        """Hz that waveforms must have."""
        return self.front_end.sample_rate

    @property
    def device(self) -> torch.device:
        """Where the weights are, and waveforms must be."""
        return next(self.parameters()).device

    def forward(self, waveforms: Tensor) -> Tensor:
        """The logits of the head."""
        return self.head(self.backbone(self.spectrogram(waveforms)))

    def spectrogram(self, waveforms: Tensor) -> Tensor:
        """What the backbone sees: the front end in full precision also where the network runs in half.

        Shape: (batch, samples) -> (batch, 1, bins, frames); without the 1 for a backbone of dims=1.
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            spectrogram = self.front_end(waveforms.float())
        return spectrogram if self.backbone.dims == 2 else spectrogram.squeeze(1)
