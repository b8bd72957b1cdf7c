"""Factorised convolutions, which cost less than a full one.

Grouped convolutions, where each group of channels is convolved by itself, are `conv(..., groups=...)`; here
are their extreme, the depthwise, and with it the separable ones.
"""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, only_dims, to_tuple
from audiocnn.blocks.conv import ConvNormAct, LayerOptions, PaddedConv2d, WindowOptions, conv
from audiocnn.blocks.norm import Norm
from audiocnn.blocks.padding import Padding, pad_sides


def pointwise(
    in_channels: int, out_channels: int, *, dims: int, stride: Size = 1, groups: int = 1, bias: bool = True
) -> nn.Conv1d | nn.Conv2d:
    """Create a convolution that mixes the channels of each position (1x1).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        dims: 1 or 2, the axes after channels.
        stride: as `ConvOptions`.
        groups: as `ConvOptions`.
        bias: learn a bias for each output channel.

    Returns:
        The convolution.

    Raises:
        ValueError: as `conv`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / stride)).
    """
    return conv(in_channels, out_channels, 1, dims=dims, stride=stride, groups=groups, bias=bias)


def depthwise(
    channels: int,
    kernel_size: Size,
    *,
    dims: int,
    multiplier: int = 1,
    bias: bool = True,
    **options: Unpack[WindowOptions],
) -> nn.Conv1d | nn.Conv2d:
    """Create a convolution that mixes the positions of each channel.

    Args:
        channels: of the input.
        kernel_size: positions of the kernels.
        dims: 1 or 2, the axes after channels.
        multiplier: kernels for each channel.
        bias: learn a bias for each output channel.
        options: as `WindowOptions`.

    Returns:
        The convolution.

    Raises:
        ValueError: as `conv`.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels * multiplier, ..., frames'), as `conv`.
    """
    return conv(
        channels, channels * multiplier, kernel_size, dims=dims, groups=channels, bias=bias, **options
    )


class DepthwiseSeparable(nn.Sequential):
    """A depthwise and a pointwise convolution, each with its norm and activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of the depthwise kernels.
        dims: 1 or 2, the axes after channels.
        norm: as `create_norm`.
        act: as `create_act`.
        options: as `WindowOptions`, of the depthwise convolution.

    Raises:
        ValueError: as `ConvNormAct`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames'), as `conv`.

    Source:
        Howard et al., "MobileNets", 2017, figure 3.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        *,
        dims: int,
        norm: Norm = "batch",
        act: str = "relu",
        **options: Unpack[WindowOptions],
    ) -> None:
        layer: LayerOptions = {"dims": dims, "norm": norm, "act": act}
        super().__init__(
            ConvNormAct(in_channels, in_channels, kernel_size, groups=in_channels, **layer, **options),
            ConvNormAct(in_channels, out_channels, 1, **layer),
        )


class SpatiallySeparable(nn.Sequential):
    """A convolution over bins and then one over frames, with `rank` feature maps between them.

    For each position it multiplies rank * k * (in_channels + out_channels) times with a kernel of k x k; a
    full convolution in_channels * out_channels * k * k times.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of the kernel.
        rank: feature maps between the convolutions, for each group; of one channel the rank of the kernel's
            matrix.
        dims: 2.
        stride: as `ConvOptions`.
        padding: as `ConvOptions`.
        padding_mode: as `ConvOptions`.
        padding_value: as `ConvOptions`.
        dilation: as `ConvOptions`.
        groups: as `ConvOptions`.
        bias: learn a bias for each output channel.

    Raises:
        ValueError: as `conv`, when dims is not 2 (a 1-D kernel has no parts) or rank is below 1.

    Shape:
        (batch, in_channels, bins, frames) -> (batch, out_channels, bins', frames'), as `conv`.

    Source:
        Jaderberg, Vedaldi, Zisserman, "Speeding up convolutional neural networks with low rank expansions",
        2014, scheme 2.
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
        padding_value: float = 0.0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        only_dims(dims, 2, "a kernel over time alone has nothing to separate")
        if rank < 1:
            raise ValueError(f"rank is {rank}, expected at least 1")
        kernel, steps = to_tuple(kernel_size, 2, "kernel_size"), to_tuple(dilation, 2, "dilation")
        strides, sides = to_tuple(stride, 2, "stride"), pad_sides(padding, kernel, steps)

        shared: Any = {"dims": 2, "groups": groups}
        # The first convolution changes a constant, which has to stand in the frames before it.
        pads_first = padding_value != 0
        over_bins: WindowOptions = {
            "stride": (strides[0], 1),
            "padding": (sides[0], sides[1] if pads_first else 0),
            "padding_mode": padding_mode,
            "padding_value": padding_value,
            "dilation": (steps[0], 1),
        }
        over_frames: WindowOptions = {
            "stride": (1, strides[1]),
            "padding": (0, 0 if pads_first else sides[1]),
            "padding_mode": padding_mode,
            "dilation": (1, steps[1]),
        }
        width = rank * groups
        super().__init__(
            conv(in_channels, width, (kernel[0], 1), bias=False, **over_bins, **shared),
            conv(width, out_channels, (1, kernel[1]), bias=bias, **over_frames, **shared),
        )


def factorise(module: nn.Module, rank: int) -> tuple[SpatiallySeparable, float]:
    """Compute the separable convolution nearest to a trained one, and its relative error.

    The error is |difference| / |kernel|, where the norm is the root of the sum of squares. It is 0 (but for
    rounding) from the kernel's rank on: at most the smaller of in_channels * bins and out_channels * frames
    of a group.

    Args:
        module: the trained convolution.
        rank: of the separable one.

    Returns:
        The separable convolution and the error.

    Raises:
        ValueError: the module is no 2-D convolution, or the rank is not from 1 to that.

    Source:
        As `SpatiallySeparable`; the nearest by Eckart and Young, 1936: the largest singular values.
    """
    if not isinstance(module, nn.Conv2d):
        raise ValueError(f"module is a {type(module).__name__}, expected a Conv2d")
    matrix = _matrix(module.weight.detach(), module.groups)
    max_rank = min(matrix.shape[1:])
    if not 1 <= rank <= max_rank:
        raise ValueError(
            f"rank is {rank}, expected from 1 to {max_rank} for a kernel of {tuple(module.weight.shape)}"
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
        padding_value=module.value if padded else 0.0,
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
    """Reshape the kernel of each group to (in_channels * bins, out_channels * frames)."""
    return weight.unflatten(0, (groups, -1)).permute(0, 2, 3, 1, 4).flatten(3).flatten(1, 2)
