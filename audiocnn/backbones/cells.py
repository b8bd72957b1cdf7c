"""Cells: a table of named operations, which a search can draw and change; `amoebanet.py` stacks them.

Conventions: row i of a table, (left input, operation, right input, operation), makes state i + 2, the sum of
what the two operations make of earlier states. State 0 is the map of the cell before, state 1 the map of the
cell before that, both brought to the cell's channels by a 1x1 convolution. The cell's map is made of the
states that no row reads, one after the other as channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.act import act as act_layer
from audiocnn.blocks.arguments import Size, choose
from audiocnn.blocks.conv import conv
from audiocnn.blocks.drop import StochasticDepth
from audiocnn.blocks.norm import norm as norm_layer
from audiocnn.blocks.pool import pool
from audiocnn.blocks.separable import depthwise, pointwise

Row = tuple[int, str, int, str]
Table = Sequence[Row]


@dataclass(frozen=True)
class Layers:
    """What all layers of a network share, and how one is made."""

    dims: int
    norm: str
    act: str

    def unit(self, out_channels: int, *convolutions: nn.Module) -> nn.Sequential:
        """An activation, convolutions, a norm: in this order, as cells add maps that are not rectified."""
        return nn.Sequential(
            act_layer(self.act, inplace=False),  # others read the same state
            *convolutions,
            norm_layer(self.norm, out_channels, dims=self.dims),
        )

    def plain(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size = 1
    ) -> nn.Sequential:
        """A unit of one convolution."""
        bias = self.norm == "none"
        convolution = conv(in_channels, out_channels, kernel_size, dims=self.dims, stride=stride, bias=bias)
        return self.unit(out_channels, convolution)

    def separable(self, channels: int, kernel_size: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
        """A unit of a depthwise and a pointwise convolution."""
        return self.unit(
            channels,
            depthwise(channels, kernel_size, dims=self.dims, stride=stride, dilation=dilation, bias=False),
            pointwise(channels, channels, dims=self.dims, bias=self.norm == "none"),
        )


def _identity(layers: Layers, channels: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else layers.plain(channels, channels, 1, stride)


def _pool(name: str) -> Operation:
    def make(layers: Layers, channels: int, stride: int) -> nn.Module:
        return pool(name, 3, dims=layers.dims, stride=stride, padding=1)

    return make


def _separable(kernel_size: int) -> Operation:
    def make(layers: Layers, channels: int, stride: int) -> nn.Module:
        return nn.Sequential(
            layers.separable(channels, kernel_size, stride), layers.separable(channels, kernel_size)
        )

    return make


def _dilated(layers: Layers, channels: int, stride: int) -> nn.Module:
    return layers.separable(channels, 3, stride, dilation=2)


def _pointwise(layers: Layers, channels: int, stride: int) -> nn.Module:
    return layers.plain(channels, channels, 1, stride)


def _narrow(*kernels: int | tuple[int, int]) -> Operation:
    """Convolutions one after the other between 1x1 convolutions to a quarter of the channels and back."""

    def make(layers: Layers, channels: int, stride: int) -> nn.Module:
        width = max(1, channels // 4)
        units = [layers.plain(channels, width, 1)]
        for kernel in kernels:
            # A kernel over one axis has the stride of that axis.
            strides = stride if isinstance(kernel, int) else tuple(stride if k > 1 else 1 for k in kernel)
            units.append(layers.plain(width, width, kernel, strides))
        return nn.Sequential(*units, layers.plain(width, channels, 1))

    return make


def _factorised(layers: Layers, channels: int, stride: int) -> nn.Module:
    """In 1-D one convolution over time: there are no bins."""
    return _narrow(*(((1, 7), (7, 1)) if layers.dims == 2 else (7,)))(layers, channels, stride)


Operation = Callable[[Layers, int, int], nn.Module]
# name -> what makes it of (layers, channels, stride): maps keep their channels and have ceil(size / stride).
OPERATIONS: dict[str, Operation] = {
    "identity": _identity,
    "average_3": _pool("average"),
    "max_3": _pool("max"),
    "conv_1": _pointwise,
    "conv_3": _narrow(3),
    "conv_1x7_7x1": _factorised,
    "separable_3": _separable(3),
    "separable_5": _separable(5),
    "separable_7": _separable(7),
    "dilated_3": _dilated,
}


class Halving(nn.Module):
    """A map of half the size: one part of its channels from even cells, one from odd cells.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / 2)).
    Source: Zoph et al., "Learning transferable architectures for scalable image recognition", 2018, in its
    authors' code: factorised reduction.
    """

    def __init__(self, in_channels: int, out_channels: int, layers: Layers) -> None:
        super().__init__()
        self.act = act_layer(layers.act, inplace=False)
        parts = (out_channels - out_channels // 2, out_channels // 2)
        self.parts = nn.ModuleList(
            pointwise(in_channels, part, dims=layers.dims, stride=2, bias=layers.norm == "none")
            for part in parts
            if part
        )
        self.norm = norm_layer(layers.norm, out_channels, dims=layers.dims)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(x)
        odd = functional.pad(x[(..., *(slice(1, None),) * (x.ndim - 2))], (0, 1) * (x.ndim - 2))
        return self.norm(torch.cat([part(y) for part, y in zip(self.parts, (x, odd), strict=False)], dim=1))


class Cell(nn.Module):
    """The cell of a table.

    Shape: (batch, previous_channels, ..., frames) of the cell before and (batch, before_channels, ..., frames
    or twice as many) of the one before that -> (batch, out_channels, ..., ceil(frames / stride)).
    Raises: ValueError when a row reads a state that is not made before it, an operation has no name of
        OPERATIONS, or a state is neither read nor in `outputs`.
    Source: Real et al., "Regularized evolution for image classifier architecture search", 2018.

    Args:
        channels: of each state.
        stride: of the operations on states 0 and 1; of a reduction cell 2.
        before_stride: of the map before the previous, compared with that.
        outputs: states that the map is made of; those that no row reads when None.
        drop: probability that what an operation gives is missing in training; the identity always gives.

    Attributes:
        out_channels: of its map.
        stride: as given.
    """

    def __init__(
        self,
        table: Table,
        previous_channels: int,
        before_channels: int,
        channels: int,
        layers: Layers,
        *,
        stride: int = 1,
        before_stride: int = 1,
        outputs: Sequence[int] | None = None,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.table = check_table(table)
        self.outputs = check_outputs(table, outputs)
        self.stride, self.out_channels = stride, channels * len(self.outputs)
        self.previous = layers.plain(previous_channels, channels, 1)
        halves = before_stride > 1
        self.before = (
            Halving(before_channels, channels, layers)
            if halves
            else layers.plain(before_channels, channels, 1)
        )
        self.operations = nn.ModuleList()
        for state, name in chain.from_iterable((row[:2], row[2:]) for row in self.table):
            operation = OPERATIONS[name](layers, channels, stride if state < 2 else 1)
            dropped = drop and not isinstance(operation, nn.Identity)
            self.operations.append(nn.Sequential(operation, StochasticDepth(drop)) if dropped else operation)
        # An input goes out as it is, or smaller where the cell is one that reduces.
        self.passed = nn.ModuleList(
            _identity(layers, channels, stride) for state in self.outputs if state < 2
        )

    def forward(self, previous: Tensor, before: Tensor) -> Tensor:
        states = [self.previous(previous), self.before(before)]
        operations = iter(self.operations)
        for left, _, right, _ in self.table:
            states.append(next(operations)(states[left]) + next(operations)(states[right]))
        passed = iter(self.passed)
        parts = [next(passed)(states[i]) if i < 2 else states[i] for i in self.outputs]
        return torch.cat(parts, dim=1)


def check_table(table: Table) -> tuple[Row, ...]:
    """The rows of a table.

    Raises: ValueError as `Cell`.
    """
    for i, row in enumerate(table):
        if len(row) != 4:
            raise ValueError(f"row {i} is {row}, expected (left input, operation, right input, operation)")
        for state, name in (row[:2], row[2:]):
            choose(OPERATIONS, name, "operation")
            if not 0 <= state < i + 2:
                raise ValueError(f"an input of row {i} is state {state}, expected one from 0 to {i + 1}")
    if not table:
        raise ValueError("the table is empty, expected at least one row")
    return tuple((left, first, right, second) for left, first, right, second in table)


def check_outputs(table: Table, outputs: Sequence[int] | None) -> tuple[int, ...]:
    """The states that a cell's map is made of, in their order.

    Raises: ValueError as `Cell`.
    """
    read = {state for row in table for state in (row[0], row[2])}
    unread = [state for state in range(len(table) + 2) if state not in read]
    chosen = tuple(sorted(set(unread if outputs is None else outputs)))
    if not set(unread) <= set(chosen) <= set(range(len(table) + 2)):
        raise ValueError(f"outputs are {outputs}, expected states from 0 to {len(table) + 1}, with {unread}")
    return chosen
