"""Locally connected layers: convolutions whose weights are not shared."""

from __future__ import annotations

import math
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, to_tuple
from audiocnn.blocks.conv import WindowOptions
from audiocnn.blocks.im2col import im2col


class LocallyConnected(nn.Module):
    """A convolution with a kernel and a bias of its own for each position.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: positions of each kernel.
        size: of the input: its frames, or (bins, frames).
        dims: 1 or 2, the axes after channels.
        bias: learn a bias for each output channel and position.
        options: as `WindowOptions`.

    Attributes:
        weight: (positions, out_channels, in_channels * values of the kernel): all alike, it is a convolution.
        bias: (out_channels, *positions).

    Raises:
        ValueError: as `conv`; in the forward pass when the input has another size.

    Shape:
        (batch, in_channels, *size) -> (batch, out_channels, ..., frames'), as `conv`.

    Source:
        LeCun, "Generalization and network design strategies", 1989: its network Net-3.
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
        bias: bool = True,
        **options: Unpack[WindowOptions],
    ) -> None:
        super().__init__()
        self.size, self.options = to_tuple(size, dims, "size"), options
        self.kernel_size = to_tuple(kernel_size, dims, "kernel_size")
        # The computation on an empty batch finds the size of the output.
        positions = im2col(torch.zeros(0, 1, *self.size), self.kernel_size, **options).shape[2:]
        n_values = in_channels * math.prod(self.kernel_size)
        self.weight = nn.Parameter(torch.empty(math.prod(positions), out_channels, n_values))
        self.register_parameter("bias", nn.Parameter(torch.empty(out_channels, *positions)) if bias else None)
        bound = n_values**-0.5  # as torch's convolutions begin
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        if tuple(x.shape[2:]) != self.size:
            raise ValueError(f"the feature map's size is {tuple(x.shape[2:])}, expected {self.size}")
        columns = im2col(x, self.kernel_size, **self.options)
        y = torch.einsum("bcp,poc->bop", columns.flatten(2), self.weight).unflatten(2, columns.shape[2:])
        return y if self.bias is None else y + self.bias
