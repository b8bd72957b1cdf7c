"""ImageModel: images -> the logits of classes."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.backbones.base import Backbone, to_channels_last
from audiocnn.models.base import MODELS
from audiocnn.registry import InitArgs


@MODELS.register
class ImageModel(InitArgs, nn.Module):
    """Predict the class of an image, by a backbone and the head that it was published with.

    Args:
        backbone: images to feature maps.
        n_classes: logits.

    Raises:
        ValueError: n_classes is below 2.

    Shape:
        (batch, channels, height, width), from 0 to 1 -> logits (batch, n_classes).
    """

    def __init__(self, backbone: Backbone, n_classes: int) -> None:
        super().__init__()
        if n_classes < 2:
            raise ValueError(f"n_classes is {n_classes}, expected at least 2")
        self.backbone, self.n_classes = backbone, n_classes
        to_channels_last(backbone)
        self.head = backbone.classifier(n_classes)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch n_classes"]:
        return self.head(self.backbone(images))
