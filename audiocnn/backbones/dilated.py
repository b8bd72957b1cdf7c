"""DilatedNet: context from dilated convolutions, at full time resolution."""

from __future__ import annotations

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.blocks.conv import ConvNormAct, Residual

DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)


@register({"dilated": {}})
class DilatedNet(Backbone):
    """A convolution over three positions, then residual ones whose dilations double.

    Args:
        in_channels: channels of the input.
        dims: 1 or 2, the axes after channels.
        channels: of every feature map.
        dilations: of each residual convolution, along every axis.
        groups: of the residual convolutions.
        norm: of convolutions, as `create_norm`.
        act: activation of convolutions, as `create_act`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, channels, ..., frames).

    Source:
        Yu and Koltun, "Multi-scale context aggregation by dilated convolutions", 2016.

    Differs:
        It has norms and shortcuts, and begins anew with small dilations.
    """

    def __init__(
        self,
        in_channels: int = 1,
        *,
        dims: int = 1,
        channels: int = 768,
        dilations: tuple[int, ...] = DILATIONS,
        groups: int = 1,
        norm: str = "batch",
        act: str = "relu",
    ) -> None:
        super().__init__(dims, in_channels)
        stem = ConvNormAct(in_channels, channels, 3, dims=dims, norm=norm, act=act)
        self.stages = nn.ModuleList([stem])
        for dilation in dilations:
            convolution = ConvNormAct(
                channels, channels, 3, dims=dims, dilation=dilation, groups=groups, norm=norm, act=act
            )
            self.stages.append(Residual(convolution))
        self.stage_channels = (channels,) * len(self.stages)
        self.time_stride = 1
