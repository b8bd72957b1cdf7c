"""Network in network: small perceptrons that slide over the feature map in the place of convolutions."""

from __future__ import annotations

from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.backbones.plain import init_kaiming
from audiocnn.blocks.conv import conv
from audiocnn.blocks.global_pool import create_global_pool
from audiocnn.blocks.inception import MlpConv
from audiocnn.blocks.pool import create_pool

# (kernel_size, stride, channels of the convolutions) of each perceptron
Layers = tuple[tuple[int, int, tuple[int, ...]], ...]
IMAGENET: Layers = (
    (11, 4, (96, 96, 96)),
    (5, 1, (256, 256, 256)),
    (3, 1, (384, 384, 384)),
    (3, 1, (1024, 1024)),
)
CIFAR: Layers = ((5, 1, (192, 160, 96)), (5, 1, (192, 192, 192)), (3, 1, (192, 192)))
SMALL: Layers = ((5, 2, (32, 32, 32)), (3, 1, (64, 64, 64)), (3, 1, (128, 128)))

MEMBERS: dict[str, dict[str, Any]] = {
    "nin": {},
    "nin_cifar": {"layers": CIFAR},
    "nin_small": {"layers": SMALL, "norm": "batch", "drop": 0.2},
}


@register(MEMBERS)
class NiN(Backbone):
    """Sliding perceptrons, with a pooling by 2 and dropout between them.

    The classifier is the last layer of the last perceptron, and the mean of its feature maps.

    Args:
        layers: (kernel_size, stride, channels of the convolutions) of each perceptron.
        norm: of convolutions, as `create_norm`.
        pool: as `create_pool`.
        drop: dropout probability between perceptrons.
        common: dims, in_channels and act, as `Backbone`.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, last layer's channels, ..., ceil(frames / stride)), where
        the stride is that of the convolutions, times 2 for each pooling.

    Source:
        Lin, Chen, Yan, "Network in network", 2014, section 4; for ImageNet the authors' model in Caffe's
        collection.

    Differs:
        All layers pad, so that sizes are as above; no rectifier after the classifier's layer.
    """

    def __init__(
        self,
        *,
        layers: Layers = IMAGENET,
        norm: str = "none",
        pool: str = "max",
        drop: float = 0.5,
        **common: Any,
    ) -> None:
        super().__init__(norm=norm, **common)
        stages = []
        before, self.time_stride = self.in_channels, 1
        for i, (kernel_size, stride, widths) in enumerate(layers):
            stage = nn.Sequential()
            if i:
                stage.extend([create_pool(pool, 3, dims=self.dims, stride=2, padding=1), nn.Dropout(drop)])
                self.time_stride *= 2
            stage.append(MlpConv(before, tuple(widths), kernel_size, stride=stride, **self.layer_options))
            stages.append(stage)
            before = widths[-1]
            self.time_stride *= stride
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(widths[-1] for _, _, widths in layers)
        init_kaiming(self)

    def classifier(self, n_classes: int) -> nn.Module:
        return nn.Sequential(
            conv(self.out_channels, n_classes, 1, dims=self.dims), create_global_pool("average", n_classes)
        )
