"""DilatedNet: a temporal network over a spectrogram whose bins are channels."""

from __future__ import annotations

from torch import Tensor, nn

from audiocnn.backbones.base import Backbone
from audiocnn.blocks.conv import ConvNormAct, Residual

DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)


class DilatedNet(Backbone):
    """Residual 1-D convolutions in time, with dilations that double.

    Shape: (batch, in_channels, frames) -> (batch, channels, frames).
    Source: Yu and Koltun, "Multi-scale context aggregation by dilated convolutions", 2016.
    """

    def __init__(
        self, in_channels: int, channels: int = 768, dilations: tuple[int, ...] = DILATIONS, groups: int = 1
    ) -> None:
        super().__init__()
        self.dims, self.in_channels, self.time_stride = 1, in_channels, 1
        self.channels, self.dilations, self.groups = channels, tuple(dilations), groups
        self.stage_channels = (channels,) * (1 + len(dilations))
        self.stem = ConvNormAct(in_channels, channels, 3, dims=1)
        self.stages = nn.ModuleList(
            Residual(ConvNormAct(channels, channels, 3, dims=1, dilation=dilation, groups=groups))
            for dilation in dilations
        )
        self.receptive_field = 1 + 2 * (1 + sum(dilations))

    def features(self, x: Tensor) -> list[Tensor]:
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps
