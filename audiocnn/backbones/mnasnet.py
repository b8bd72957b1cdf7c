"""MNasNet, without squeeze-and-excitation (B1)."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone, PretrainedWeights, dropout_classifier
from audiocnn.backbones.inverted import Row, norm_with, scaled, scaled_rows, trunk_stages

ROWS = (
    Row(1, 16, 1, 1),
    Row(3, 24, 3, 2),
    Row(3, 40, 3, 2, 5),
    Row(6, 80, 3, 2, 5),
    Row(6, 96, 2, 1),
    Row(6, 192, 4, 2, 5),
    Row(6, 320, 1, 1),
)

# A network that trains for minutes cannot wait for a mean over thousands of batches.
MEMBERS: dict[str, dict[str, Any]] = {
    "mnasnet1_0": {},
    "mnasnet_small": {"width": 0.35, "depth": 0.5, "norm_momentum": 0.1},
}
WEIGHTS = {"mnasnet1_0": PretrainedWeights("mnasnet1.0_top1_73.512-f206786ef8.pth")}


@register(MEMBERS, WEIGHTS)
class MNasNet(Backbone):
    """A strided stem, seven stages of inverted bottlenecks, a 1x1 convolution.

    Shape: (batch, in_channels, ..., frames) -> (batch, 1280, ..., ceil(frames / 32)).
    Source: Tan et al., "MnasNet: platform-aware neural architecture search for mobile", 2019; the rows of its
    model B1, as in torchvision.

    Args:
        width: channels of each map but the last for each of the paper's.
        depth: blocks for each of the paper's, rounded up.
        norm_momentum: of batch norm: each batch counts little, as in the paper's training of many epochs.
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
        norm_momentum: float = 1 - 0.9997,
        act: str = "relu",
        drop: float = 0.0,
        head_drop: float = 0.2,
    ) -> None:
        super().__init__(dims, in_channels)
        self.head_drop = head_drop
        self.stages, self.stage_channels, self.time_stride = trunk_stages(
            in_channels,
            scaled(32, width),
            scaled_rows(ROWS, width, depth),
            1280,
            dims=dims,
            norm=norm_with(norm, eps=1e-5, momentum=norm_momentum),
            act=act,
            drop=drop,
        )

    def classifier(self, n_classes: int) -> nn.Module:
        return dropout_classifier(self.out_channels, n_classes, self.head_drop)
