"""The trunk that networks of inverted bottlenecks share; they differ in their tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from audiocnn.backbones.base import Backbone, create_linear_head, to_channels_last
from audiocnn.blocks.arguments import choose
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.inverted import InvertedBottleneck
from audiocnn.blocks.norm import create_norm
from audiocnn.blocks.padding import Padding


class Row(NamedTuple):
    """A stage of inverted bottlenecks.

    Attributes:
        expansion: of each block.
        channels: of its feature map.
        depth: number of blocks.
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


def scale_channels(channels: int, width: float) -> int:
    """Round channels * width to a multiple of 8: the nearest, or the next where that loses more than a tenth.

    Args:
        channels: of the published network.
        width: channels for each of those.

    Returns:
        The number of channels.

    Raises:
        ValueError: the width is not above 0.
    """
    if width <= 0:
        raise ValueError(f"width is {width}, expected more than 0")
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


def scale_rows(rows: Iterable[Row], width: float, depth: float = 1.0) -> list[Row]:
    """Scale a table to a wider or narrower, deeper or shallower network.

    Args:
        rows: of the published network.
        width: channels for each of its channels, as `scale_channels`.
        depth: blocks for each of its blocks, rounded up.

    Returns:
        The rows of the scaled network.

    Raises:
        ValueError: width or depth is not above 0.
    """
    if depth <= 0:
        raise ValueError(f"depth is {depth}, expected more than 0")
    return [
        row._replace(channels=scale_channels(row.channels, width), depth=math.ceil(row.depth * depth))
        for row in rows
    ]


def pad_as_tensorflow(kernel_size: int, stride: int, dims: int) -> Padding:
    """Pad as TensorFlow's "SAME" does where the stride divides the size of the input: less before than after.

    Args:
        kernel_size: odd.
        stride: of the convolution.
        dims: 1 or 2.

    Returns:
        Positions (before, after) of each axis; of all sizes the output has ceil(size / stride) positions.

    Source:
        tf.nn, "Notes on padding", 2020.

    Differs:
        TensorFlow pads a size that the stride does not divide by another number before it.
    """
    before = max(kernel_size - stride, 0) // 2
    return ((before, kernel_size - 1 - before),) * dims


# How strided convolutions are padded: what a network's padding is for (kernel_size, stride, dims).
PADDINGS: dict[str, Callable[[int, int, int], Padding]] = {
    "same": lambda kernel_size, stride, dims: "same",
    "tensorflow": pad_as_tensorflow,
}


class InvertedBackbone(Backbone):
    """A strided stem, a stage for each row of a table, and a 1x1 convolution.

    Args:
        rows: the table.
        stem_channels: channels of the stem's feature map.
        last_channels: channels of the last feature map.
        norm_options: of the norm, as `create_norm`: eps and momentum.
        drop: drop-path rate that a block after the last one would have; that of block i of n is i / n of it,
            as in EfficientNet's code.
        head_drop: dropout probability of the classifier.
        padding: same, as much before as after; or tensorflow, for weights that were trained there, see
            `pad_as_tensorflow`.
        common: dims, in_channels, norm and act, as `Backbone`.

    Raises:
        ValueError: as `InvertedBottleneck`; or there is no such padding.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, last_channels, ..., ceil(frames / time_stride)).
    """

    def __init__(
        self,
        *,
        rows: Sequence[Row],
        stem_channels: int,
        last_channels: int,
        norm_options: Mapping[str, float],
        drop: float = 0.0,
        head_drop: float = 0.2,
        padding: str = "same",
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.head_drop = head_drop
        options = self.layer_options
        if self.norm != "none":
            options["norm"] = partial(create_norm, self.norm, **norm_options)
        pad = choose(PADDINGS, padding, "padding")
        n_blocks, block = sum(row.depth for row in rows), 0
        stem = ConvNormAct(
            self.in_channels, stem_channels, 3, stride=2, padding=pad(3, 2, self.dims), **options
        )
        stages: list[nn.Sequential] = [stem]
        channels = stem_channels
        for row in rows:
            stages.append(nn.Sequential())
            for i in range(row.depth):
                stride = 1 if i else row.stride
                stages[-1].append(
                    InvertedBottleneck(
                        channels,
                        row.channels,
                        row.kernel_size,
                        stride=stride,
                        padding=pad(row.kernel_size, stride, self.dims),
                        expansion=row.expansion,
                        squeeze_channels=max(1, channels // row.squeeze) if row.squeeze else 0,
                        stochastic_depth=drop * block / n_blocks,
                        **options,
                    )
                )
                channels, block = row.channels, block + 1
        stages.append(ConvNormAct(channels, last_channels, 1, **options))
        self.stages = nn.ModuleList(stages)
        self.stage_channels = (stem_channels, *(row.channels for row in rows), last_channels)
        self.time_stride = 2 * math.prod(row.stride for row in rows)
        to_channels_last(self)

    def classifier(self, n_classes: int) -> nn.Module:
        """Create the head that this network was published with: mean, dropout, a linear layer."""
        return create_linear_head(self.out_channels, n_classes, self.head_drop)
