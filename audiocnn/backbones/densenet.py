"""Densely connected networks."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone, PretrainedWeights, channels_last
from audiocnn.blocks.conv import ConvNormAct, norm_act
from audiocnn.blocks.dense import DenseBlock, DenseTransition
from audiocnn.blocks.pool import pool as pool_layer

MEMBERS: dict[str, dict[str, Any]] = {
    "densenet121": {"depths": (6, 12, 24, 16)},
    "densenet169": {"depths": (6, 12, 32, 32)},
    "densenet201": {"depths": (6, 12, 48, 32)},
    "densenet_small": {"depths": (3, 6, 8, 6), "growth": 12},
}
WEIGHTS = {
    "densenet121": PretrainedWeights("densenet121-a639ec97.pth"),
    "densenet169": PretrainedWeights("densenet169-b2777c0a.pth"),
    "densenet201": PretrainedWeights("densenet201-c1103571.pth"),
}


@register(MEMBERS, WEIGHTS)
class DenseNet(Backbone):
    """A strided stem, then dense blocks with transitions between them, each of which halves map and channels.

    Shape: (batch, in_channels, ..., frames) -> (batch, stage_channels[-1], ..., ceil(frames / 2^(1 +
    len(depths)))).
    Source: Huang et al., "Densely connected convolutional networks", 2017, table 1: DenseNet-BC. Differs:
    transitions pool a last cell that stands alone, too.

    Args:
        depths: layers in each dense block.
        growth: channels that each layer adds.
        stem_channels: twice the growth when None.
        bottleneck: channels within a layer for each of the growth.
        pool: of the stem.
        transition_pool: of the transitions.
        drop: probability that a value which a layer adds is missing in training.
    """

    def __init__(
        self,
        *,
        dims: int = 2,
        in_channels: int = 1,
        depths: tuple[int, ...] = (6, 12, 24, 16),
        growth: int = 32,
        stem_channels: int | None = None,
        bottleneck: int = 4,
        norm: str = "batch",
        act: str = "relu",
        pool: str = "max",
        transition_pool: str = "average",
        drop: float = 0.0,
    ) -> None:
        super().__init__(dims, in_channels)
        common: dict[str, Any] = {"dims": dims, "norm": norm, "act": act}
        channels = 2 * growth if stem_channels is None else stem_channels
        stem = ConvNormAct(in_channels, channels, 7, stride=2, **common)
        stages = [nn.Sequential(stem, pool_layer(pool, 3, dims=dims, stride=2, padding=1))]
        stage_channels = [channels]
        for i, depth in enumerate(depths):
            stages.append(nn.Sequential())
            if i:
                halving = pool_layer(transition_pool, 2, dims=dims, ceil_mode=True)
                stages[-1].append(DenseTransition(channels, channels // 2, halving, **common))
                channels //= 2
            block = DenseBlock(channels, growth, depth, bottleneck=bottleneck, drop=drop, **common)
            stages[-1].append(block)
            channels = block.out_channels
            stage_channels.append(channels)
        stages[-1].extend(norm_act(channels, **common))  # the layers begin with a norm, and end without
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(stage_channels)
        self.time_stride = 2 ** (1 + len(depths))
        channels_last(self)
