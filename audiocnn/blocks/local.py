"""Locally connected layers: convolutions whose weights are not shared."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, per_axis
from audiocnn.blocks.conv import im2col
from audiocnn.blocks.padding import Padding, check_sizes, least_sizes, pad_sides


class LocallyConnected(nn.Module):
    """A kernel and a bias of its own for each position: what is heard depends on where.

    Shape: (batch, in_channels, *size) -> (batch, out_channels, ..., as `conv`).
    Raises: ValueError as `conv`; in the forward pass when the map has another size.
    Source: LeCun, "Generalization and network design strategies", 1989: its network Net-3.

    Args:
        size: of the map: its frames, or (bins, frames).

    Attributes:
        weight: (positions, out_channels, in_channels * cells of the kernel): all alike, it is a convolution.
        bias: (out_channels, *positions).
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        size: Size,
        *,
        dims: int,
        stride: Size = 1,
        padding: Padding = "same",
        dilation: Size = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        kernel, steps = per_axis(kernel_size, dims, "kernel_size"), per_axis(dilation, dims, "dilation")
        self.size, self.kernel_size, self.dilation = per_axis(size, dims, "size"), kernel, steps
        self.stride, self.padding = per_axis(stride, dims, "stride"), pad_sides(padding, kernel, steps)
        least = least_sizes(self.padding, kernel, steps)
        check_sizes(self.size, least)
        spare = zip(self.size, self.padding, kernel, steps, self.stride, strict=True)
        positions = [(n + sum(sides) - 1 - step * (k - 1)) // hop + 1 for n, sides, k, step, hop in spare]
        n_cells = in_channels * math.prod(kernel)
        self.weight = nn.Parameter(torch.empty(math.prod(positions), out_channels, n_cells))
        self.register_parameter("bias", nn.Parameter(torch.empty(out_channels, *positions)) if bias else None)
        bound = n_cells**-0.5  # as torch's convolutions begin
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[2:]) != self.size:
            raise ValueError(f"the map's size is {tuple(x.shape[2:])}, expected {self.size}")
        columns = im2col(
            x, self.kernel_size, stride=self.stride, padding=self.padding, dilation=self.dilation
        )
        y = torch.einsum("bcp,poc->bop", columns.flatten(2), self.weight).unflatten(2, columns.shape[2:])
        return y if self.bias is None else y + self.bias
