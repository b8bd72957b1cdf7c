"""Losses of style transfer: content by the values of feature maps, style by statistics of them.

Conventions: feature maps are (batch, channels, ..., columns), of 1-D and 2-D networks alike. Losses are 0
where nothing differs, and relative to the energy of the target, so that their weights mean the same with
every backbone and layer. They are averaged over the batch.

Differs: the papers' losses are not relative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST = 1e-8  # of a divisor: feature maps may be 0 everywhere
EIGENVALUE = 1e-6  # added to eigenvalues before their root is taken, relative to the trace


class Moments(NamedTuple):
    """First and second moments of feature maps over their positions, from which statistics are computed.

    Moments of an image are the sums of the moments of its tiles, weighted by one over all positions.

    Attributes:
        mean: of each channel, (batch, channels).
        second_moment: mean product of each pair of channels, (batch, channels, channels).
    """

    mean: Float[Tensor, "batch channels"]
    second_moment: Float[Tensor, "batch channels channels"]


class Statistic(NamedTuple):
    """A statistic of style.

    Attributes:
        of: computes the statistic from moments.
        distance: distance of two values of the statistic; its arguments are the value and the target.
    """

    of: Callable[[Moments], tuple[Tensor, ...]]
    distance: Callable[[tuple[Tensor, ...], tuple[Tensor, ...]], Tensor]


def content_loss(
    maps: Float[Tensor, "batch channels *positions"], target: Float[Tensor, "batch channels *positions"]
) -> Float[Tensor, ""]:
    """Compute the squared error of feature maps, relative to the energy of the target.

    Args:
        maps: feature maps of an image.
        target: feature maps of the content.

    Returns:
        A scalar, the mean over the batch.

    Source:
        Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", 2016, equation 1.
    """
    return relative(_square(maps - target), _square(target))


def compute_moments(
    maps: Float[Tensor, "batch channels *positions"],
    weights: Float[Tensor, "#batch 1 *positions"] | float | None = None,
) -> Moments:
    """Compute the moments of feature maps over their positions.

    Args:
        maps: feature maps of images.
        weights: weight of each position, or one for all; when None they are equal and sum to 1.

    Returns:
        The moments.
    """
    flat = maps.flatten(2)
    if weights is None:
        weights = 1 / flat.shape[2]
    if isinstance(weights, Tensor):
        each = weights.flatten(2)
        return Moments((flat * each).sum(2), _Products.apply(flat * each.sqrt()))
    return Moments(flat.sum(2) * weights, _Products.apply(flat) * weights)


class _Products(torch.autograd.Function):
    """flat @ flat.T, whose backward pass allocates one gradient as large as flat; autograd's has two."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        ctx.save_for_backward(flat)
        return flat @ flat.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (flat,), (gradient,) = ctx.saved_tensors, grad_outputs
        return (gradient + gradient.transpose(1, 2)).to(flat) @ flat


def normalize_weights(
    shares: Float[Tensor, "batch 1 *positions"],
) -> Float[Tensor, "batch 1 *positions"]:
    """Normalise the weights of positions so that they sum to 1.

    Args:
        shares: 0 or more.

    Returns:
        The weights; all 0 where all shares are.
    """
    axes = tuple(range(1, shares.ndim))
    return shares / shares.sum(axes, keepdim=True).clamp(min=SMALLEST)


def gram(moments: Moments) -> tuple[Float[Tensor, "batch channels channels"]]:
    """Return the Gram matrix.

    Args:
        moments: of feature maps.

    Returns:
        The mean product of each pair of channels.

    Source:
        Gatys et al. 2016, equation 3.

    Differs:
        A mean over positions, where the paper has a sum.
    """
    return (moments.second_moment,)


def mean_and_deviation(
    moments: Moments,
) -> tuple[Float[Tensor, "batch channels"], Float[Tensor, "batch channels"]]:
    """Compute the mean and standard deviation of each channel.

    Args:
        moments: of feature maps.

    Returns:
        The means, and the standard deviations.

    Source:
        Huang and Belongie, "Arbitrary style transfer in real-time with adaptive instance normalization",
        2017, equations 5 and 6.
    """
    variance = moments.second_moment.diagonal(dim1=1, dim2=2) - moments.mean.square()
    return moments.mean, (variance.clamp(min=0) + SMALLEST).sqrt()


def gaussian(
    moments: Moments,
) -> tuple[Float[Tensor, "batch channels"], Float[Tensor, "batch channels channels"]]:
    """Compute the parameters of the normal distribution with these moments.

    Args:
        moments: of feature maps.

    Returns:
        The mean and the covariance.
    """
    mean, second_moment = moments
    return mean, second_moment - mean[:, :, None] * mean[:, None]


def relative(difference: Float[Tensor, "*batch"], size: Float[Tensor, "*batch"]) -> Float[Tensor, ""]:
    """Divide squared errors by the energy of the target.

    Args:
        difference: sums of squared differences.
        size: sums of the target's squares.

    Returns:
        A scalar, the mean over the batch.
    """
    return (difference / size.clamp(min=SMALLEST)).mean()


def _square(values: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """The sum of squares of each example of the batch."""
    return values.flatten(1).square().sum(1)


def _squared(value: tuple[Tensor, ...], target: tuple[Tensor, ...]) -> Tensor:
    difference = torch.stack([_square(a - b) for a, b in zip(value, target, strict=True)])
    return relative(difference.sum(0), torch.stack([_square(b) for b in target]).sum(0))


def _wasserstein(value: tuple[Tensor, ...], target: tuple[Tensor, ...]) -> Tensor:
    """The squared 2-Wasserstein distance of two normal distributions.

    Source: Olkin and Pukelsheim, "The distance between two random vectors with given dispersion matrices",
    1982; as a style loss: github.com/crowsonkb/style-transfer-pytorch.
    """
    (mean, covariance), (target_mean, target_covariance) = value, target
    root = _root(target_covariance)
    size = target_covariance.diagonal(dim1=1, dim2=2).sum(1)
    smallest = (EIGENVALUE * size).square().clamp(min=SMALLEST**2)[:, None]
    roots = (_eigenvalues(root @ covariance @ root, smallest).clamp(min=0) + smallest).sqrt().sum(1)
    traces = covariance.diagonal(dim1=1, dim2=2).sum(1) + size
    difference = _square(mean - target_mean) + (traces - 2 * roots).clamp(min=0)
    return relative(difference, _square(target_mean) + size)


def _root(symmetric: Tensor) -> Tensor:
    """The symmetric square root of a covariance matrix, without a gradient."""
    with torch.no_grad():
        values, vectors = torch.linalg.eigh(symmetric.double())
        return (vectors * values.clamp(min=0).sqrt()[:, None] @ vectors.transpose(1, 2)).to(symmetric)


def _eigenvalues(symmetric: Tensor, spread: Tensor) -> Tensor:
    """Eigenvalues, equal ones made distinct by offsets of up to `spread`, (batch, 1).

    Feature maps have channels that are 0 everywhere: with many of them LAPACK fails in single precision.
    """
    even = (symmetric + symmetric.transpose(1, 2)).double() / 2
    steps = torch.linspace(0, 1, even.shape[1], dtype=even.dtype, device=even.device)
    return torch.linalg.eigvalsh(even + (spread * steps).diag_embed()).to(symmetric)


STATISTICS = {
    "gram": Statistic(gram, _squared),
    "moments": Statistic(mean_and_deviation, _squared),
    "wasserstein": Statistic(gaussian, _wasserstein),
}


def total_variation(image: Float[Tensor, "batch channels *positions"]) -> Float[Tensor, ""]:
    """Compute the squared total variation: the mean squared difference of neighbours, summed over axes.

    It is 0 along an axis of one position.

    Args:
        image: with one or two spatial axes.

    Returns:
        A scalar.

    Source:
        Mahendran and Vedaldi, "Understanding deep image representations by inverting them", 2015, section 3,
        with beta 2.

    Differs:
        A mean, which does not depend on the size of the image.
    """
    differences = [image.diff(dim=axis) for axis in range(2, image.ndim)]
    return torch.stack([one.square().sum() / max(one.numel(), 1) for one in differences]).sum()
