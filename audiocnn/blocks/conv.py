"""Convolutions, written once for 1-D and 2-D.

Conventions: maps are (batch, channels, frames) or (batch, channels, bins, frames); sizes are a number for all
axes or one for each; padding as `padding.py` says.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.act import act as act_layer
from audiocnn.blocks.arguments import Size, choose, per_axis
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.norm import norm as norm_layer
from audiocnn.blocks.padding import (
    PADDING_MODES,
    Padding,
    Sides,
    check_sizes,
    least_sizes,
    pad,
    pad_sides,
    uneven,
)


class _Padded:
    """What torch's convolutions lack: sides that are padded by themselves, and a word on too small a map.

    Attributes:
        sides: (before, after) of each axis; where they differ, torch's `padding` is 0.
        least: smallest size of each axis.
        mode: of PADDING_MODES.
    """

    sides: Sides
    least: tuple[int, ...]
    mode: str

    def forward(self, input: Tensor) -> Tensor:
        check_sizes(tuple(input.shape[-len(self.least) :]), self.least)
        if uneven(self.sides):
            input = pad(input, self.sides, self.mode)
        return super().forward(input)  # pyright: ignore[reportAttributeAccessIssue]


class PaddedConv1d(_Padded, nn.Conv1d):
    """A Conv1d that pads its sides differently, or tells of too few frames."""


class PaddedConv2d(_Padded, nn.Conv2d):
    """A Conv2d that pads its sides differently, or tells of too few bins or frames."""


CONVOLVE = {1: functional.conv1d, 2: functional.conv2d}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
PADDED_CONVOLUTIONS = {1: PaddedConv1d, 2: PaddedConv2d}
TRANSPOSED_CONVOLUTIONS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}


def conv(
    in_channels: int,
    out_channels: int,
    kernel_size: Size,
    *,
    dims: int,
    stride: Size = 1,
    padding: Padding = "same",
    padding_mode: str = "zeros",
    dilation: Size = 1,
    groups: int = 1,
    bias: bool = True,
) -> nn.Conv1d | nn.Conv2d:
    """A convolution: torch's own where it pads so and takes maps of any size, else a subclass of it.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., (before + frames + after - 1 -
    dilation * (kernel_size - 1)) // stride + 1), in bins alike.
    Raises: ValueError when groups do not divide the channels, a kernel of even size has padding `same`, or a
    name or size is none; in the forward pass when the map is smaller than the kernel or cannot be padded so.

    Args:
        padding_mode: what stands beside the map: zeros, replicate (its edge), reflect (without its edge) or
            circular.
    """
    kernel, steps = per_axis(kernel_size, dims, "kernel_size"), per_axis(dilation, dims, "dilation")
    sides = pad_sides(padding, kernel, steps)
    choose(PADDING_MODES, padding_mode, "padding_mode")
    least = least_sizes(sides, kernel, steps, padding_mode)
    classes = PADDED_CONVOLUTIONS if uneven(sides) or max(least) > 1 else CONVOLUTIONS
    module = classes[dims](
        in_channels,
        out_channels,
        kernel,
        stride=per_axis(stride, dims, "stride"),
        padding=0 if uneven(sides) else tuple(before for before, _ in sides),
        padding_mode="zeros" if uneven(sides) else padding_mode,
        dilation=steps,
        groups=_divisor(groups, in_channels, out_channels),
        bias=bias,
    )
    if isinstance(module, PaddedConv1d | PaddedConv2d):
        module.sides, module.least, module.mode = sides, least, padding_mode
    return module


def conv_transpose(
    in_channels: int,
    out_channels: int,
    kernel_size: Size,
    *,
    dims: int,
    stride: Size = 1,
    padding: Padding = "same",
    output_padding: Size | None = None,
    dilation: Size = 1,
    groups: int = 1,
    bias: bool = True,
) -> nn.ConvTranspose1d | nn.ConvTranspose2d:
    """The transpose of the convolution with these arguments; with `same` a map grows to size * stride.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., (frames - 1) * stride + 1 +
    dilation * (kernel_size - 1) - 2 * padding + output_padding), in bins alike.
    Raises: ValueError as `conv`, and when the padding before and after differs: torch has no such transpose.

    Args:
        output_padding: positions added at the end; by default stride - 1 with padding `same`, else 0.
    """
    kernel, steps = per_axis(kernel_size, dims, "kernel_size"), per_axis(dilation, dims, "dilation")
    strides = per_axis(stride, dims, "stride")
    sides = pad_sides(padding, kernel, steps)
    if uneven(sides):
        raise ValueError(f"padding is {padding!r}, expected the same before and after for a transpose")
    if output_padding is None:
        added = tuple(step - 1 if padding == "same" else 0 for step in strides)
    else:
        added = per_axis(output_padding, dims, "output_padding", least=0)
    return TRANSPOSED_CONVOLUTIONS[dims](
        in_channels,
        out_channels,
        kernel,
        stride=strides,
        padding=tuple(before for before, _ in sides),
        output_padding=added,
        dilation=steps,
        groups=_divisor(groups, in_channels, out_channels),
        bias=bias,
    )


def _divisor(groups: int, in_channels: int, out_channels: int) -> int:
    if groups < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"groups is {groups}, expected a divisor of in_channels ({in_channels}) and out_channels"
            f" ({out_channels})"
        )
    return groups


def im2col(
    x: Tensor, kernel_size: Size, *, stride: Size = 1, padding: Padding = "same", dilation: Size = 1
) -> Tensor:
    """What a kernel sees, a column for each of its positions; zeros beside the map.

    Shape: (batch, channels, ..., frames) -> (batch, channels * cells of the kernel, *positions).
    Raises: ValueError as `conv`.
    """
    dims = x.ndim - 2
    kernel, steps = per_axis(kernel_size, dims, "kernel_size"), per_axis(dilation, dims, "dilation")
    sides = pad_sides(padding, kernel, steps)
    check_sizes(tuple(x.shape[2:]), least_sizes(sides, kernel, steps))
    patches = pad(x, sides)
    strides = per_axis(stride, dims, "stride")
    for axis, (size, step, hop) in enumerate(zip(kernel, steps, strides, strict=True), start=2):
        patches = patches.unfold(axis, step * (size - 1) + 1, hop)[..., ::step]
    # (batch, channels, *positions, *kernel) -> (batch, channels, *kernel, *positions)
    cells_first = patches.movedim(tuple(range(-dims, 0)), tuple(range(2, 2 + dims)))
    return cells_first.flatten(1, 1 + dims)


def conv_as_matmul(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Padding = "same",
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """A convolution as a multiplication of two matrices, the weights' and im2col's.

    Shape: (batch, in_channels, ..., frames) and (out_channels, in_channels / groups, *kernel_size) ->
    (batch, out_channels, ..., frames).
    Raises: ValueError as `conv`.
    """
    _divisor(groups, x.shape[1], weight.shape[0])
    columns = im2col(x, tuple(weight.shape[2:]), stride=stride, padding=padding, dilation=dilation)
    matrix = columns.flatten(2).unflatten(1, (groups, -1))
    rows = weight.unflatten(0, (groups, -1)).flatten(2)
    y = torch.matmul(rows, matrix).flatten(1, 2).unflatten(2, columns.shape[2:])
    return y if bias is None else y + bias.reshape(-1, *[1] * (x.ndim - 2))


class ConvNormAct(nn.Sequential):
    """A convolution, a normalisation and an activation, in this order.

    Shape: as `conv`.
    Raises: ValueError as `conv`, `norm` and `act`.

    Args:
        bias: of the convolution; by default only where no norm follows, which would take it away again.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        dims: int,
        stride: Size = 1,
        padding: Padding = "same",
        padding_mode: str = "zeros",
        dilation: Size = 1,
        groups: int = 1,
        bias: bool | None = None,
        norm: Norm = "batch",
        act: str = "relu",
    ) -> None:
        super().__init__(
            conv(
                in_channels,
                out_channels,
                kernel_size,
                dims=dims,
                stride=stride,
                padding=padding,
                padding_mode=padding_mode,
                dilation=dilation,
                groups=groups,
                bias=norm == "none" if bias is None else bias,
            ),
            norm_layer(norm, out_channels, dims=dims),
            act_layer(act),
        )


class NormActConv(nn.Sequential):
    """A normalisation, an activation and a convolution, in this order: without bias, as norms follow.

    Shape: as `conv`.
    Raises: ValueError as `conv`, `norm` and `act`.
    Source: He et al., "Identity mappings in deep residual networks", 2016.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        dims: int,
        stride: Size = 1,
        dilation: Size = 1,
        norm: Norm = "batch",
        act: str = "relu",
    ) -> None:
        super().__init__(
            *norm_act(in_channels, dims=dims, norm=norm, act=act),
            conv(
                in_channels,
                out_channels,
                kernel_size,
                dims=dims,
                stride=stride,
                dilation=dilation,
                bias=norm == "none",
            ),
        )


def norm_act(channels: int, *, dims: int, norm: Norm, act: str) -> tuple[nn.Module, nn.Module]:
    """A normalisation and an activation, which leave the map that they are given as it is."""
    normalise = norm_layer(norm, channels, dims=dims)
    return normalise, act_layer(act, inplace=not isinstance(normalise, nn.Identity))


class Residual(nn.Module):
    """The input plus what `branch` makes of it: the identity where the branch gives 0."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)
