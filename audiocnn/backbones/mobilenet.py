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
        dims: 1 or 2, the axes after channels.
        in_channels: channels of the input.
        width: channels of each feature map for each of the paper's; the last one never has fewer than the
            paper's.
        depth: blocks for each of the paper's, rounded up.
        norm: of convolutions, as `create_norm`.
        act: activation of convolutions, as `create_act`.
        drop: as `InvertedBackbone`; the paper has none.
        head_drop: dropout probability of the classifier.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, stage_channels[-1], ..., ceil(frames / 32)).

    Source:
        Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2.
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
        super().__init__(
            dims,
            in_channels,
            scale_rows(ROWS, width, depth),
            stem_channels=scale_channels(32, width),
            last_channels=scale_channels(1280, max(1.0, width)),
            norm=norm,
            act=act,
            drop=drop,
            head_drop=head_drop,
        )
