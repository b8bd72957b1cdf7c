"""Convolutions whose kernels depend on the input or on a class, written once for 1-D and 2-D.

Sizes, padding and errors are those of `conv.conv`. `hyper.py` has those whose kernels depend on an embedding.
Where each example has kernels of its own, an ONNX export holds for its batch size alone.
"""

from __future__ import annotations

import math
from typing import Unpack

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, to_tuple
from audiocnn.blocks.conv import CONVOLVE, ConvOptions, conv
from audiocnn.blocks.global_pool import GlobalAverage
from audiocnn.blocks.im2col import im2col
from audiocnn.blocks.padding import Padding, check_sizes, min_sizes, pad, pad_sides


def convolve(
    x: Float[Tensor, "batch in_channels *positions"],
    weight: Float[Tensor, "out_channels group_channels *kernel"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    stride: Size = 1,
    padding: Padding = "same",
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    dilation: Size = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out_channels *positions_out"]:
    """Convolve with given weights: torch's convolution, with the padding and the messages of `conv`.

    Args:
        x: feature map.
        weight: kernels.
        bias: of each output channel; none when None.
        stride: as `ConvOptions`.
        padding: as `ConvOptions`.
        padding_mode: as `ConvOptions`.
        padding_value: as `ConvOptions`.
        dilation: as `ConvOptions`.
        groups: as `ConvOptions`.

    Returns:
        The feature map.

    Raises:
        ValueError: as `conv`.

    Shape:
        x (batch, in_channels, ..., frames), weight (out_channels, in_channels / groups, *kernel_size) ->
        (batch, out_channels, ..., frames').
    """
    dims, kernel = x.ndim - 2, tuple(weight.shape[2:])
    dilations, strides = to_tuple(dilation, dims, "dilation"), to_tuple(stride, dims, "stride")
    sides = pad_sides(padding, kernel, dilations)
    check_sizes(tuple(x.shape[2:]), min_sizes(sides, kernel, dilations, padding_mode))
    padded = pad(x, sides, padding_mode, padding_value)
    return CONVOLVE[dims](padded, weight, bias, stride=strides, dilation=dilations, groups=groups)


def convolve_each(
    x: Float[Tensor, "batch in_channels *positions"],
    weight: Float[Tensor, "n_weights out_channels group_channels *kernel"],
    bias: Float[Tensor, "n_weights out_channels"] | None = None,
    **options: Unpack[ConvOptions],
) -> Float[Tensor, "batch out_channels *positions_out"]:
    """Convolve each example with kernels of its own: a convolution with a group for each example.

    Args:
        x: feature map.
        weight: kernels of each example.
        bias: of each example and output channel; none when None.
        options: as `ConvOptions`.

    Returns:
        The feature map.

    Raises:
        ValueError: there are not as many kernels as examples, or as `conv`.

    Shape:
        x (batch, in_channels, ..., frames), weight (batch, out_channels, in_channels / groups, *kernel_size),
        bias (batch, out_channels) -> (batch, out_channels, ..., frames').
    """
    batch = x.shape[0]
    if weight.shape[0] != batch:
        raise ValueError(
            f"kernels are for {weight.shape[0]} examples, expected as many as in the batch, {batch}"
        )
    options["groups"] = batch * options.get("groups", 1)
    biases = None if bias is None else bias.flatten()
    y = convolve(x.flatten(0, 1).unsqueeze(0), weight.flatten(0, 1), biases, **options)
    return y.squeeze(0).unflatten(0, (batch, -1))


class _KernelBank(nn.Module):
    """Kernels, and their biases, each initialised as a convolution with these arguments.

    Attributes:
        weight: (n_kernels, out_channels, in_channels / groups, *kernel_size).
        bias: (n_kernels, out_channels).
        options: of the convolution.
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        n_kernels: int,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        dims: int,
        bias: bool = True,
        **options: Unpack[ConvOptions],
    ) -> None:
        super().__init__()
        if n_kernels < 1:
            raise ValueError(f"n_kernels is {n_kernels}, expected at least 1")
        self.options = options
        convolutions = [
            conv(in_channels, out_channels, kernel_size, dims=dims, bias=bias, **options)
            for _ in range(n_kernels)
        ]
        self.weight = nn.Parameter(torch.stack([one.weight.detach() for one in convolutions]))
        biases = [one.bias.detach() for one in convolutions if one.bias is not None]
        self.register_parameter("bias", nn.Parameter(torch.stack(biases)) if biases else None)

    def convolve(
        self,
        x: Float[Tensor, "batch in_channels *positions"],
        shares: Float[Tensor, "batch n_kernels"],
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        """Convolve each example with its mixture of the kernels.

        Args:
            x: feature map.
            shares: of each kernel in an example's.

        Returns:
            The feature map.
        """
        weight = (shares @ self.weight.flatten(1)).unflatten(1, self.weight.shape[1:])
        return convolve_each(x, weight, None if self.bias is None else shares @ self.bias, **self.options)


class DynamicConv(_KernelBank):
    """A convolution with a kernel for each example, a mixture whose shares a small network predicts.

    That network reads the whole feature map: features of an excerpt differ from those of the recording.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of each kernel.
        dims: 1 or 2, the axes after channels.
        n_kernels: number of kernels.
        squeeze: input channels for each hidden channel of the small network.
        temperature: the higher, the more even the mixture. It is stored with the weights.
        anneal_steps: training batches in which the temperature falls to 1 in equal steps, in the paper from
            30 in the batches of ten epochs; 0: it stays.
        bias: learn a bias for each kernel and output channel.
        options: as `ConvOptions`.

    Raises:
        ValueError: as `conv`, and when n_kernels is below 1, the temperature is not above 0, or is to fall to
            1 from below.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames').

    Source:
        Chen et al., "Dynamic convolution: attention over convolution kernels", 2020.

    Differs:
        No batch norm and ReLU of its own; at least as many hidden channels as kernels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        dims: int,
        n_kernels: int = 4,
        squeeze: int = 4,
        temperature: float = 30.0,
        anneal_steps: int = 0,
        bias: bool = True,
        **options: Unpack[ConvOptions],
    ) -> None:
        super().__init__(n_kernels, in_channels, out_channels, kernel_size, dims=dims, bias=bias, **options)
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}, expected more than 0")
        if anneal_steps < 0 or (anneal_steps and temperature < 1):
            raise ValueError(
                f"anneal_steps is {anneal_steps} and temperature {temperature}, expected anneal_steps 0, or"
                " more and a temperature from 1 on"
            )
        self.cooling = (temperature - 1) / anneal_steps if anneal_steps else 0.0
        n_hidden = max(n_kernels, in_channels // squeeze)
        self.temperature: Tensor
        self.register_buffer("temperature", torch.tensor(float(temperature)))
        self.attention = nn.Sequential(
            GlobalAverage(), nn.Linear(in_channels, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_kernels)
        )

    def shares(self, x: Float[Tensor, "batch in_channels *positions"]) -> Float[Tensor, "batch n_kernels"]:
        """Predict the share of each kernel in each example's; they add up to 1.

        Args:
            x: feature map.

        Returns:
            The shares.
        """
        return (self.attention(x) / self.temperature).softmax(dim=1)

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        y = self.convolve(x, self.shares(x))
        if self.training and self.cooling:
            self.temperature = (self.temperature - self.cooling).clamp(min=1)
        return y


class ConvBank(_KernelBank):
    """A convolution whose kernel is chosen by class or style, or is a mixture of them.

    Args:
        n_kernels: number of classes or styles.
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of each kernel.
        dims: 1 or 2, the axes after channels.
        bias: learn a bias for each kernel and output channel.
        options: as `ConvOptions`.

    Raises:
        ValueError: as `conv`, or n_kernels is below 1; in the forward pass when the choice is not one for
            each example, or its shares are not one for each kernel.

    Shape:
        x (batch, in_channels, ..., frames), choice (batch,) or (batch, n_kernels) -> (batch, out_channels,
        ..., frames').

    Source:
        Chen et al., "StyleBank: an explicit representation for neural image style transfer", 2017, sections 3
        and 4.3, where the shares of mixed styles add up to 1.
    """

    def forward(
        self,
        x: Float[Tensor, "batch in_channels *positions"],
        choice: Int[Tensor, ...] | Float[Tensor, ...],
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        """Convolve each example with its kernel.

        Args:
            x: feature map.
            choice: number of each example's kernel (whole numbers), or the shares of all kernels in it.

        Returns:
            The feature map.
        """
        expected = (x.shape[0], self.weight.shape[0]) if choice.is_floating_point() else (x.shape[0],)
        if tuple(choice.shape) != expected:
            raise ValueError(f"choice has the shape {tuple(choice.shape)}, expected {expected}")
        if choice.is_floating_point():
            return self.convolve(x, choice)
        bias = None if self.bias is None else self.bias[choice]
        return convolve_each(x, self.weight[choice], bias, **self.options)


def filter_locally(
    x: Float[Tensor, "batch channels *positions"],
    filters: Float[Tensor, "filters_batch values *filters_positions"],
    kernel_size: Size,
    *,
    dilation: Size = 1,
) -> Float[Tensor, "batch channels *positions"]:
    """Filter each position of a feature map by a kernel of its own, which all channels share.

    Args:
        x: feature map.
        filters: values of the kernel at each position.
        kernel_size: positions of the kernel.
        dilation: positions from one value of the kernel to the next.

    Returns:
        The feature map.

    Raises:
        ValueError: the filters are not of the feature map's size.

    Shape:
        x (batch, channels, ..., frames), filters (batch, values of the kernel, ..., frames) -> (batch,
        channels, ..., frames).
    """
    kernel = to_tuple(kernel_size, x.ndim - 2, "kernel_size")
    expected = (x.shape[0], math.prod(kernel), *x.shape[2:])
    if tuple(filters.shape) != expected:
        raise ValueError(f"filters have the shape {tuple(filters.shape)}, expected {expected}")
    columns = im2col(x, kernel, dilation=dilation).unflatten(1, (x.shape[1], -1))
    return torch.einsum("bck...,bk...->bc...", columns, filters)


class DynamicLocalFilter(nn.Module):
    """A feature map filtered at each position by a kernel that a convolution predicts from its surroundings.

    Args:
        channels: of the feature map.
        kernel_size: positions of the kernels, and of the convolution that predicts them.
        dims: 1 or 2, the axes after channels.
        dilation: of both.
        softmax: make each kernel a mean, of positive weights that add up to 1, as in the paper's prediction
            of video.

    Raises:
        ValueError: as `conv`.

    Shape:
        (batch, channels, ..., frames) -> the same.

    Source:
        De Brabandere et al., "Dynamic filter networks", 2016, section 3.

    Differs:
        The filter-generating network is one convolution, and reads the feature map that it filters;
        `filter_locally` takes the filters of any other.
    """

    def __init__(
        self, channels: int, kernel_size: Size, *, dims: int, dilation: Size = 1, softmax: bool = False
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.softmax = kernel_size, dilation, softmax
        n_values = math.prod(to_tuple(kernel_size, dims, "kernel_size"))
        self.generator = conv(channels, n_values, kernel_size, dims=dims, dilation=dilation)

    def filters(
        self, x: Float[Tensor, "batch channels *positions"]
    ) -> Float[Tensor, "batch values *positions"]:
        """Predict the kernels.

        Args:
            x: feature map.

        Returns:
            The values of the kernel at each position.
        """
        filters = self.generator(x)
        return filters.softmax(dim=1) if self.softmax else filters

    def forward(
        self, x: Float[Tensor, "batch channels *positions"]
    ) -> Float[Tensor, "batch channels *positions"]:
        return filter_locally(x, self.filters(x), self.kernel_size, dilation=self.dilation)
