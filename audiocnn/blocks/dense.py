"""Densely connected blocks: every layer reads all maps before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audiocnn.blocks.conv import NormActConv
from audiocnn.blocks.norm import Norm


class DenseLayer(nn.Module):
    """The map with `growth` new channels after its own: what a 1x1 and a 3x3 convolution make of it.

    Shape: (batch, in_channels, ..., frames) -> (batch, in_channels + growth, ..., frames).
    Source: Huang et al., "Densely connected convolutional networks", 2017, section 3: DenseNet-B.

    Args:
        bottleneck: channels between the two convolutions for each of the growth.
        drop: probability that a new value is missing in training.
    """

    def __init__(
        self,
        in_channels: int,
        growth: int,
        *,
        dims: int,
        bottleneck: int = 4,
        norm: Norm = "batch",
        act: str = "relu",
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        width = bottleneck * growth
        self.new = nn.Sequential(
            NormActConv(in_channels, width, 1, dims=dims, norm=norm, act=act),
            NormActConv(width, growth, 3, dims=dims, norm=norm, act=act),
        )
        if drop:
            self.new.append(nn.Dropout(drop))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.new(x)], dim=1)


class DenseBlock(nn.Sequential):
    """Dense layers one after the other.

    Shape: (batch, in_channels, ..., frames) -> (batch, in_channels + n_layers * growth, ..., frames).
    Source: as `DenseLayer`.

    Attributes:
        out_channels: of its map.
    """

    def __init__(
        self,
        in_channels: int,
        growth: int,
        n_layers: int,
        *,
        dims: int,
        bottleneck: int = 4,
        norm: Norm = "batch",
        act: str = "relu",
        drop: float = 0.0,
    ) -> None:
        super().__init__(
            *(
                DenseLayer(
                    in_channels + i * growth,
                    growth,
                    dims=dims,
                    bottleneck=bottleneck,
                    norm=norm,
                    act=act,
                    drop=drop,
                )
                for i in range(n_layers)
            )
        )
        self.out_channels = in_channels + n_layers * growth


class DenseTransition(nn.Sequential):
    """Fewer channels and a smaller map between dense blocks: norm, activation, 1x1 convolution, pooling.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., what `pool` leaves of frames).
    Source: as `DenseLayer`, which halves the channels (DenseNet-C) and takes the average of 2x2 cells.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        pool: nn.Module,
        *,
        dims: int,
        norm: Norm = "batch",
        act: str = "relu",
    ) -> None:
        super().__init__(NormActConv(in_channels, out_channels, 1, dims=dims, norm=norm, act=act), pool)
