"""MobileNetV2."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone, PretrainedWeights, dropout_classifier
from audiocnn.backbones.inverted import Row, scaled, scaled_rows, trunk_stages

ROWS = (
    Row(1, 16, 1, 1),
    Row(6, 24, 2, 2),
    Row(6, 32, 3, 2),
    Row(6, 64, 4, 2),
    Row(6, 96, 3, 1),
    Row(6, 160, 3, 2),
    Row(6, 320, 1, 1),
)

MEMBERS: dict[str, dict[str, Any]] = {
    "mobilenet_v2": {},
    "mobilenet_small": {"width": 0.5, "depth": 0.5},
}
WEIGHTS = {"mobilenet_v2": PretrainedWeights("mobilenet_v2-b0353104.pth")}


@register(MEMBERS, WEIGHTS)
class MobileNetV2(Backbone):
    """A strided stem, seven stages of inverted bottlenecks, a 1x1 convolution.

    Shape: (batch, in_channels, ..., frames) -> (batch, stage_channels[-1], ..., ceil(frames / 32)).
    Source: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2.

    Args:
        width: channels of each map for each of the paper's; the last map's never fall below the paper's.
        depth: blocks for each of the paper's, rounded up.
        drop: as `inverted.trunk_stages`; the paper has none.
        head_drop: dropout of the classifier.
    """

    def __init__(
        self,
        *,
        dims: int = 2,
        in_channels: int = 1,
        width: float = 1.0,
        depth: float = 1.0,
        norm: str = "batch",
        act: str = "relu6",
        drop: float = 0.0,
        head_drop: float = 0.2,
    ) -> None:
        super().__init__(dims, in_channels)
        self.head_drop = head_drop
        self.stages, self.stage_channels, self.time_stride = trunk_stages(
            in_channels,
            scaled(32, width),
            scaled_rows(ROWS, width, depth),
            scaled(1280, max(1.0, width)),
            dims=dims,
            norm=norm,
            act=act,
            drop=drop,
        )

    def classifier(self, n_classes: int) -> nn.Module:
        return dropout_classifier(self.out_channels, n_classes, self.head_drop)
