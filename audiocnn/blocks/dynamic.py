"""Convolutions whose kernels depend on the input or on a class, written once for 1-D and 2-D.

Conventions: maps are (batch, channels, frames) or (batch, channels, bins, frames); sizes, padding and errors
are those of `conv.conv`. `hyper.py` has those whose kernels depend on an embedding. Where each example has
kernels of its own, an ONNX export holds for its batch size alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, per_axis
from audiocnn.blocks.conv import CONVOLVE, conv, im2col
from audiocnn.blocks.global_pool import GlobalAverage
from audiocnn.blocks.padding import Padding, check_sizes, least_sizes, pad, pad_sides


def conv_each(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Padding = "same",
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """The convolution of each example with kernels of its own: one with as many groups as there are examples.

    Shape: x (batch, in_channels, ..., frames), weight (batch, out_channels, in_channels / groups,
    *kernel_size), bias (batch, out_channels) -> (batch, out_channels, ..., frames').
    Raises: ValueError when there are not as many kernels as examples, or the map is smaller than the kernel.
    """
    batch = x.shape[0]
    if weight.shape[0] != batch:
        raise ValueError(
            f"kernels are for {weight.shape[0]} examples, expected as many as in the batch, {batch}"
        )
    y = convolve(
        x.flatten(0, 1).unsqueeze(0),
        weight.flatten(0, 1),
        None if bias is None else bias.flatten(),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=batch * groups,
    )
    return y.squeeze(0).unflatten(0, (batch, -1))


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Size,
    padding: Padding,
    dilation: Size,
    groups: int = 1,
) -> Tensor:
    """torch's convolution, with the padding and the words of ours."""
    dims, kernel = x.ndim - 2, tuple(weight.shape[2:])
    steps = per_axis(dilation, dims, "dilation")
    sides = pad_sides(padding, kernel, steps)
    check_sizes(tuple(x.shape[2:]), least_sizes(sides, kernel, steps))
    strides = per_axis(stride, dims, "stride")
    return CONVOLVE[dims](pad(x, sides), weight, bias, stride=strides, dilation=steps, groups=groups)


class _Bank(nn.Module):
    """Several kernels, and their biases, each as a convolution with these arguments begins.

    Attributes:
        weight: (n_kernels, out_channels, in_channels / groups, *kernel_size).
        bias: (n_kernels, out_channels).
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
        stride: Size = 1,
        padding: Padding = "same",
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if n_kernels < 1:
            raise ValueError(f"n_kernels is {n_kernels}, expected at least 1")
        self.settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        drafts = [
            conv(in_channels, out_channels, kernel_size, dims=dims, bias=bias, **self.settings)
            for _ in range(n_kernels)
        ]
        self.weight = nn.Parameter(torch.stack([draft.weight.detach() for draft in drafts]))
        biases = [draft.bias.detach() for draft in drafts if draft.bias is not None]
        self.register_parameter("bias", nn.Parameter(torch.stack(biases)) if biases else None)

    def convolve(self, x: Tensor, shares: Tensor) -> Tensor:
        """Each example's convolution with its mixture of the kernels.

        Shape: x (batch, in_channels, ..., frames), shares (batch, n_kernels) -> (batch, out_channels, ...,
        frames').
        """
        weight = (shares @ self.weight.flatten(1)).unflatten(1, self.weight.shape[1:])
        return conv_each(x, weight, None if self.bias is None else shares @ self.bias, **self.settings)


class DynamicConv(_Bank):
    """A convolution with a kernel for each example, mixed of several as a small network hears that they suit.

    The network hears the whole map: with it, pieces of a recording have other maps than the whole.
    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames').
    Source: Chen et al., "Dynamic convolution: attention over convolution kernels", 2020. Differs: no batch
    norm and rectifier of its own; at least as many hidden channels as kernels.
    Raises: ValueError as `conv`, and when the temperature is not above 0, or is to fall to 1 from below.

    Args:
        squeeze: channels of the input for each of the small network's hidden ones.
        temperature: the higher the more even the mixture. It is stored with the weights.
        anneal_steps: training batches in which the temperature falls to 1 in equal steps, as in the paper
            from 30 in the batches of ten epochs; 0: it stays.
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
        stride: Size = 1,
        padding: Padding = "same",
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            n_kernels,
            in_channels,
            out_channels,
            kernel_size,
            dims=dims,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
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

    def shares(self, x: Tensor) -> Tensor:
        """How much of each kernel is in an example's, in sum 1.

        Shape: (batch, in_channels, ..., frames) -> (batch, n_kernels).
        """
        return (self.attention(x) / self.temperature).softmax(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolve(x, self.shares(x))
        if self.training and self.cooling:
            self.temperature = (self.temperature - self.cooling).clamp(min=1)
        return y


class ConvBank(_Bank):
    """A convolution whose kernel is chosen by class or style, or mixed of several.

    Shape: x (batch, in_channels, ..., frames), choice (batch,) or (batch, n_kernels) -> (batch, out_channels,
    ..., frames').
    Raises: ValueError when the choice is not for each example, or its shares not for each kernel.
    Source: Chen et al., "StyleBank: an explicit representation for neural image style transfer", 2017,
    sections 3 and 4.3, where the shares of mixed styles are in sum 1.
    """

    def forward(self, x: Tensor, choice: Tensor) -> Tensor:
        """What each example's kernel hears; choice: a kernel's number for each example, or shares of all."""
        expected = (x.shape[0], self.weight.shape[0]) if choice.is_floating_point() else (x.shape[0],)
        if tuple(choice.shape) != expected:
            raise ValueError(f"choice has the shape {tuple(choice.shape)}, expected {expected}")
        if choice.is_floating_point():
            return self.convolve(x, choice)
        bias = None if self.bias is None else self.bias[choice]
        return conv_each(x, self.weight[choice], bias, **self.settings)


def filter_locally(x: Tensor, filters: Tensor, kernel_size: Size, *, dilation: Size = 1) -> Tensor:
    """Each position of a map filtered by a kernel of its own, which all channels share.

    Shape: x (batch, channels, ..., frames), filters (batch, cells of the kernel, ..., frames) -> (batch,
    channels, ..., frames).
    Raises: ValueError when the filters are not of the map's size.
    """
    kernel = per_axis(kernel_size, x.ndim - 2, "kernel_size")
    expected = (x.shape[0], math.prod(kernel), *x.shape[2:])
    if tuple(filters.shape) != expected:
        raise ValueError(f"filters have the shape {tuple(filters.shape)}, expected {expected}")
    columns = im2col(x, kernel, dilation=dilation).unflatten(1, (x.shape[1], -1))
    return torch.einsum("bck...,bk...->bc...", columns, filters)


class DynamicLocalFilter(nn.Module):
    """A map filtered at each position by a kernel that a convolution predicts from what stands there.

    Shape: (batch, channels, ..., frames) -> the same.
    Source: De Brabandere et al., "Dynamic filter networks", 2016, section 3. Differs: the filter-generating
    network is one convolution, and hears the same map; `filter_locally` takes the filters of any other.

    Args:
        softmax: whether each kernel is a mean, of positive weights in sum 1, as in the paper's prediction of
            video.
    """

    def __init__(
        self, channels: int, kernel_size: Size, *, dims: int, dilation: Size = 1, softmax: bool = False
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.softmax = kernel_size, dilation, softmax
        n_cells = math.prod(per_axis(kernel_size, dims, "kernel_size"))
        self.generator = conv(channels, n_cells, kernel_size, dims=dims, dilation=dilation)

    def filters(self, x: Tensor) -> Tensor:
        """The kernels. Shape: (batch, channels, ..., frames) -> (batch, cells of the kernel, ..., frames)."""
        filters = self.generator(x)
        return filters.softmax(dim=1) if self.softmax else filters

    def forward(self, x: Tensor) -> Tensor:
        return filter_locally(x, self.filters(x), self.kernel_size, dilation=self.dilation)
