"""Convolutions, written once for 1-D and 2-D.

Feature maps are (batch, channels, frames) or (batch, channels, bins, frames); sizes are a number for all axes
or one for each; padding as `padding.py` says. `WindowOptions` and `ConvOptions` are the arguments that
convolutions share.
"""

from __future__ import annotations

from typing import Required, TypedDict, Unpack

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.act import create_act
from audiocnn.blocks.arguments import Size, to_tuple
from audiocnn.blocks.norm import Norm, create_norm
from audiocnn.blocks.padding import (
    Padding,
    Sides,
    check_mode,
    check_sizes,
    is_asymmetric,
    min_sizes,
    pad,
    pad_sides,
)


class WindowOptions(TypedDict, total=False):
    """Arguments that a block hands on to its convolution, with the defaults of `conv`.

    Attributes:
        stride: positions from one window to the next.
        padding: "same", "valid", "full", "causal", or the positions added to each axis.
        padding_mode: values of the padding: zeros, replicate (the edge), reflect (mirrored without the edge),
            symmetric (mirrored with the edge) or circular.
        padding_value: constant that padding_mode zeros pads by, 0 by default.
        dilation: positions from one value of the kernel to the next.
    """

    stride: Size
    padding: Padding
    padding_mode: str
    padding_value: float
    dilation: Size


class ConvOptions(WindowOptions, total=False):
    """As `WindowOptions`, with groups.

    Attributes:
        groups: of channels, each of which is convolved by itself.
    """

    groups: int


class LayerOptions(TypedDict, total=False):
    """Arguments that a block hands on to each of its layers.

    Attributes:
        dims: 1 or 2, the axes after channels.
        norm: normalisation of each convolution, as `create_norm` knows it; "batch" by default.
        act: activation of each convolution, as `create_act` knows it; "relu" by default.
    """

    dims: Required[int]
    norm: Norm
    act: str


class _Padded:
    """Paddings and checks of the input's size that torch's convolutions lack.

    Attributes:
        sides: (before, after) of each axis.
        min_sizes: smallest size of each axis.
        mode: of PADDING_MODES.
        value: of the padding, in mode zeros.
        pads: whether it pads itself, where torch cannot; torch's `padding` is then 0.
    """

    sides: Sides
    min_sizes: tuple[int, ...]
    mode: str
    value: float
    pads: bool

    def forward(self, input: Tensor) -> Tensor:
        check_sizes(tuple(input.shape[-len(self.min_sizes) :]), self.min_sizes)
        if self.pads:
            input = pad(input, self.sides, self.mode, self.value)
        return super().forward(input)  # pyright: ignore[reportAttributeAccessIssue] (of the class mixed into)


class PaddedConv1d(_Padded, nn.Conv1d):
    """A Conv1d with paddings that torch lacks, which checks its number of frames."""


class PaddedConv2d(_Padded, nn.Conv2d):
    """A Conv2d with paddings that torch lacks, which checks its input's size."""


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
    padding_value: float = 0.0,
    dilation: Size = 1,
    groups: int = 1,
    bias: bool = True,
) -> nn.Conv1d | nn.Conv2d:
    """Create a convolution: torch's own where it pads so and takes inputs of any size, else a subclass of it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of the kernel.
        dims: 1 or 2, the axes after channels.
        stride: as `ConvOptions`.
        padding: as `ConvOptions`.
        padding_mode: as `ConvOptions`.
        padding_value: as `ConvOptions`.
        dilation: as `ConvOptions`.
        groups: as `ConvOptions`.
        bias: learn a bias for each output channel.

    Returns:
        The convolution. Its forward pass raises a ValueError when the input is smaller than the kernel or
        too small for the padding.

    Raises:
        ValueError: groups do not divide the channels, a kernel of even size has padding "same", or a name or
            size is invalid.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., (before + frames + after - 1 -
        dilation * (kernel_size - 1)) // stride + 1), in bins alike.
    """
    kernel, dilations = to_tuple(kernel_size, dims, "kernel_size"), to_tuple(dilation, dims, "dilation")
    sides = pad_sides(padding, kernel, dilations)
    pads = check_mode(padding_mode, padding_value) is None or is_asymmetric(sides) or padding_value != 0
    smallest = min_sizes(sides, kernel, dilations, padding_mode)
    classes = PADDED_CONVOLUTIONS if pads or max(smallest) > 1 else CONVOLUTIONS
    module = classes[dims](
        in_channels,
        out_channels,
        kernel,
        stride=to_tuple(stride, dims, "stride"),
        padding=0 if pads else tuple(before for before, _ in sides),
        padding_mode="zeros" if pads else padding_mode,
        dilation=dilations,
        groups=check_groups(groups, in_channels, out_channels),
        bias=bias,
    )
    if isinstance(module, PaddedConv1d | PaddedConv2d):
        module.sides, module.min_sizes, module.pads = sides, smallest, pads
        module.mode, module.value = padding_mode, padding_value
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
    """Create the transpose of the convolution with these arguments; with "same" the output is size * stride.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of the kernel.
        dims: 1 or 2, the axes after channels.
        stride: as `ConvOptions`.
        padding: as `ConvOptions`, taken off the output.
        output_padding: positions added at the end; stride - 1 with padding "same" and else 0 when None.
        dilation: as `ConvOptions`.
        groups: as `ConvOptions`.
        bias: learn a bias for each output channel.

    Returns:
        The transposed convolution.

    Raises:
        ValueError: as `conv`, and when the padding before and after differs: torch has no such transpose.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., (frames - 1) * stride + 1 + dilation *
        (kernel_size - 1) - 2 * padding + output_padding), in bins alike.
    """
    kernel, dilations = to_tuple(kernel_size, dims, "kernel_size"), to_tuple(dilation, dims, "dilation")
    strides = to_tuple(stride, dims, "stride")
    sides = pad_sides(padding, kernel, dilations)
    if is_asymmetric(sides):
        raise ValueError(f"padding is {padding!r}, expected the same before and after for a transpose")
    if output_padding is None:
        added = tuple(step - 1 if padding == "same" else 0 for step in strides)
    else:
        added = to_tuple(output_padding, dims, "output_padding", minimum=0)
    return TRANSPOSED_CONVOLUTIONS[dims](
        in_channels,
        out_channels,
        kernel,
        stride=strides,
        padding=tuple(before for before, _ in sides),
        output_padding=added,
        dilation=dilations,
        groups=check_groups(groups, in_channels, out_channels),
        bias=bias,
    )


def check_groups(groups: int, in_channels: int, out_channels: int) -> int:
    """Check that groups divide the channels.

    Args:
        groups: as `ConvOptions`.
        in_channels: channels of the input.
        out_channels: channels of the output.

    Returns:
        The groups.

    Raises:
        ValueError: they do not.
    """
    if groups < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"groups is {groups}, expected a divisor of in_channels ({in_channels}) and out_channels"
            f" ({out_channels})"
        )
    return groups


class ConvNormAct(nn.Sequential):
    """A convolution, a normalisation and an activation, in this order.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of the kernel.
        dims: 1 or 2, the axes after channels.
        bias: of the convolution; when None only where no norm follows, which would take it away again.
        norm: as `create_norm`.
        act: as `create_act`.
        options: as `ConvOptions`.

    Raises:
        ValueError: as `conv`, `create_norm` and `create_act`.

    Shape:
        As `conv`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        dims: int,
        bias: bool | None = None,
        norm: Norm = "batch",
        act: str = "relu",
        **options: Unpack[ConvOptions],
    ) -> None:
        bias = norm == "none" if bias is None else bias
        super().__init__(
            conv(in_channels, out_channels, kernel_size, dims=dims, bias=bias, **options),
            create_norm(norm, out_channels, dims=dims),
            create_act(act),
        )


class NormActConv(nn.Sequential):
    """A normalisation, an activation and a convolution, in this order: without bias, as norms follow.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of the kernel.
        dims: 1 or 2, the axes after channels.
        norm: as `create_norm`.
        act: as `create_act`.
        options: as `ConvOptions`.

    Raises:
        ValueError: as `conv`, `create_norm` and `create_act`.

    Shape:
        As `conv`.

    Source:
        He et al., "Identity mappings in deep residual networks", 2016.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        dims: int,
        norm: Norm = "batch",
        act: str = "relu",
        **options: Unpack[ConvOptions],
    ) -> None:
        super().__init__(
            *norm_act(in_channels, dims=dims, norm=norm, act=act),
            conv(in_channels, out_channels, kernel_size, dims=dims, bias=norm == "none", **options),
        )


def norm_act(
    channels: int, *, dims: int, norm: Norm = "batch", act: str = "relu"
) -> tuple[nn.Module, nn.Module]:
    """Create a normalisation and an activation that do not overwrite their input.

    Args:
        channels: of the feature map.
        dims: 1 or 2, the axes after channels.
        norm: as `create_norm`.
        act: as `create_act`.

    Returns:
        The normalisation and the activation.

    Raises:
        ValueError: as `create_norm` and `create_act`.
    """
    normalise = create_norm(norm, channels, dims=dims)
    return normalise, create_act(act, inplace=not isinstance(normalise, nn.Identity))


class Residual(nn.Module):
    """The input plus the output of a branch.

    Args:
        branch: keeps the shape of its input.

    Shape:
        (batch, ...) -> the same, or as the branch's output broadcasts.
    """

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Float[Tensor, ...]) -> Float[Tensor, ...]:
        return x + self.branch(x)
