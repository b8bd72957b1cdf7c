"""Small networks in the place of single convolutions: NiN's in depth, Inception's side by side."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.padding import Padding
from audiocnn.blocks.pool import pool as pool_layer


class MlpConv(nn.Sequential):
    """A convolution and after it 1x1 convolutions: a perceptron with hidden layers that slides over the map.

    Shape: (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., as `conv`).
    Raises: ValueError as `ConvNormAct`, and without widths.
    Source: Lin, Chen, Yan, "Network in network", 2014, section 3.1.

    Args:
        widths: channels of each of its convolutions.

    Attributes:
        out_channels: of its map.
    """

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, ...],
        kernel_size: Size,
        *,
        dims: int,
        stride: Size = 1,
        padding: Padding = "same",
        norm: Norm = "none",
        act: str = "relu",
    ) -> None:
        if not widths:
            raise ValueError(f"widths is {widths}, expected the channels of one convolution or more")
        first = ConvNormAct(
            in_channels, widths[0], kernel_size, dims=dims, stride=stride, padding=padding, norm=norm, act=act
        )
        super().__init__(
            first,
            *(
                ConvNormAct(before, after, 1, dims=dims, norm=norm, act=act)
                for before, after in pairwise(widths)
            ),
        )
        self.out_channels = widths[-1]


class Inception(nn.Module):
    """Four looks at a map, side by side as channels: 1x1, 3x3 and 5x5 convolutions, and pooling.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames).
    Raises: ValueError as `ConvNormAct`.
    Source: Szegedy et al., "Going deeper with convolutions", 2015, figure 2 (b). Differs: each convolution
    has a norm, as in torchvision, unless norm is none.

    Args:
        direct: channels of the 1x1 convolution ("#1x1" in the paper's table 1).
        medium: channels before and of the 3x3 convolution ("#3x3 reduce", "#3x3").
        large: channels before and of the 5x5 convolution ("#5x5 reduce", "#5x5").
        pooled: channels of the 1x1 convolution after the pooling ("pool proj").
        large_kernel: instead of 5; torchvision's weights have 3.
        pool: keeps the size of the map; by default the maximum over 3 in each axis.

    Attributes:
        out_channels: of its map.
    """

    def __init__(
        self,
        in_channels: int,
        direct: int,
        medium: tuple[int, int],
        large: tuple[int, int],
        pooled: int,
        *,
        dims: int,
        large_kernel: Size = 5,
        pool: nn.Module | None = None,
        norm: Norm = "batch",
        act: str = "relu",
    ) -> None:
        super().__init__()

        def layer(channels: int, width: int, kernel_size: Size) -> ConvNormAct:
            return ConvNormAct(channels, width, kernel_size, dims=dims, norm=norm, act=act)

        pool = pool or pool_layer("max", 3, dims=dims, stride=1, padding=1)
        self.branches = nn.ModuleList(
            [
                layer(in_channels, direct, 1),
                nn.Sequential(layer(in_channels, medium[0], 1), layer(*medium, 3)),
                nn.Sequential(layer(in_channels, large[0], 1), layer(*large, large_kernel)),
                nn.Sequential(pool, layer(in_channels, pooled, 1)),
            ]
        )
        self.out_channels = direct + medium[1] + large[1] + pooled

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)
