"""What networks without shortcuts share: their start, small inputs, and fully connected heads."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones.base import Backbone
from audiocnn.blocks.act import act as act_layer
from audiocnn.blocks.arguments import Size, per_axis

FIXED_SIZE_POOLS = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}


def start_rectified(module: nn.Module) -> None:
    """Draws the weights of all convolutions so that maps keep their size through any depth; biases 0.

    Without norms torch's own start lets the maps of deep networks fade.
    Source: He et al., "Delving deep into rectifiers", 2015, equation 10.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class SurroundedNet(Backbone):
    """A network whose layers may pad less than the contract asks: small inputs are surrounded with zeros.

    Attributes:
        least: cells along each axis that its layers need.
    """

    least: int

    def features(self, x: Tensor) -> list[Tensor]:
        return super().features(surrounded(x, self.least))

    @cached_property
    def receptive_field(self) -> float:
        """As of every backbone; measured without zeros, beside which the smallest inputs all look alike."""
        return self.measured_field(nn.Sequential(*self.stages), max(self.least, self.time_stride))


def surrounded(x: Tensor, least: int) -> Tensor:
    """The map, with zeros around it where an axis has less than `least` cells.

    Shape: (batch, channels, ..., frames) -> (batch, channels, ..., at least `least`).
    """
    sides: list[int] = []
    for size in x.shape[2:]:
        missing = max(0, least - size)
        sides = [missing // 2, missing - missing // 2, *sides]
    return functional.pad(x, sides) if any(sides) else x


def fully_connected(
    in_channels: int,
    size: Size,
    hidden: tuple[int, ...],
    n_classes: int,
    *,
    dims: int,
    act: str = "relu",
    drop: float = 0.0,
) -> nn.Sequential:
    """A perceptron over a map that is brought to a fixed size by means.

    Shape: (batch, in_channels, ..., frames) -> (batch, n_classes).

    Args:
        size: cells along each axis that the perceptron sees.
        hidden: channels of its hidden layers.
        drop: probability that a hidden value is missing in training.
    """
    cells = per_axis(size, dims, "size")
    width = in_channels
    for n in cells:
        width *= n
    head = nn.Sequential(FIXED_SIZE_POOLS[dims](cells), nn.Flatten())
    for channels in hidden:
        head.extend([nn.Linear(width, channels), act_layer(act), nn.Dropout(drop)])
        width = channels
    return head.append(nn.Linear(width, n_classes))
