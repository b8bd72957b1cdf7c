"""Small networks in the place of single convolutions: NiN's in depth, Inception's side by side."""

from __future__ import annotations

from itertools import pairwise
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size
from audiocnn.blocks.conv import ConvNormAct, LayerOptions, WindowOptions
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.pool import create_pool


class MlpConv(nn.Sequential):
    """A convolution and 1x1 convolutions after it: a perceptron that slides over the input.

    Args:
        in_channels: channels of the input.
        widths: output channels of each convolution.
        kernel_size: positions of the first convolution's kernel.
        dims: 1 or 2, the axes after channels.
        norm: as `create_norm`.
        act: as `create_act`.
        options: as `WindowOptions`, of the first convolution.

    Attributes:
        out_channels: channels of the output.

    Raises:
        ValueError: as `ConvNormAct`, and without widths.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, widths[-1], ..., frames'), as `conv`.

    Source:
        Lin, Chen, Yan, "Network in network", 2014, section 3.1.
    """

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, ...],
        kernel_size: Size,
        *,
        dims: int,
        norm: Norm = "none",
        act: str = "relu",
        **options: Unpack[WindowOptions],
    ) -> None:
        if not widths:
            raise ValueError(f"widths is {widths}, expected the channels of one convolution or more")
        layer: LayerOptions = {"dims": dims, "norm": norm, "act": act}
        super().__init__(
            ConvNormAct(in_channels, widths[0], kernel_size, **layer, **options),
            *(ConvNormAct(before, after, 1, **layer) for before, after in pairwise(widths)),
        )
        self.out_channels = widths[-1]


class Inception(nn.Module):
    """Four branches side by side as channels: 1x1, 3x3 and 5x5 convolutions, and pooling.

    Args:
        in_channels: channels of the input.
        direct: channels of the 1x1 convolution ("#1x1" in the paper's table 1).
        medium: channels before and of the 3x3 convolution ("#3x3 reduce", "#3x3").
        large: channels before and of the 5x5 convolution ("#5x5 reduce", "#5x5").
        pooled: channels of the 1x1 convolution after the pooling ("pool proj").
        large_kernel: instead of 5; torchvision's weights have 3.
        pool: keeps the size of the input; the maximum over 3 positions in each axis when None.
        options: as `LayerOptions`.

    Attributes:
        out_channels: channels of the output.

    Raises:
        ValueError: as `ConvNormAct`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames).

    Source:
        Szegedy et al., "Going deeper with convolutions", 2015, figure 2 (b).

    Differs:
        Each convolution has a norm, as in torchvision, unless norm is none.
    """

    def __init__(
        self,
        in_channels: int,
        direct: int,
        medium: tuple[int, int],
        large: tuple[int, int],
        pooled: int,
        *,
        large_kernel: Size = 5,
        pool: nn.Module | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()

        def layer(channels: int, width: int, kernel_size: Size) -> ConvNormAct:
            return ConvNormAct(channels, width, kernel_size, **options)

        pool = pool or create_pool("max", 3, dims=options["dims"], stride=1, padding=1)
        self.branches = nn.ModuleList(
            [
                layer(in_channels, direct, 1),
                nn.Sequential(layer(in_channels, medium[0], 1), layer(*medium, 3)),
                nn.Sequential(layer(in_channels, large[0], 1), layer(*large, large_kernel)),
                nn.Sequential(pool, layer(in_channels, pooled, 1)),
            ]
        )
        self.out_channels = direct + medium[1] + large[1] + pooled

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions"]:
        return torch.cat([branch(x) for branch in self.branches], dim=1)
