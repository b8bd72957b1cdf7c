"""ImageModel: images to the logits of classes."""

from __future__ import annotations

from torch import Tensor, nn

from audiocnn.backbones.base import Backbone, to_channels_last
from audiocnn.models.base import MODELS
from audiocnn.registry import InitArgs


@MODELS.register
class ImageModel(InitArgs, nn.Module):
    """Which class a image is of, by a backbone and the head that it was published with.

    Shape: (batch, channels, rows, columns), from 0 to 1 -> logits (batch, n_classes).
    Raises: ValueError when n_classes is below 2.

    Args:
        backbone: images to maps.
    """

    def __init__(self, backbone: Backbone, n_classes: int) -> None:
        super().__init__()
        if n_classes < 2:
            raise ValueError(f"n_classes is {n_classes}, expected at least 2")
        self.backbone, self.n_classes = backbone, n_classes
        to_channels_last(backbone)
        self.head = backbone.classifier(n_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))
