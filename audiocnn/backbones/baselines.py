"""Baselines: classifiers without any convolution."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.backbones.plain import create_mlp_head
from audiocnn.blocks.arguments import Size, to_tuple

MEMBERS: dict[str, dict[str, Any]] = {
    "linear": {},
    "mlp": {"hidden": (512, 256), "drop": 0.2},
}


@register(MEMBERS)
class Perceptron(Backbone):
    """The input as it is; the classifier is a perceptron over all of its values, averaged to a fixed size.

    Args:
        dims: 1 or 2, the axes after channels.
        in_channels: channels of the input, as `Backbone`.
        size: positions along each axis to which the classifier averages its input.
        hidden: values of each of the classifier's hidden layers; without any it is linear.
        act: activation of convolutions, as `create_act`.
        drop: dropout probability of the hidden layers.

    Shape:
        (batch, in_channels, ..., frames) -> the same.

    Source:
        Rosenblatt, "The perceptron", 1958; with hidden layers: Rumelhart, Hinton, Williams, "Learning
        representations by back-propagating errors", 1986.
    """

    def __init__(
        self,
        *,
        dims: int = 2,
        in_channels: int | None = None,
        size: Size = 16,
        hidden: tuple[int, ...] = (),
        act: str = "relu",
        drop: float = 0.0,
    ) -> None:
        super().__init__(dims, in_channels, act=act)
        self.size, self.hidden, self.drop = size, hidden, drop
        to_tuple(size, dims, "size")
        self.stages = nn.ModuleList([nn.Identity()])
        self.stage_channels = (self.in_channels,)
        self.time_stride = 1

    def classifier(self, n_classes: int) -> nn.Module:
        return create_mlp_head(
            self.in_channels, self.size, self.hidden, n_classes, dims=self.dims, act=self.act, drop=self.drop
        )
