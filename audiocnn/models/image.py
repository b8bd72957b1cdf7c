"""ImageModel: images -> the logits of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.backbones.base import Backbone, to_channels_last
from audiocnn.models.base import MODELS, check_part
from audiocnn.ranges import Range
from audiocnn.registry import InitArgs


@MODELS.register
class ImageModel(InitArgs, nn.Module):
    """Predict the class of an image, by a backbone and the head that it was published with.

    Args:
        backbone: images to feature maps.
        n_classes: logits.

    Raises:
        ValueError: n_classes is no number from 2 on.
        TypeError: backbone is something else.

    Shape:
        (batch, channels, height, width), from 0 to 1 -> logits (batch, n_classes).
    """

    ranges: ClassVar[Mapping[str, Range]] = {"n_classes": Range(2, 1_000_000, whole=True)}

    def __init__(self, backbone: Backbone, n_classes: int) -> None:
        super().__init__()
        check_part("backbone", backbone, Backbone)
        self.backbone, self.n_classes = backbone, n_classes
        to_channels_last(backbone)
        self.head = backbone.classifier(n_classes)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch n_classes"]:
        return self.head(self.backbone(images))
