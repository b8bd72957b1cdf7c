"""The trunk that networks of inverted bottlenecks share; what they differ in are tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from torch import nn

from audiocnn.backbones.base import channels_last
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.inverted import InvertedBottleneck
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.norm import norm as norm_layer


class Row(NamedTuple):
    """A stage of inverted bottlenecks.

    Attributes:
        expansion: of each block.
        channels: of its map.
        depth: blocks.
        stride: of the first block.
        kernel_size: of the depthwise convolutions.
        squeeze: a block's input channels for each one of its squeeze-and-excitation; 0: without.
    """

    expansion: int
    channels: int
    depth: int
    stride: int
    kernel_size: int = 3
    squeeze: int = 0


def scaled(channels: int, width: float) -> int:
    """The multiple of 8 nearest to channels * width, or the next one where that loses more than a tenth.

    Raises: ValueError when the width is not above 0.
    """
    if width <= 0:
        raise ValueError(f"width is {width}, expected more than 0")
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


def scaled_rows(rows: Iterable[Row], width: float, depth: float = 1.0) -> list[Row]:
    """The rows of a wider or narrower, deeper or shallower network.

    Raises: ValueError when width or depth is not above 0.
    """
    if depth <= 0:
        raise ValueError(f"depth is {depth}, expected more than 0")
    return [
        row._replace(channels=scaled(row.channels, width), depth=math.ceil(row.depth * depth)) for row in rows
    ]


def trunk_stages(
    in_channels: int,
    stem_channels: int,
    rows: Sequence[Row],
    last_channels: int,
    *,
    dims: int,
    norm: Norm,
    act: str,
    drop: float,
) -> tuple[nn.ModuleList, tuple[int, ...], int]:
    """The stages, the channels of their maps, and the stride of all.

    They are a strided stem, one for each row, and a 1x1 convolution.

    Args:
        drop: probability that a block's branch is missing in training, where it would be after the last
            block; that of block i of n is i / n of it, as in EfficientNet's code.
    """
    n_blocks, block = sum(row.depth for row in rows), 0
    stem = ConvNormAct(in_channels, stem_channels, 3, dims=dims, stride=2, norm=norm, act=act)
    stages: list[nn.Sequential] = [stem]
    channels = stem_channels
    for row in rows:
        stages.append(nn.Sequential())
        for i in range(row.depth):
            stages[-1].append(
                InvertedBottleneck(
                    channels,
                    row.channels,
                    row.kernel_size,
                    dims=dims,
                    stride=1 if i else row.stride,
                    expansion=row.expansion,
                    norm=norm,
                    act=act,
                    squeeze_channels=max(1, channels // row.squeeze) if row.squeeze else 0,
                    stochastic_depth=drop * block / n_blocks,
                )
            )
            channels, block = row.channels, block + 1
    stages.append(ConvNormAct(channels, last_channels, 1, dims=dims, norm=norm, act=act))
    stage_channels = (stem_channels, *(row.channels for row in rows), last_channels)
    trunk = nn.ModuleList(stages)
    channels_last(trunk)
    return trunk, stage_channels, 2 * math.prod(row.stride for row in rows)


def norm_with(name: str, eps: float, momentum: float) -> Norm:
    """The norm of this name with these settings; by its name alone where it is none."""
    return name if name == "none" else partial(norm_layer, name, eps=eps, momentum=momentum)
