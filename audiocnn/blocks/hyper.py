"""Convolutions whose kernels a small network predicts from embeddings, written once for 1-D and 2-D."""

from __future__ import annotations

import math
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import Size, to_tuple
from audiocnn.blocks.conv import WindowOptions
from audiocnn.blocks.dynamic import convolve


class KernelGenerator(nn.Module):
    """Kernels predicted from embeddings: the hypernetwork, which many `HyperConv` share.

    Args:
        channels: input and output channels of each kernel; layers with more are made of several.
        kernel_size: positions of each kernel.
        dims: 1 or 2, the axes after channels.
        n_embedding: length of an embedding.
        n_hidden: hidden values for each input channel.

    Raises:
        ValueError: as `conv`.

    Shape:
        (n, n_embedding) -> (n, channels, channels, *kernel_size).

    Source:
        Ha, Dai, Le, "HyperNetworks", 2016, section 3.1.

    Differs:
        Starts so that kernels have the standard deviation of He's initialisation.
    """

    def __init__(
        self, channels: int, kernel_size: Size, *, dims: int, n_embedding: int = 64, n_hidden: int = 64
    ) -> None:
        super().__init__()
        self.dims, self.channels, self.n_embedding = dims, channels, n_embedding
        self.kernel_size = to_tuple(kernel_size, dims, "kernel_size")
        n_values = math.prod(self.kernel_size)
        self.to_hidden = nn.Linear(n_embedding, channels * n_hidden)
        self.to_kernel = nn.Linear(n_hidden, channels * n_values)
        nn.init.normal_(self.to_hidden.weight, std=n_embedding**-0.5)
        nn.init.normal_(self.to_kernel.weight, std=(2 / (n_hidden * channels * n_values)) ** 0.5)
        nn.init.zeros_(self.to_hidden.bias)
        nn.init.zeros_(self.to_kernel.bias)

    def forward(
        self, embeddings: Float[Tensor, "n n_embedding"]
    ) -> Float[Tensor, "n channels channels *kernel"]:
        hidden = self.to_hidden(embeddings).unflatten(-1, (self.channels, -1))  # (n, in, hidden)
        return self.to_kernel(hidden).unflatten(-1, (self.channels, *self.kernel_size)).transpose(1, 2)


class HyperConv(nn.Module):
    """A convolution whose kernel a shared network predicts from embeddings, the layer's only own weights.

    Args:
        generator: the shared network.
        in_channels: channels of the input.
        out_channels: channels of the output.
        bias: learn a bias for each output channel.
        options: as `WindowOptions`.

    Attributes:
        embeddings: (out_channels / channels, in_channels / channels, n_embedding).

    Raises:
        ValueError: the generator's channels do not divide the layer's.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, out_channels, ..., frames').

    Source:
        As KernelGenerator.
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        generator: KernelGenerator,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        **options: Unpack[WindowOptions],
    ) -> None:
        super().__init__()
        if in_channels % generator.channels or out_channels % generator.channels:
            raise ValueError(
                f"the generator's kernels have {generator.channels} channels, expected a divisor of"
                f" in_channels ({in_channels}) and out_channels ({out_channels})"
            )
        self.generator, self.options = generator, options
        blocks = (out_channels // generator.channels, in_channels // generator.channels)
        # With kernels side by side, as many times more is summed.
        self.embeddings = nn.Parameter(torch.randn(*blocks, generator.n_embedding) / blocks[1] ** 0.5)
        self.register_parameter("bias", nn.Parameter(torch.zeros(out_channels)) if bias else None)

    def weight(self) -> Float[Tensor, "out_channels in_channels *kernel"]:
        """Predict the kernel.

        Returns:
            Its values.
        """
        made = self.generator(self.embeddings.flatten(0, 1)).unflatten(0, self.embeddings.shape[:2])
        return made.transpose(1, 2).flatten(2, 3).flatten(0, 1)

    def forward(
        self, x: Float[Tensor, "batch in_channels *positions"]
    ) -> Float[Tensor, "batch out_channels *positions_out"]:
        return convolve(x, self.weight(), self.bias, **self.options)
