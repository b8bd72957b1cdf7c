"""Densely connected blocks: every layer reads all feature maps before it."""

from __future__ import annotations

from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.conv import LayerOptions, NormActConv


class DenseLayer(nn.Module):
    """The input with `growth` new channels after its own, from a 1x1 and a 3x3 convolution.

    Args:
        in_channels: channels of the input.
        growth: new channels.
        bottleneck: channels between the two convolutions for each of the growth.
        drop: dropout probability of the new values.
        options: as `LayerOptions`.

    Raises:
        ValueError: as `NormActConv`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, in_channels + growth, ..., frames).

    Source:
        Huang et al., "Densely connected convolutional networks", 2017, section 3: DenseNet-B.
    """

    def __init__(
        self,
        in_channels: int,
        growth: int,
        *,
        bottleneck: int = 4,
        drop: float = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        width = bottleneck * growth
        self.new = nn.Sequential(
            NormActConv(in_channels, width, 1, **options), NormActConv(width, growth, 3, **options)
        )
        if drop:
            self.new.append(nn.Dropout(drop))

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions"]:
        return torch.cat([x, self.new(x)], dim=1)


class DenseBlock(nn.Sequential):
    """Dense layers one after the other.

    Args:
        in_channels: channels of the input.
        growth: channels that each layer adds.
        n_layers: number of layers.
        bottleneck: as `DenseLayer`.
        drop: as `DenseLayer`.
        options: as `LayerOptions`.

    Attributes:
        out_channels: channels of the output.

    Raises:
        ValueError: as `NormActConv`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, in_channels + n_layers * growth, ..., frames).

    Source:
        As `DenseLayer`.
    """

    def __init__(
        self,
        in_channels: int,
        growth: int,
        n_layers: int,
        *,
        bottleneck: int = 4,
        drop: float = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        widths = [in_channels + i * growth for i in range(n_layers)]
        super().__init__(
            *(DenseLayer(width, growth, bottleneck=bottleneck, drop=drop, **options) for width in widths)
        )
        self.out_channels = in_channels + n_layers * growth


class DenseTransition(nn.Sequential):
    """Fewer channels and positions between dense blocks: norm, activation, 1x1 convolution, pooling.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        pool: the pooling.
        options: as `LayerOptions`.

    Raises:
        ValueError: as `NormActConv`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames'), as many as `pool` leaves.

    Source:
        As `DenseLayer`, which halves the channels (DenseNet-C) and pools by the average of 2x2 positions.
    """

    def __init__(
        self, in_channels: int, out_channels: int, pool: nn.Module, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(NormActConv(in_channels, out_channels, 1, **options), pool)
