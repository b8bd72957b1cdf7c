"""Maps of two pictures -> how far these differ: in content by the maps, in style by their statistics.

Conventions: maps are (batch, channels, ..., columns), of 1-D and 2-D networks alike. Shares (batch, 1, ...,
columns), where given, say how much each position counts; else all count the same. Losses are 0 where nothing
differs, and relative to what is aimed at: so their weights mean the same with every backbone and layer.
Differs: the papers' losses are not relative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

SMALLEST = 1e-8  # of what is divided by: maps that are 0 everywhere have no style to be relative to
EIGENVALUE = 1e-6  # added to those whose root is taken, relative to the covariance's trace


class Statistic(NamedTuple):
    """A kind of style: what is kept of maps, and how far two of it are apart."""

    of: Callable[[Tensor, Tensor | None], tuple[Tensor, ...]]
    distance: Callable[[tuple[Tensor, ...], tuple[Tensor, ...]], Tensor]


def content_loss(maps: Tensor, target: Tensor) -> Tensor:
    """The squared difference of maps, relative to the target's square.

    Source: Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", 2016, eq. 1.
    """
    return _relative((maps - target).square().sum(), target.square().sum())


def gram(maps: Tensor, shares: Tensor | None = None) -> Tensor:
    """How each two channels go together: the mean of their product over all positions.

    Shape: (batch, channels, ..., columns) -> (batch, channels, channels).
    Source: Gatys et al. 2016, equation 3, there a sum.
    """
    flat = maps.flatten(2)
    return (flat * _weights(flat, shares)) @ flat.transpose(1, 2)


def moments(maps: Tensor, shares: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The mean of each channel over all positions, and its deviation.

    Shape: (batch, channels, ..., columns) -> twice (batch, channels).
    Source: Huang and Belongie, "Arbitrary style transfer in real-time with adaptive instance normalization",
    2017, equations 5 and 6.
    """
    flat = maps.flatten(2)
    weights = _weights(flat, shares)
    mean = (flat * weights).sum(2)
    variance = ((flat - mean[..., None]).square() * weights).sum(2)
    return mean, (variance + SMALLEST).sqrt()


def _weights(flat: Tensor, shares: Tensor | None) -> Tensor:
    """The shares of the positions, in sum 1: (batch, 1, positions)."""
    if shares is None:
        return flat.new_full((1, 1, 1), 1 / flat.shape[2])
    return shares.flatten(2) / shares.flatten(2).sum(2, keepdim=True).clamp(min=SMALLEST)


def _relative(difference: Tensor, size: Tensor) -> Tensor:
    return difference / size.clamp(min=SMALLEST)


def _gram_of(maps: Tensor, shares: Tensor | None) -> tuple[Tensor, ...]:
    return (gram(maps, shares),)


def _squared(made: tuple[Tensor, ...], aim: tuple[Tensor, ...]) -> Tensor:
    difference = sum((a - b).square().sum() for a, b in zip(made, aim, strict=True))
    return _relative(torch.as_tensor(difference), torch.as_tensor(sum(b.square().sum() for b in aim)))


def _gaussian(maps: Tensor, shares: Tensor | None) -> tuple[Tensor, ...]:
    """Mean (batch, channels) and covariance (batch, channels, channels)."""
    mean, _ = moments(maps, shares)
    centred = maps - mean.unflatten(1, (-1, *(1,) * (maps.ndim - 2)))
    return mean, gram(centred, shares)


def _wasserstein(made: tuple[Tensor, ...], aim: tuple[Tensor, ...]) -> Tensor:
    """The squared 2-Wasserstein distance of two normal distributions.

    Source: Olkin and Pukelsheim, "The distance between two random vectors with given dispersion matrices",
    1982; as a style loss: github.com/crowsonkb/style-transfer-pytorch.
    """
    (mean, covariance), (mean_aim, covariance_aim) = made, aim
    root = _root(covariance_aim)
    size = covariance_aim.diagonal(dim1=1, dim2=2).sum()
    least = (EIGENVALUE * size).square().clamp(min=SMALLEST**2)
    roots = (_eigenvalues(root @ covariance @ root, least).clamp(min=0) + least).sqrt().sum()
    traces = covariance.diagonal(dim1=1, dim2=2).sum() + size
    difference = (mean - mean_aim).square().sum() + (traces - 2 * roots).clamp(min=0)
    return _relative(difference, mean_aim.square().sum() + size)


def _root(symmetric: Tensor) -> Tensor:
    """The symmetric root of a covariance matrix, of which no gradient is asked."""
    with torch.no_grad():
        values, vectors = torch.linalg.eigh(symmetric.double())
        return (vectors * values.clamp(min=0).sqrt()[:, None] @ vectors.transpose(1, 2)).to(symmetric)


def _eigenvalues(symmetric: Tensor, spread: Tensor) -> Tensor:
    """Eigenvalues, those that are equal told apart by up to `spread`.

    Maps have channels that are 0 everywhere: with many of them LAPACK fails in single precision.
    """
    even = (symmetric + symmetric.transpose(1, 2)).double() / 2
    steps = torch.linspace(0, 1, even.shape[1], dtype=even.dtype, device=even.device)
    return torch.linalg.eigvalsh(even + (spread * steps).diag()).to(symmetric)


STATISTICS = {
    "gram": Statistic(_gram_of, _squared),
    "moments": Statistic(moments, _squared),
    "wasserstein": Statistic(_gaussian, _wasserstein),
}


def total_variation(picture: Tensor) -> Tensor:
    """The mean square of the differences of neighbours along each axis: small where a picture is smooth.

    Shape: (batch, channels, ..., columns) -> ().
    Source: Mahendran and Vedaldi, "Understanding deep image representations by inverting them", 2015,
    section 3, with beta 2. Differs: a mean, whatever the size.
    """
    axes = range(2, picture.ndim)
    return torch.stack([picture.diff(dim=axis).square().mean() for axis in axes]).sum()
