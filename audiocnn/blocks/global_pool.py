"""Pooling of whole feature maps: any size in, a vector out; for 1-D and 2-D alike."""

from __future__ import annotations

from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose


class GlobalAverage(nn.Module):
    """The mean of each channel.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels).
    """

    def forward(self, x: Float[Tensor, "batch channels *positions"]) -> Float[Tensor, "batch channels"]:
        return x.flatten(2).mean(dim=2)


class GlobalMax(nn.Module):
    """The maximum of each channel.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels).
    """

    def forward(self, x: Float[Tensor, "batch channels *positions"]) -> Float[Tensor, "batch channels"]:
        return x.flatten(2).amax(dim=2)


class GlobalAttention(nn.Module):
    """The weighted mean of each channel; a small network predicts the weight of each position.

    Args:
        in_channels: channels of the input.
        hidden_channels: of the small network; as many as in_channels when None.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, in_channels).

    Source:
        Ilse, Tomczak, Welling, "Attention-based deep multiple instance learning", 2018, equations 7 and 8.

    Differs:
        The linear layers have biases.
    """

    def __init__(self, in_channels: int, hidden_channels: int | None = None) -> None:
        super().__init__()
        self.hidden = nn.Linear(in_channels, hidden_channels or in_channels)
        self.score = nn.Linear(hidden_channels or in_channels, 1)

    def forward(self, x: Float[Tensor, "batch in_channels *positions"]) -> Float[Tensor, "batch in_channels"]:
        return (x.flatten(2) * self.weights(x).flatten(1).unsqueeze(1)).sum(dim=2)

    def weights(self, x: Float[Tensor, "batch in_channels *positions"]) -> Float[Tensor, " batch *positions"]:
        """Predict the weight of each position; an example's add up to 1.

        Args:
            x: feature map.

        Returns:
            The weights.
        """
        scores = self.score(torch.tanh(self.hidden(x.flatten(2).transpose(1, 2))))
        return scores.squeeze(2).softmax(dim=1).reshape(x.shape[0], *x.shape[2:])


class SpatialPyramidPool(nn.Module):
    """The maximum of each channel in parts of the feature map, for each of several grids.

    Part i of n has the positions from floor(i a / n) to ceil((i + 1) a / n) of a, so that in feature maps
    smaller than a grid parts share positions.

    Args:
        levels: parts along each axis, for each grid.

    Raises:
        ValueError: a level is below 1.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels * sum of n^dims over levels): level by level, in it
        channel by channel, in it the parts in the order of the feature map.

    Source:
        He, Zhang, Ren, Sun, "Spatial pyramid pooling in deep convolutional networks for visual recognition",
        2014.
    """

    def __init__(self, levels: tuple[int, ...] = (1, 2, 4)) -> None:
        super().__init__()
        if not levels or min(levels) < 1:
            raise ValueError(f"levels are {levels}, expected numbers from 1 on")
        self.levels = tuple(levels)

    def forward(self, x: Float[Tensor, "batch channels *positions"]) -> Float[Tensor, "batch values"]:
        return torch.cat([self._level(x, n).flatten(1) for n in self.levels], dim=1)

    def _level(self, x: Tensor, n: int) -> Tensor:
        """Shape: (batch, channels, ..., frames) -> (batch, channels, n^dims)."""
        axes = [[slice(i * size // n, -(-(i + 1) * size // n)) for i in range(n)] for size in x.shape[2:]]
        return torch.stack([x[(..., *part)].flatten(2).amax(dim=2) for part in product(*axes)], dim=2)

    def out_channels(self, in_channels: int, *, dims: int) -> int:
        """Compute the length of the vector.

        Args:
            in_channels: channels of the input.
            dims: 1 or 2, the axes after channels.

        Returns:
            The number of values of each example.
        """
        return in_channels * sum(n**dims for n in self.levels)


GLOBAL_POOLS = {
    "average": lambda in_channels: GlobalAverage(),
    "max": lambda in_channels: GlobalMax(),
    "attention": GlobalAttention,
}


def create_global_pool(name: str, in_channels: int) -> nn.Module:
    """Create a pooling of whole feature maps, for 1-D and 2-D alike.

    Args:
        name: average, max or attention.
        in_channels: channels of the input.

    Returns:
        The pooling.

    Raises:
        ValueError: there is no pooling of this name.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, in_channels).
    """
    return choose(GLOBAL_POOLS, name, "global_pool")(in_channels)
