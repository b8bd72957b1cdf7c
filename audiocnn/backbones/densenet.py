"""Densely connected networks."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import PretrainedWeights, to_channels_last
from audiocnn.backbones.plain import OVER_EDGE, MinSizeBackbone
from audiocnn.blocks.arguments import choose
from audiocnn.blocks.conv import ConvNormAct, norm_act
from audiocnn.blocks.dense import DenseBlock, DenseTransition
from audiocnn.blocks.pool import create_pool

MEMBERS: dict[str, dict[str, Any]] = {
    "densenet121": {"depths": (6, 12, 24, 16)},
    "densenet169": {"depths": (6, 12, 32, 32)},
    "densenet201": {"depths": (6, 12, 48, 32)},
    "densenet_small": {"depths": (3, 6, 8, 6), "growth": 12},
}
FILES = {
    "densenet121": "densenet121-a639ec97.pth",
    "densenet169": "densenet169-b2777c0a.pth",
    "densenet201": "densenet201-c1103571.pth",
}
WEIGHTS = {name: PretrainedWeights(file, {"padding": "published"}) for name, file in FILES.items()}


@register(MEMBERS, WEIGHTS)
class DenseNet(MinSizeBackbone):
    """A strided stem, then dense blocks; transitions between them halve positions and channels.

    Args:
        depths: layers in each dense block.
        growth: channels that each layer adds.
        stem_channels: twice the growth when None.
        bottleneck: channels between a layer's two convolutions for each of the growth.
        padding: "same", where a transition keeps a last odd position, or "published", where it drops that;
            inputs below 2^(1 + len(depths)) are then padded with zeros.
        pool: of the stem.
        transition_pool: of the transitions.
        drop: dropout probability of a layer's new values.
        common: dims, in_channels, norm and act, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, stage_channels[-1], ..., ceil(frames / 2^(1 +
        len(depths)))), where padding is "published" ceil(frames / 4) halved and rounded down after that.

    Source:
        Huang et al., "Densely connected convolutional networks", 2017, table 1: DenseNet-BC.

    Differs:
        With padding "same" transitions pool a last position that stands alone, too; with "published" the
        network is torchvision's in every size.
    """

    def __init__(
        self,
        *,
        depths: tuple[int, ...] = (6, 12, 24, 16),
        growth: int = 32,
        stem_channels: int | None = None,
        bottleneck: int = 4,
        padding: str = "same",
        pool: str = "max",
        transition_pool: str = "average",
        drop: float = 0.0,
        **common: Any,
    ) -> None:
        over_edge = choose(OVER_EDGE, padding, "padding")
        super().__init__(min_size=1 if over_edge else 2 ** (1 + len(depths)), **common)
        options = self.layer_options
        channels = 2 * growth if stem_channels is None else stem_channels
        stem = ConvNormAct(self.in_channels, channels, 7, stride=2, **options)
        stages = [nn.Sequential(stem, create_pool(pool, 3, dims=self.dims, stride=2, padding=1))]
        stage_channels = [channels]
        for i, depth in enumerate(depths):
            stages.append(nn.Sequential())
            if i:
                halving = create_pool(transition_pool, 2, dims=self.dims, ceil_mode=over_edge)
                stages[-1].append(DenseTransition(channels, channels // 2, halving, **options))
                channels //= 2
            block = DenseBlock(channels, growth, depth, bottleneck=bottleneck, drop=drop, **options)
            stages[-1].append(block)
            channels = block.out_channels
            stage_channels.append(channels)
        stages[-1].extend(norm_act(channels, **options))  # the layers begin with a norm, and end without
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(stage_channels)
        self.time_stride = 2 ** (1 + len(depths))
        to_channels_last(self)
