"""Normalisations by name, written once for 1-D and 2-D.

Every norm but "none" learns a scale and a shift for each channel. A convolution before one needs no bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose

# A name of NORMS, or a callable that makes a norm of (channels, dims=dims), such as
# partial(create_norm, "batch", eps=1e-3).
Norm = str | Callable[..., nn.Module]
BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
INSTANCE_NORMS = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d}
MAX_GROUPS = 32  # as in Wu and He


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each position: mean 0 and variance 1.

    Shape:
        (batch, channels, ..., frames) -> the same.

    Source:
        Ba, Kiros, Hinton, "Layer normalization", 2016; over channels alone, as Liu et al., "A ConvNet for the
        2020s", 2022: frames stay independent of each other, and the size of a feature map is free.
    """

    def forward(
        self, input: Float[Tensor, "batch channels *positions"]
    ) -> Float[Tensor, "batch channels *positions"]:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def _batch(channels: int, dims: int, eps: float, momentum: float) -> nn.Module:
    return choose(BATCH_NORMS, dims, "dims")(channels, eps=eps, momentum=momentum)


def _instance(channels: int, dims: int, eps: float, momentum: float) -> nn.Module:
    return choose(INSTANCE_NORMS, dims, "dims")(channels, eps=eps, affine=True)


def _layer(channels: int, dims: int, eps: float, momentum: float) -> nn.Module:
    return LayerNorm(channels, eps=eps)


def _layer_all(channels: int, dims: int, eps: float, momentum: float) -> nn.Module:
    return nn.GroupNorm(1, channels, eps=eps)


def _group(channels: int, dims: int, eps: float, momentum: float) -> nn.Module:
    return nn.GroupNorm(math.gcd(channels, MAX_GROUPS), channels, eps=eps)


def _none(channels: int, dims: int, eps: float, momentum: float) -> nn.Module:
    return nn.Identity()


NORMS: dict[str, Callable[[int, int, float, float], nn.Module]] = {
    "batch": _batch,
    "instance": _instance,
    "layer": _layer,
    "layer_all": _layer_all,
    "group": _group,
    "none": _none,
}


def create_response_norm() -> nn.LocalResponseNorm:
    """Create a local response normalisation, which divides each value by those of neighbouring channels.

    Returns:
        The normalisation, without parameters, for feature maps of any shape.

    Source:
        Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks",
        2012, section 3.3, with its constants; its alpha, 1e-4, is for a sum over 5 channels, torch's for
        their mean.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)


def create_norm(
    name: Norm, channels: int, *, dims: int, eps: float = 1e-5, momentum: float = 0.1
) -> nn.Module:
    """Create a normalisation.

    Args:
        name: batch (each channel over all examples and positions), instance (each channel over an example's
            positions), layer (an example's channels at each position), layer_all (an example's channels and
            positions together: group with one group), group (an example's positions and a group of channels)
            or none; or what makes a norm of (channels, dims=dims).
        channels: of the feature map.
        dims: 1 or 2, the axes after channels.
        eps: added to the variance.
        momentum: of the running mean and variance, which batch norm alone has.

    Returns:
        The normalisation.

    Raises:
        ValueError: there is no norm of this name.

    Shape:
        (batch, channels, ..., frames) -> the same.

    Source:
        batch: Ioffe and Szegedy, 2015; instance: Ulyanov, Vedaldi, Lempitsky, 2016; layer_all: Ba, Kiros,
        Hinton, "Layer normalization", 2016; layer: as `LayerNorm`; group: Wu and He, 2018.

    Differs:
        The groups are 32 where that divides the channels, else the largest power of 2 that does.
    """
    if not isinstance(name, str):
        return name(channels, dims=dims)
    return choose(NORMS, name, "norm")(channels, dims, eps, momentum)
