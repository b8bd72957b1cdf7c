"""MobileNetV2."""

from __future__ import annotations

from typing import Any

from audiocnn.backbones import register
from audiocnn.backbones.base import PretrainedWeights
from audiocnn.backbones.inverted import InvertedBackbone, Row, scale_channels, scale_rows

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
class MobileNetV2(InvertedBackbone):
    """A strided stem, seven stages of inverted bottlenecks, a 1x1 convolution.

    Args:
        width: channels of each feature map for each of the paper's; the last one never has fewer than the
            paper's.
        depth: blocks for each of the paper's, rounded up.
        act: activation of convolutions, as `create_act`.
        common: dims, in_channels, norm, drop and head_drop, as `InvertedBackbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, stage_channels[-1], ..., ceil(frames / 32)).

    Source:
        Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        depth: float = 1.0,
        act: str = "relu6",
        **common: Any,
    ) -> None:
        super().__init__(
            rows=scale_rows(ROWS, width, depth),
            stem_channels=scale_channels(32, width),
            last_channels=scale_channels(1280, max(1.0, width)),
            norm_options={},
            act=act,
            **common,
        )
