"""What layers do to sizes, by arithmetic: how large a map becomes, and which input cells a cell of it sees.

Conventions: sizes are those of one axis, in cells (bins, frames or samples); cells count from 0, and between
two of them are halves. `measure.py` finds the same for whole networks, by running them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


def extent(kernel_size: int, dilation: int = 1) -> int:
    """Cells from the first to the last that a kernel touches."""
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
    """Cells that a convolution or pooling makes of `size`: (size + 2 padding - extent) // stride + 1.

    Args:
        padding: cells added on each side.
        ceil_mode: also a last window that begins within the input or its left padding and reaches beyond.

    Raises: ValueError when the padded input is shorter than the kernel, or a number is out of its range.
    """
    _check(size=size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    spare = size + 2 * padding - extent(kernel_size, dilation)
    if padding < 0:
        raise ValueError(f"padding is {padding}, expected at least 0")
    if spare < 0:
        raise ValueError(
            f"size is {size} with padding {padding}, expected at least {extent(kernel_size, dilation)} cells "
            f"for kernel_size {kernel_size} and dilation {dilation}"
        )
    if not ceil_mode:
        return spare // stride + 1
    windows = -(-spare // stride) + 1
    return windows - 1 if (windows - 1) * stride >= size + padding else windows


def input_sizes(
    output_size: int, kernel_size: int, *, stride: int = 1, padding: int = 0, dilation: int = 1
) -> range:
    """The sizes of which a convolution or pooling makes `output_size`, from the smallest to the largest."""
    _check(output_size=output_size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    first = stride * (output_size - 1) + extent(kernel_size, dilation) - 2 * padding
    return range(max(first, 1), max(first + stride, 1))


def transposed_output_size(
    size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> int:
    """Cells that a transposed convolution makes of `size`.

    Args:
        padding: cells taken off on each side.
        output_padding: cells added at the end: it picks one of the sizes that the convolution shrinks to
            `size`.

    Raises: ValueError when nothing is left, or a number is out of its range.
    """
    _check(size=size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    made = stride * (size - 1) + extent(kernel_size, dilation) - 2 * padding + output_padding
    if padding < 0 or made < 1:
        raise ValueError(
            f"padding is {padding}, expected less than half of the {made + 2 * padding} cells made"
        )
    return made


def transposed_input_sizes(
    output_size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> range:
    """The sizes of which a transposed convolution makes `output_size`: one or none."""
    _check(output_size=output_size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    steps, rest = divmod(output_size - extent(kernel_size, dilation) + 2 * padding - output_padding, stride)
    return range(steps + 1, steps + 1 if rest or steps < 0 else steps + 2)


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} is {number}, expected at least 1")


@dataclass(frozen=True)
class ReceptiveField:
    """The input cells on which the cells of a map depend, along one axis.

    Attributes:
        size: cells from the first to the last; infinite where all of the input matters.
        stride: input cells from one cell of the map to the next; below 1 after upsampling.
        offset: cell i sees `size` cells around offset + i * stride. With causal padding these lie before the
            cell itself.
    """

    size: float
    stride: float
    offset: float


class Window(NamedTuple):
    """What a convolution or pooling does along one axis."""

    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


def chain_receptive_field(layers: Iterable[Window]) -> ReceptiveField:
    """The receptive field of layers one after the other, by the textbook's recursion.

    Source: Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019.
    """
    size, stride, offset = 1, 1, 0.0
    for layer in layers:
        reach = extent(layer.kernel_size, layer.dilation) - 1
        size += reach * stride
        offset += (reach / 2 - layer.padding) * stride
        stride *= layer.stride
    return ReceptiveField(size, stride, offset)
