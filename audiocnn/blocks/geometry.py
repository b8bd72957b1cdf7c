"""Arithmetic of sizes and receptive fields.

Sizes are those of one axis, in positions (bins, frames or samples); positions count from 0, and between two
of them are halves. `receptive_field.py` finds the same for whole networks, by running them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


def effective_kernel_size(kernel_size: int, dilation: int = 1) -> int:
    """Compute the positions from the first to the last that a dilated kernel touches.

    Args:
        kernel_size: values of the kernel.
        dilation: positions from one value to the next.

    Returns:
        The number of positions.
    """
    return dilation * (kernel_size - 1) + 1


def output_size(
    size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Compute the output size of a convolution or pooling.

    It is (size + 2 padding - effective kernel size) // stride + 1.

    Args:
        size: of the input.
        kernel_size: values of the kernel.
        stride: positions from one window to the next.
        padding: positions added on each side.
        dilation: positions from one value of the kernel to the next.
        ceil_mode: count also a last window that begins within the input or its left padding and reaches
            beyond.

    Returns:
        The number of output positions.

    Raises:
        ValueError: the padded input is shorter than the kernel, or a number is out of its range.
    """
    _check(size=size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    spare = size + 2 * padding - effective_kernel_size(kernel_size, dilation)
    if padding < 0:
        raise ValueError(f"padding is {padding}, expected at least 0")
    if spare < 0:
        expected = effective_kernel_size(kernel_size, dilation)
        raise ValueError(
            f"size is {size} with padding {padding}, expected at least {expected} positions "
            f"for kernel_size {kernel_size} and dilation {dilation}"
        )
    if not ceil_mode:
        return spare // stride + 1
    windows = -(-spare // stride) + 1
    return windows - 1 if (windows - 1) * stride >= size + padding else windows


def transposed_output_size(
    size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> int:
    """Compute the output size of a transposed convolution.

    Args:
        size: of the input.
        kernel_size: values of the kernel.
        stride: output positions from one window to the next.
        padding: positions taken off on each side.
        dilation: positions from one value of the kernel to the next.
        output_padding: positions added at the end: it picks one of the sizes that the convolution shrinks to
            `size`.

    Returns:
        The number of output positions.

    Raises:
        ValueError: nothing is left, or a number is out of its range.
    """
    _check(size=size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    made = stride * (size - 1) + effective_kernel_size(kernel_size, dilation) - 2 * padding + output_padding
    if padding < 0 or made < 1:
        raise ValueError(
            f"padding is {padding}, expected less than half of the {made + 2 * padding} positions made"
        )
    return made


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} is {number}, expected at least 1")


@dataclass(frozen=True)
class ReceptiveField:
    """The input positions on which the positions of a feature map depend, along one axis.

    Attributes:
        size: positions from the first to the last; infinite where all of the input matters.
        stride: input positions from one position of the feature map to the next; below 1 after upsampling.
        offset: position i depends on `size` positions around offset + i * stride. With causal padding these
            lie before the position itself.
    """

    size: float
    stride: float
    offset: float


class Window(NamedTuple):
    """A convolution or pooling along one axis.

    Attributes:
        kernel_size: values of the kernel.
        stride: positions from one window to the next.
        padding: positions added before.
        dilation: positions from one value of the kernel to the next.
    """

    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


def compute_receptive_field(layers: Iterable[Window]) -> ReceptiveField:
    """Compute the receptive field of layers one after the other, by the textbook's recursion.

    Args:
        layers: convolutions and poolings along one axis, from the input on.

    Returns:
        The receptive field of the last one's output.

    Source:
        Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019.
    """
    size, stride, offset = 1, 1, 0.0
    for layer in layers:
        reach = effective_kernel_size(layer.kernel_size, layer.dilation) - 1
        size += reach * stride
        offset += (reach / 2 - layer.padding) * stride
        stride *= layer.stride
    return ReceptiveField(size, stride, offset)
