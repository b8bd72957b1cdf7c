"""Cells: a table of named operations, which a search can draw and change; `amoebanet.py` stacks them.

Row i of a table, (left input, operation, right input, operation), makes state i + 2, the sum of two
operations on earlier states. State 0 is the output of the cell before, state 1 that of the cell before that,
both brought to the cell's channels by a 1x1 convolution. The cell's output is the states that no row reads,
one after the other as channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.act import create_act
from audiocnn.blocks.arguments import Size, choose
from audiocnn.blocks.conv import conv
from audiocnn.blocks.drop import StochasticDepth
from audiocnn.blocks.norm import create_norm
from audiocnn.blocks.pool import create_pool
from audiocnn.blocks.separable import depthwise, pointwise

Row = tuple[int, str, int, str]
Table = Sequence[Sequence[Any]]  # rows as configs and searches give them; `check_table` makes each a Row


@dataclass(frozen=True)
class Layers:
    """Options that all layers of a network share, and how a layer is made.

    Attributes:
        dims: 1 or 2, the axes after channels.
        norm: of convolutions, as `create_norm`.
        act: activation of convolutions, as `create_act`.
    """

    dims: int
    norm: str
    act: str

    def unit(self, out_channels: int, *convolutions: nn.Module) -> nn.Sequential:
        """Create an activation, convolutions, a norm: as cells add states that are not rectified.

        Args:
            out_channels: channels of the output.
            convolutions: one after the other.

        Returns:
            The layer.
        """
        return nn.Sequential(
            create_act(self.act, inplace=False),  # others read the same state
            *convolutions,
            create_norm(self.norm, out_channels, dims=self.dims),
        )

    def plain(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size = 1
    ) -> nn.Sequential:
        """Create a unit of one convolution.

        Args:
            in_channels: channels of the input.
            out_channels: channels of the output.
            kernel_size: positions of the kernel.
            stride: of the convolution.

        Returns:
            The layer.
        """
        bias = self.norm == "none"
        convolution = conv(in_channels, out_channels, kernel_size, dims=self.dims, stride=stride, bias=bias)
        return self.unit(out_channels, convolution)

    def separable(self, channels: int, kernel_size: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
        """Create a unit of a depthwise and a pointwise convolution.

        Args:
            channels: of the input and the output.
            kernel_size: positions of the depthwise kernel.
            stride: of the depthwise convolution.
            dilation: of the depthwise convolution.

        Returns:
            The layer.
        """
        return self.unit(
            channels,
            depthwise(channels, kernel_size, dims=self.dims, stride=stride, dilation=dilation, bias=False),
            pointwise(channels, channels, dims=self.dims, bias=self.norm == "none"),
        )


def _identity(layers: Layers, channels: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else layers.plain(channels, channels, 1, stride)


def _pool(name: str) -> Operation:
    def make(layers: Layers, channels: int, stride: int) -> nn.Module:
        return create_pool(name, 3, dims=layers.dims, stride=stride, padding=1)

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
    """Create convolutions between 1x1 convolutions to a quarter of the channels and back."""

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
    """Create two convolutions over an axis each; in 1-D one over time: there are no bins."""
    return _narrow(*(((1, 7), (7, 1)) if layers.dims == 2 else (7,)))(layers, channels, stride)


Operation = Callable[[Layers, int, int], nn.Module]
# name -> what makes it of (layers, channels, stride): as many channels, ceil(size / stride) positions.
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


class FactorisedReduction(nn.Module):
    """Half the positions along each axis: some channels from even positions, the others from odd ones.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        layers: options of its layers.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., ceil(frames / 2)).

    Source:
        Zoph et al., "Learning transferable architectures for scalable image recognition", 2018, in its
        authors' code: factorised reduction.
    """

    def __init__(self, in_channels: int, out_channels: int, layers: Layers) -> None:
        super().__init__()
        self.act = create_act(layers.act, inplace=False)
        parts = (out_channels - out_channels // 2, out_channels // 2)
        self.parts = nn.ModuleList(
            pointwise(in_channels, part, dims=layers.dims, stride=2, bias=layers.norm == "none")
            for part in parts
            if part
        )
        self.norm = create_norm(layers.norm, out_channels, dims=layers.dims)

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        x = self.act(x)
        odd = functional.pad(x[(..., *(slice(1, None),) * (x.ndim - 2))], (0, 1) * (x.ndim - 2))
        return self.norm(torch.cat([part(y) for part, y in zip(self.parts, (x, odd), strict=False)], dim=1))


class Cell(nn.Module):
    """The network within a cell, as a table describes it.

    Args:
        table: its rows.
        previous_channels: channels of the output of the cell before.
        before_channels: channels of the output of the cell before that.
        channels: of each state.
        layers: options of its layers.
        stride: of the operations on states 0 and 1; of a reduction cell 2.
        before_stride: positions of the output of the cell before that for each of the cell before.
        outputs: states that the output is made of; those that no row reads when None.
        drop: drop-path rate of each operation but the identity.

    Attributes:
        out_channels: channels of the output.
        stride: as given.

    Raises:
        ValueError: a row reads a state that is not made before it, an operation has no name of OPERATIONS, or
            a state is neither read nor in `outputs`.

    Shape:
        (batch, previous_channels, ..., frames) of the cell before and (batch, before_channels, ..., frames or
        twice as many) of the one before that -> (batch, out_channels, ..., ceil(frames / stride)).

    Source:
        Real et al., "Regularized evolution for image classifier architecture search", 2018.
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
            FactorisedReduction(before_channels, channels, layers)
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

    def forward(
        self,
        previous: Float[Tensor, "batch previous_channels *positions"],
        before: Float[Tensor, "batch before_channels *positions_before"],
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        states = [self.previous(previous), self.before(before)]
        operations = iter(self.operations)
        for left, _, right, _ in self.table:
            states.append(next(operations)(states[left]) + next(operations)(states[right]))
        passed = iter(self.passed)
        parts = [next(passed)(states[i]) if i < 2 else states[i] for i in self.outputs]
        return torch.cat(parts, dim=1)


def check_table(table: Table) -> tuple[Row, ...]:
    """Check a table.

    Args:
        table: its rows.

    Returns:
        The rows as tuples.

    Raises:
        ValueError: as `Cell`.
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
    """Find the states that a cell's output is made of.

    Args:
        table: its rows.
        outputs: states that a caller asks for; those that no row reads when None.

    Returns:
        The states, in their order.

    Raises:
        ValueError: as `Cell`.
    """
    read = {state for row in table for state in (row[0], row[2])}
    unread = [state for state in range(len(table) + 2) if state not in read]
    chosen = tuple(sorted(set(unread if outputs is None else outputs)))
    if not set(unread) <= set(chosen) <= set(range(len(table) + 2)):
        raise ValueError(f"outputs are {outputs}, expected states from 0 to {len(table) + 1}, with {unread}")
    return chosen
