"""Convolutions that cost less than a full one, by what they leave out.

Grouped convolutions, where each group of channels reads a group of its own, are `conv(..., groups=...)`;
here are their extreme, the depthwise, and with it the separable ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, only_dims, per_axis
from audiocnn.blocks.conv import ConvNormAct, PaddedConv2d, conv
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.padding import Padding, pad_sides


def pointwise(
    in_channels: int, out_channels: int, *, dims: int, stride: Size = 1, groups: int = 1, bias: bool = True
) -> nn.Conv1d | nn.Conv2d:
    """A convolution that mixes channels at each position by itself (1x1).

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / stride)).
    Raises: ValueError as `conv`.
    """
    return conv(in_channels, out_channels, 1, dims=dims, stride=stride, groups=groups, bias=bias)


def depthwise(
    channels: int,
    kernel_size: Size,
    *,
    dims: int,
    multiplier: int = 1,
    stride: Size = 1,
    padding: Padding = "same",
    dilation: Size = 1,
    bias: bool = True,
) -> nn.Conv1d | nn.Conv2d:
    """A convolution that mixes positions of each channel by itself.

    Shape: (batch, channels, ..., frames) -> (batch, channels * multiplier, ..., as `conv`).
    Raises: ValueError as `conv`.

    Args:
        multiplier: kernels for each channel.
    """
    return conv(
        channels,
        channels * multiplier,
        kernel_size,
        dims=dims,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=channels,
        bias=bias,
    )


class DepthwiseSeparable(nn.Sequential):
    """A depthwise and a pointwise convolution, each with its norm and activation.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., as `conv`).
    Raises: ValueError as `ConvNormAct`.
    Source: Howard et al., "MobileNets", 2017, figure 3.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        *,
        dims: int,
        stride: Size = 1,
        padding: Padding = "same",
        dilation: Size = 1,
        norm: Norm = "batch",
        act: str = "relu",
    ) -> None:
        super().__init__(
            ConvNormAct(
                in_channels,
                in_channels,
                kernel_size,
                dims=dims,
                stride=stride,
                padding=padding,
                dilation=dilation,
                groups=in_channels,
                norm=norm,
                act=act,
            ),
            ConvNormAct(in_channels, out_channels, 1, dims=dims, norm=norm, act=act),
        )


class SpatiallySeparable(nn.Sequential):
    """A convolution over bins and then one over frames, with `rank` maps between them.

    For each position it multiplies rank * k * (in_channels + out_channels) times with a kernel of k x k; a
    full convolution in_channels * out_channels * k * k times.
    Shape: (batch, in_channels, bins, frames) -> (batch, out_channels, ..., as `conv`).
    Raises: ValueError as `conv`, when dims is not 2 (a 1-D kernel has no parts) or rank is below 1.
    Source: Jaderberg, Vedaldi, Zisserman, "Speeding up convolutional neural networks with low rank
    expansions", 2014, scheme 2.

    Args:
        rank: maps between the convolutions, for each group; of one channel the rank of the kernel's matrix.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        rank: int,
        dims: int = 2,
        stride: Size = 1,
        padding: Padding = "same",
        padding_mode: str = "zeros",
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        only_dims(dims, 2, "a kernel over time alone has nothing to separate")
        if rank < 1:
            raise ValueError(f"rank is {rank}, expected at least 1")
        kernel, steps = per_axis(kernel_size, 2, "kernel_size"), per_axis(dilation, 2, "dilation")
        strides, sides = per_axis(stride, 2, "stride"), pad_sides(padding, kernel, steps)
        super().__init__(
            conv(
                in_channels,
                rank * groups,
                (kernel[0], 1),
                dims=2,
                stride=(strides[0], 1),
                padding=(sides[0], 0),
                padding_mode=padding_mode,
                dilation=(steps[0], 1),
                groups=groups,
                bias=False,
            ),
            conv(
                rank * groups,
                out_channels,
                (1, kernel[1]),
                dims=2,
                stride=(1, strides[1]),
                padding=(0, sides[1]),
                padding_mode=padding_mode,
                dilation=(1, steps[1]),
                groups=groups,
                bias=bias,
            ),
        )


def factorise(module: nn.Conv2d, rank: int) -> tuple[SpatiallySeparable, float]:
    """The separable convolution nearest to a trained one, and what is wrong with it: |difference| / |kernel|.

    The norm is the root of the sum of squares. The error is 0 (but for rounding) from the kernel's rank on:
    at most the smaller of in_channels * bins and out_channels * frames of a group.
    Raises: ValueError when the module is no 2-D convolution, or the rank is not from 1 to that.
    Source: as `SpatiallySeparable`; the nearest by Eckart and Young, 1936: the largest singular values.
    """
    if not isinstance(module, nn.Conv2d):
        raise ValueError(f"module is a {type(module).__name__}, expected a Conv2d")
    matrix = _matrix(module.weight.detach(), module.groups)
    most = min(matrix.shape[1:])
    if not 1 <= rank <= most:
        raise ValueError(
            f"rank is {rank}, expected from 1 to {most} for a kernel of {tuple(module.weight.shape)}"
        )
    padded = isinstance(module, PaddedConv2d)
    separable = SpatiallySeparable(
        module.in_channels,
        module.out_channels,
        (module.kernel_size[0], module.kernel_size[1]),
        rank=rank,
        stride=(module.stride[0], module.stride[1]),
        padding=module.sides if padded else module.padding,
        padding_mode=module.mode if padded else module.padding_mode,
        dilation=(module.dilation[0], module.dilation[1]),
        groups=module.groups,
        bias=module.bias is not None,
    ).to(module.weight)
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    scale = values[:, :rank].sqrt()
    over_bins, over_frames, *biases = separable.parameters()
    with torch.no_grad():
        # (groups, channels * bins, rank) -> (groups * rank, channels, bins, 1)
        columns = left[:, :, :rank] * scale[:, None]
        over_bins.copy_(columns.transpose(1, 2).reshape(over_bins.shape))
        # (groups, rank, channels * frames) -> (groups * channels, rank, 1, frames)
        rows = (right[:, :rank] * scale[:, :, None]).unflatten(2, (-1, module.kernel_size[1]))
        over_frames.copy_(rows.transpose(1, 2).reshape(over_frames.shape))
        if module.bias is not None:
            biases[0].copy_(module.bias)
    whole = values.norm().item()
    return separable, values[:, rank:].norm().item() / whole if whole else 0.0


def _matrix(weight: Tensor, groups: int) -> Tensor:
    """The kernel of each group as (in_channels * bins, out_channels * frames)."""
    return weight.unflatten(0, (groups, -1)).permute(0, 2, 3, 1, 4).flatten(3).flatten(1, 2)
