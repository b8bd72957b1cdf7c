"""Pooling of whole maps: any size in, a vector out; for 1-D and 2-D alike.

Conventions: maps are (batch, channels, frames) or (batch, channels, bins, frames).
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose


class GlobalAverage(nn.Module):
    """The mean of each channel.

    Shape: (batch, channels, ..., frames) -> (batch, channels).
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mean(dim=2)


class GlobalMax(nn.Module):
    """The largest of each channel.

    Shape: (batch, channels, ..., frames) -> (batch, channels).
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).amax(dim=2)


class GlobalAttention(nn.Module):
    """The mean of each channel, in which cells weigh as a small network finds them worth hearing.

    Shape: (batch, in_channels, ..., frames) -> (batch, in_channels).
    Source: Ilse, Tomczak, Welling, "Attention-based deep multiple instance learning", 2018, equations 7 and
    8.
    Differs: linear maps have biases.

    Args:
        hidden_channels: by default as many as in_channels.
    """

    def __init__(self, in_channels: int, hidden_channels: int | None = None) -> None:
        super().__init__()
        self.hidden = nn.Linear(in_channels, hidden_channels or in_channels)
        self.score = nn.Linear(hidden_channels or in_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        cells = x.flatten(2)
        return (cells * self.weights(x).flatten(1).unsqueeze(1)).sum(dim=2)

    def weights(self, x: Tensor) -> Tensor:
        """How much each cell counts, in sum 1.

        Shape: (batch, in_channels, ..., frames) -> (batch, ..., frames).
        """
        scores = self.score(torch.tanh(self.hidden(x.flatten(2).transpose(1, 2))))
        return scores.squeeze(2).softmax(dim=1).reshape(x.shape[0], *x.shape[2:])


class SpatialPyramidPool(nn.Module):
    """The largest of each channel in parts of the map, for each of several grids.

    Shape: (batch, channels, ..., frames) -> (batch, channels * sum of n^dims over levels): level by level, in
    it channel by channel, in it the parts in the order of the map.
    Raises: ValueError when a level is below 1.
    Source: He, Zhang, Ren, Sun, "Spatial pyramid pooling in deep convolutional networks for visual
    recognition", 2014. Part i of n has the cells from floor(i a / n) to ceil((i + 1) a / n) of a, so that
    maps smaller than a grid have parts that share cells.

    Args:
        levels: parts along each axis, for each grid.
    """

    def __init__(self, levels: tuple[int, ...] = (1, 2, 4)) -> None:
        super().__init__()
        if not levels or min(levels) < 1:
            raise ValueError(f"levels are {levels}, expected numbers from 1 on")
        self.levels = tuple(levels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self._level(x, n).flatten(1) for n in self.levels], dim=1)

    def _level(self, x: Tensor, n: int) -> Tensor:
        """Shape: (batch, channels, ..., frames) -> (batch, channels, n^dims)."""
        axes = [[slice(i * size // n, -(-(i + 1) * size // n)) for i in range(n)] for size in x.shape[2:]]
        return torch.stack([x[(..., *part)].flatten(2).amax(dim=2) for part in product(*axes)], dim=2)

    def out_channels(self, in_channels: int, *, dims: int) -> int:
        """Length of the vector that maps of so many channels give."""
        return in_channels * sum(n**dims for n in self.levels)


GLOBAL_POOLS = {
    "average": lambda in_channels: GlobalAverage(),
    "max": lambda in_channels: GlobalMax(),
    "attention": GlobalAttention,
}


def global_pool(name: str, in_channels: int) -> nn.Module:
    """A pooling of whole maps by name: average, max or attention; in 1-D and 2-D alike.

    Shape: (batch, in_channels, ..., frames) -> (batch, in_channels).
    Raises: ValueError when there is no pooling of this name.
    """
    return choose(GLOBAL_POOLS, name, "global_pool")(in_channels)
