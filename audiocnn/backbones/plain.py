"""Initialisation, small inputs and fully connected heads of networks without shortcuts."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones.base import Backbone
from audiocnn.blocks.act import create_act
from audiocnn.blocks.arguments import Size, to_tuple

# padding -> whether the last window of a pooling may reach over the edge
OVER_EDGE = {"same": True, "published": False}
FIXED_SIZE_POOLS = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}


def init_kaiming(module: nn.Module) -> None:
    """Initialise all convolutions so that the variance of features stays the same through any depth.

    Without norms torch's own initialisation lets the features of deep networks fade. Biases become 0.

    Args:
        module: changed in place.

    Source:
        He et al., "Delving deep into rectifiers", 2015, equation 10.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class MinSizeBackbone(Backbone):
    """A network whose layers may pad less than the contract asks: small inputs are padded with zeros.

    Args:
        min_size: positions along each axis that its layers need.
        common: dims, in_channels, norm and act, as `Backbone`.

    Attributes:
        min_size: as given.
    """

    def __init__(self, *, min_size: int, **common: Any) -> None:
        super().__init__(**common)
        self.min_size = min_size

    def features(self, x: Float[Tensor, "batch in_channels *positions"]) -> list[Tensor]:
        return super().features(pad_to_size(x, self.min_size))

    @cached_property
    def receptive_field(self) -> float:
        """As of every backbone; measured without the zeros around small inputs."""
        return self.measure_receptive_field(nn.Sequential(*self.stages), max(self.min_size, self.time_stride))


def pad_to_size(
    x: Float[Tensor, "batch channels *positions"], min_size: int
) -> Float[Tensor, "batch channels *positions_out"]:
    """Pad a feature map with zeros on both sides where an axis is too short.

    Args:
        x: feature map.
        min_size: positions that each axis shall have.

    Returns:
        The feature map, with the input in the middle.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., max(frames, min_size)).
    """
    sides: list[int] = []
    for size in x.shape[2:]:
        missing = max(0, min_size - size)
        sides = [missing // 2, missing - missing // 2, *sides]
    return functional.pad(x, sides) if any(sides) else x


def create_mlp_head(
    in_channels: int,
    size: Size,
    hidden: tuple[int, ...],
    n_classes: int,
    *,
    dims: int,
    act: str = "relu",
    drop: float = 0.0,
) -> nn.Sequential:
    """Create a fully connected head over a feature map that is averaged to a fixed size.

    Args:
        in_channels: channels of the feature map.
        size: positions along each axis of the averaged feature map.
        hidden: values of each hidden layer.
        n_classes: number of classes.
        dims: 1 or 2, the axes after channels.
        act: of the hidden layers, as `create_act`.
        drop: dropout probability of a hidden value.

    Returns:
        The head.

    Raises:
        ValueError: as `create_act`, or a size is none.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, n_classes).
    """
    sizes = to_tuple(size, dims, "size")
    width = in_channels * math.prod(sizes)
    head = nn.Sequential(FIXED_SIZE_POOLS[dims](sizes), nn.Flatten())
    for channels in hidden:
        head.extend([nn.Linear(width, channels), create_act(act), nn.Dropout(drop)])
        width = channels
    return head.append(nn.Linear(width, n_classes))
