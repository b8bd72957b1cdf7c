"""Convolutions whose kernels a small network predicts from embeddings, written once for 1-D and 2-D.

Conventions: as in `dynamic.py`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, per_axis
from audiocnn.blocks.dynamic import convolve
from audiocnn.blocks.padding import Padding


class KernelGenerator(nn.Module):
    """Kernels of embeddings: the hypernetwork, which many `HyperConv` share.

    Shape: (n, n_embedding) -> (n, channels, channels, *kernel_size).
    Source: Ha, Dai, Le, "HyperNetworks", 2016, section 3.1. Differs: starts so that kernels have the spread
    of He's initialisation.

    Args:
        channels: in and out of each kernel; layers with more are made of several.
    """

    def __init__(
        self, channels: int, kernel_size: Size, *, dims: int, n_embedding: int = 64, n_hidden: int = 64
    ) -> None:
        super().__init__()
        self.dims, self.channels, self.n_embedding = dims, channels, n_embedding
        self.kernel_size = per_axis(kernel_size, dims, "kernel_size")
        n_cells = math.prod(self.kernel_size)
        self.to_hidden = nn.Linear(n_embedding, channels * n_hidden)
        self.to_kernel = nn.Linear(n_hidden, channels * n_cells)
        nn.init.normal_(self.to_hidden.weight, std=n_embedding**-0.5)
        nn.init.normal_(self.to_kernel.weight, std=(2 / (n_hidden * channels * n_cells)) ** 0.5)
        nn.init.zeros_(self.to_hidden.bias)
        nn.init.zeros_(self.to_kernel.bias)

    def forward(self, embeddings: Tensor) -> Tensor:
        hidden = self.to_hidden(embeddings).unflatten(-1, (self.channels, -1))  # (n, in, hidden)
        return self.to_kernel(hidden).unflatten(-1, (self.channels, *self.kernel_size)).transpose(1, 2)


class HyperConv(nn.Module):
    """A convolution whose kernel a shared network predicts from embeddings; these alone it learns for itself.

    Shape: (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames').
    Raises: ValueError when the generator's channels do not divide the layer's.
    Source: as KernelGenerator.

    Attributes:
        embeddings: (out_channels / channels, in_channels / channels, n_embedding).
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        generator: KernelGenerator,
        in_channels: int,
        out_channels: int,
        *,
        stride: Size = 1,
        padding: Padding = "same",
        dilation: Size = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if in_channels % generator.channels or out_channels % generator.channels:
            raise ValueError(
                f"the generator's kernels have {generator.channels} channels, expected a divisor of"
                f" in_channels ({in_channels}) and out_channels ({out_channels})"
            )
        self.generator = generator
        self.settings = {"stride": stride, "padding": padding, "dilation": dilation}
        blocks = (out_channels // generator.channels, in_channels // generator.channels)
        # With kernels side by side, as many times more is summed.
        self.embeddings = nn.Parameter(torch.randn(*blocks, generator.n_embedding) / blocks[1] ** 0.5)
        self.register_parameter("bias", nn.Parameter(torch.zeros(out_channels)) if bias else None)

    def weight(self) -> Tensor:
        """The kernel. Shape: (out_channels, in_channels, *kernel_size)."""
        made = self.generator(self.embeddings.flatten(0, 1)).unflatten(0, self.embeddings.shape[:2])
        return made.transpose(1, 2).flatten(2, 3).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.weight(), self.bias, **self.settings)
