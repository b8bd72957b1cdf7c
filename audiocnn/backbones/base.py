"""The contract of every backbone: a picture or waveform in, feature maps out."""

from __future__ import annotations

from torch import Tensor, nn


class Backbone(nn.Module):
    """A convolutional network without its head.

    Attributes:
        dims: 1 for (batch, channels, frames), 2 for (batch, channels, bins, frames).
        in_channels: channels of the input; for dims=1 on a spectrogram its bins.
        out_channels: channels of the last map.
        stage_channels: channels of each map that `features` gives.
        time_stride: input frames for each output frame.
        time_grid: a piece of a long input has the maps of the whole where it begins at a multiple of this.
        receptive_field: input frames on which one output frame depends, the same number on both sides of it.
    """

    dims: int
    in_channels: int
    out_channels: int
    stage_channels: tuple[int, ...]
    time_stride: int
    time_grid: int = 1
    receptive_field: int

    def features(self, x: Tensor) -> list[Tensor]:
        """The map after each stage."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """The last map."""
        return self.features(x)[-1]
