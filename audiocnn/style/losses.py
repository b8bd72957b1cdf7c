"""Maps of two images -> how far these differ: in content by the maps, in style by their statistics.

Conventions: maps are (batch, channels, ..., columns), of 1-D and 2-D networks alike. Losses are 0 where
nothing differs, and relative to what is aimed at: so their weights mean the same with every backbone and
layer. Of a batch they are the mean.
Differs: the papers' losses are not relative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

SMALLEST = 1e-8  # of what is divided by: maps that are 0 everywhere have no style to be relative to
EIGENVALUE = 1e-6  # added to those whose root is taken, relative to the covariance's trace


class Sums(NamedTuple):
    """What styles are made of: means over positions, which those of a image's parts add up to.

    Shape: of each channel (batch, channels), of the products of each two (batch, channels, channels).
    """

    mean: Tensor
    second: Tensor


class Statistic(NamedTuple):
    """A kind of style: what is made of the sums, and how far two of it are apart."""

    of: Callable[[Sums], tuple[Tensor, ...]]
    distance: Callable[[tuple[Tensor, ...], tuple[Tensor, ...]], Tensor]


def content_loss(maps: Tensor, target: Tensor) -> Tensor:
    """The squared difference of maps, relative to the target's square.

    Source: Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", 2016, eq. 1.
    """
    return relative(_square(maps - target), _square(target))


def sums(maps: Tensor, weights: Tensor | float | None = None) -> Sums:
    """The means of maps (batch, channels, ..., columns) over their positions.

    Args:
        weights: of the positions, (batch, 1, ..., columns), or of each; such that all are 1 in sum when None.
    """
    flat = maps.flatten(2)
    if weights is None:
        weights = 1 / flat.shape[2]
    if isinstance(weights, Tensor):
        each = weights.flatten(2)
        return Sums((flat * each).sum(2), _Products.apply(flat * each.sqrt()))
    return Sums(flat.sum(2) * weights, _Products.apply(flat) * weights)


class _Products(torch.autograd.Function):
    """flat @ flat.T, whose own gradient holds two gradients as large as the maps, where one does."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        ctx.save_for_backward(flat)
        return flat @ flat.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (flat,) = ctx.saved_tensors
        return (gradient + gradient.transpose(1, 2)).to(flat) @ flat


def weights_of(shares: Tensor) -> Tensor:
    """Shares of positions (batch, 1, ..., columns) -> the same, 1 in sum; 0 where there are none."""
    axes = tuple(range(1, shares.ndim))
    return shares / shares.sum(axes, keepdim=True).clamp(min=SMALLEST)


def gram(sums: Sums) -> tuple[Tensor]:
    """How each two channels go together: the mean of their product, (batch, channels, channels).

    Source: Gatys et al. 2016, equation 3, there a sum.
    """
    return (sums.second,)


def moments(sums: Sums) -> tuple[Tensor, Tensor]:
    """The mean of each channel and its deviation, (batch, channels) each.

    Source: Huang and Belongie, "Arbitrary style transfer in real-time with adaptive instance normalization",
    2017, equations 5 and 6.
    """
    variance = sums.second.diagonal(dim1=1, dim2=2) - sums.mean.square()
    return sums.mean, (variance.clamp(min=0) + SMALLEST).sqrt()


def gaussian(sums: Sums) -> tuple[Tensor, Tensor]:
    """Mean (batch, channels) and covariance (batch, channels, channels)."""
    return sums.mean, sums.second - sums.mean[:, :, None] * sums.mean[:, None]


def relative(difference: Tensor, size: Tensor) -> Tensor:
    """Sums of squared differences, relative to the squares of what is aimed at, in the mean."""
    return (difference / size.clamp(min=SMALLEST)).mean()


def _square(values: Tensor) -> Tensor:
    """The sum of squares of each of a batch, (batch,)."""
    return values.flatten(1).square().sum(1)


def _squared(made: tuple[Tensor, ...], aim: tuple[Tensor, ...]) -> Tensor:
    difference = torch.stack([_square(a - b) for a, b in zip(made, aim, strict=True)])
    return relative(difference.sum(0), torch.stack([_square(b) for b in aim]).sum(0))


def _wasserstein(made: tuple[Tensor, ...], aim: tuple[Tensor, ...]) -> Tensor:
    """The squared 2-Wasserstein distance of two normal distributions.

    Source: Olkin and Pukelsheim, "The distance between two random vectors with given dispersion matrices",
    1982; as a style loss: github.com/crowsonkb/style-transfer-pytorch.
    """
    (mean, covariance), (mean_aim, covariance_aim) = made, aim
    root = _root(covariance_aim)
    size = covariance_aim.diagonal(dim1=1, dim2=2).sum(1)
    least = (EIGENVALUE * size).square().clamp(min=SMALLEST**2)[:, None]
    roots = (_eigenvalues(root @ covariance @ root, least).clamp(min=0) + least).sqrt().sum(1)
    traces = covariance.diagonal(dim1=1, dim2=2).sum(1) + size
    difference = _square(mean - mean_aim) + (traces - 2 * roots).clamp(min=0)
    return relative(difference, _square(mean_aim) + size)


def _root(symmetric: Tensor) -> Tensor:
    """The symmetric root of a covariance matrix, of which no gradient is asked."""
    with torch.no_grad():
        values, vectors = torch.linalg.eigh(symmetric.double())
        return (vectors * values.clamp(min=0).sqrt()[:, None] @ vectors.transpose(1, 2)).to(symmetric)


def _eigenvalues(symmetric: Tensor, spread: Tensor) -> Tensor:
    """Eigenvalues, those that are equal told apart by up to `spread`, (batch, 1).

    Maps have channels that are 0 everywhere: with many of them LAPACK fails in single precision.
    """
    even = (symmetric + symmetric.transpose(1, 2)).double() / 2
    steps = torch.linspace(0, 1, even.shape[1], dtype=even.dtype, device=even.device)
    return torch.linalg.eigvalsh(even + (spread * steps).diag_embed()).to(symmetric)


STATISTICS = {
    "gram": Statistic(gram, _squared),
    "moments": Statistic(moments, _squared),
    "wasserstein": Statistic(gaussian, _wasserstein),
}


def total_variation(image: Tensor) -> Tensor:
    """The mean square of the differences of neighbours along each axis: small where a image is smooth.

    Shape: (batch, channels, ..., columns) -> ().
    Source: Mahendran and Vedaldi, "Understanding deep image representations by inverting them", 2015,
    section 3, with beta 2. Differs: a mean, whatever the size.
    """
    axes = range(2, image.ndim)
    return torch.stack([image.diff(dim=axis).square().mean() for axis in axes]).sum()
