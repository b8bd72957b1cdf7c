"""Baselines: what is to be learned from a image without any convolution."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.backbones.plain import fully_connected
from audiocnn.blocks.arguments import Size, per_axis

MEMBERS: dict[str, dict[str, Any]] = {
    "linear": {},
    "mlp": {"hidden": (512, 256), "drop": 0.2},
}


@register(MEMBERS)
class Perceptron(Backbone):
    """The image as it is; a perceptron over all of its cells, at a fixed size, is its classifier.

    Shape: (batch, in_channels, ..., frames) -> the same.
    Source: Rosenblatt, "The perceptron", 1958; with hidden layers: Rumelhart, Hinton, Williams, "Learning
    representations by back-propagating errors", 1986.

    Args:
        size: cells along each axis to which the classifier brings a image, by means.
        hidden: channels of the classifier's hidden layers; without any it is linear.
        drop: probability that a hidden value is missing in training.
    """

    def __init__(
        self,
        *,
        dims: int = 2,
        in_channels: int = 1,
        size: Size = 16,
        hidden: tuple[int, ...] = (),
        act: str = "relu",
        drop: float = 0.0,
    ) -> None:
        super().__init__(dims, in_channels)
        self.size, self.hidden, self.act, self.drop = size, hidden, act, drop
        per_axis(size, dims, "size")
        self.stages = nn.ModuleList([nn.Identity()])
        self.stage_channels = (in_channels,)
        self.time_stride = 1

    def classifier(self, n_classes: int) -> nn.Module:
        return fully_connected(
            self.in_channels, self.size, self.hidden, n_classes, dims=self.dims, act=self.act, drop=self.drop
        )
