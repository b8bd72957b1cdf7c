"""Convolution as a matrix product, and the columns that it multiplies."""

from __future__ import annotations

from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor

from audiocnn.blocks.arguments import Size, to_tuple
from audiocnn.blocks.conv import WindowOptions, check_groups
from audiocnn.blocks.padding import Padding, check_sizes, min_sizes, pad, pad_sides


def im2col(
    x: Float[Tensor, "batch channels *positions"],
    kernel_size: Size,
    *,
    stride: Size = 1,
    padding: Padding = "same",
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    dilation: Size = 1,
) -> Float[Tensor, "batch columns *positions_out"]:
    """Gather the values under a kernel, a column for each of its positions.

    Args:
        x: feature map.
        kernel_size: positions of the kernel.
        stride: as `WindowOptions`.
        padding: as `WindowOptions`.
        padding_mode: as `WindowOptions`.
        padding_value: as `WindowOptions`.
        dilation: as `WindowOptions`.

    Returns:
        The columns.

    Raises:
        ValueError: as `conv`.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels * values of the kernel, ..., frames').
    """
    dims = x.ndim - 2
    kernel, dilations = to_tuple(kernel_size, dims, "kernel_size"), to_tuple(dilation, dims, "dilation")
    sides = pad_sides(padding, kernel, dilations)
    check_sizes(tuple(x.shape[2:]), min_sizes(sides, kernel, dilations, padding_mode))
    patches = pad(x, sides, padding_mode, padding_value)
    strides = to_tuple(stride, dims, "stride")
    for axis, (size, step, hop) in enumerate(zip(kernel, dilations, strides, strict=True), start=2):
        patches = patches.unfold(axis, step * (size - 1) + 1, hop)[..., ::step]
    # (batch, channels, *positions, *kernel) -> (batch, channels, *kernel, *positions)
    kernel_first = patches.movedim(tuple(range(-dims, 0)), tuple(range(2, 2 + dims)))
    return kernel_first.flatten(1, 1 + dims)


def conv_as_matmul(
    x: Float[Tensor, "batch in_channels *positions"],
    weight: Float[Tensor, "out_channels group_channels *kernel"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    groups: int = 1,
    **options: Unpack[WindowOptions],
) -> Float[Tensor, "batch out_channels *positions_out"]:
    """Compute a convolution as the product of two matrices, the weights' and im2col's.

    Args:
        x: feature map.
        weight: kernels.
        bias: of each output channel; none when None.
        groups: as `ConvOptions`.
        options: as `WindowOptions`.

    Returns:
        The feature map that `conv` with these weights computes.

    Raises:
        ValueError: as `conv`.

    Shape:
        x (batch, in_channels, ..., frames), weight (out_channels, in_channels / groups, *kernel_size) ->
        (batch, out_channels, ..., frames').
    """
    check_groups(groups, x.shape[1], weight.shape[0])
    columns = im2col(x, tuple(weight.shape[2:]), **options)
    matrix = columns.flatten(2).unflatten(1, (groups, -1))
    rows = weight.unflatten(0, (groups, -1)).flatten(2)
    y = torch.matmul(rows, matrix).flatten(1, 2).unflatten(2, columns.shape[2:])
    return y if bias is None else y + bias.reshape(-1, *[1] * (x.ndim - 2))
