"""MNasNet, without squeeze-and-excitation (B1)."""

from __future__ import annotations

from typing import Any

from audiocnn.backbones import register
from audiocnn.backbones.base import PretrainedWeights
from audiocnn.backbones.inverted import InvertedBackbone, Row, scale_channels, scale_rows

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
class MNasNet(InvertedBackbone):
    """A strided stem, seven stages of inverted bottlenecks, a 1x1 convolution.

    Args:
        width: channels of each feature map but the last for each of the paper's.
        depth: blocks for each of the paper's, rounded up.
        norm_momentum: of batch norm: each batch counts little, as in the paper's training of many epochs.
        common: dims, in_channels, norm, act, drop and head_drop, as `InvertedBackbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, 1280, ..., ceil(frames / 32)).

    Source:
        Tan et al., "MnasNet: platform-aware neural architecture search for mobile", 2019; the rows of its
        model B1, as in torchvision.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        depth: float = 1.0,
        norm_momentum: float = 1 - 0.9997,
        **common: Any,
    ) -> None:
        super().__init__(
            rows=scale_rows(ROWS, width, depth),
            stem_channels=scale_channels(32, width),
            last_channels=1280,
            norm_options={"eps": 1e-5, "momentum": norm_momentum},
            **common,
        )
