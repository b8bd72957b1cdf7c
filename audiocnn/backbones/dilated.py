"""DilatedNet: context from dilated convolutions, at full time resolution."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.blocks.conv import ConvNormAct, Residual

DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)


@register({"dilated": {}})
class DilatedNet(Backbone):
    """A convolution over three positions, then residual ones whose dilations double.

    Args:
        dims: 1 or 2, the axes after channels.
        channels: of every feature map.
        dilations: of each residual convolution, along every axis.
        groups: of the residual convolutions.
        common: in_channels, norm and act, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, channels, ..., frames).

    Source:
        Yu and Koltun, "Multi-scale context aggregation by dilated convolutions", 2016.

    Differs:
        It has norms and shortcuts, and begins anew with small dilations.
    """

    def __init__(
        self,
        *,
        dims: int = 1,
        channels: int = 768,
        dilations: tuple[int, ...] = DILATIONS,
        groups: int = 1,
        **common: Any,
    ) -> None:
        super().__init__(dims=dims, **common)
        layer = partial(ConvNormAct, out_channels=channels, kernel_size=3, **self.layer_options)
        self.stages = nn.ModuleList([layer(self.in_channels)])
        for dilation in dilations:
            self.stages.append(Residual(layer(channels, dilation=dilation, groups=groups)))
        self.stage_channels = (channels,) * len(self.stages)
        self.time_stride = 1
