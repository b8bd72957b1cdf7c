"""ImageModel: images -> the logits of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from audiocnn.backbones.base import Backbone, to_channels_last
from audiocnn.labels import check_labels
from audiocnn.models.base import MODELS, BaseModel, check_part
from audiocnn.ranges import ArgumentError, Range

SIZE = 224  # pixels of a side, as ImageNet's images have been shown to networks since AlexNet


@MODELS.register
class ImageModel(BaseModel):
    """Predict the class of an image, by a backbone and the head that it was published with.

    Args:
        backbone: images to feature maps.
        n_classes: logits; the number of labels when None.
        labels: names of the classes, in the order of the logits; "class 0" and so on when None.
        size: pixels of a side of the squares that images are made into; `SIZE` when None.
        mean: subtracted from each channel, or from all of them.
        std: by which the difference is divided.

    Raises:
        ArgumentError: n_classes is no number from 2 on, or not that of the labels; a label is there twice, or
            no name; a number is out of its range; mean and std are not of one channel or of each.
        TypeError: backbone is something else.

    Shape:
        (batch, channels, height, width), from 0 to 1 -> logits (batch, n_classes).
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "n_classes": Range(2, 1_000_000, whole=True),
        "size": Range(1, 1 << 14, whole=True),
    }

    def __init__(
        self,
        backbone: Backbone,
        n_classes: int | None = None,
        labels: Sequence[str] | None = None,
        size: int | None = None,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        check_part("backbone", backbone, Backbone)
        if labels is not None:
            check_labels(labels)
        if n_classes is None and labels is None:
            expected = "a number from 2 on, or labels: data with a folder for each class have some"
            raise ArgumentError(f"n_classes is not given, expected {expected}")
        self.n_classes = len(labels or ()) if n_classes is None else n_classes
        if labels is not None and (self.n_classes != len(labels) or len(labels) < 2):
            expected = n_classes or "2 or more"
            raise ArgumentError(f"labels are {len(labels)}, expected as many as n_classes, {expected}")
        for name, values in (("mean", mean), ("std", std)):
            if len(values) not in (1, backbone.in_channels):
                raise ArgumentError(f"{name} is {values}, expected 1 or {backbone.in_channels} numbers")
        if min(std) <= 0:
            raise ArgumentError(f"std is {std}, expected numbers above 0")
        self.backbone = backbone
        self.labels = None if labels is None else list(labels)
        self.size, self.mean, self.std = size, tuple(mean), tuple(std)
        to_channels_last(backbone)
        self.head = backbone.classifier(self.n_classes)

    @property
    def outputs(self) -> list[str]:
        """Names of the logits."""
        return self.labels or [f"class {i}" for i in range(self.n_classes)]

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch n_classes"]:
        return self.head(self.backbone(self.normalise(images)))

    def normalise(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Compute the input of the backbone.

        Args:
            images: from 0 to 1.

        Returns:
            (images - mean) / std.
        """
        mean, std = (images.new_tensor(values).view(-1, 1, 1) for values in (self.mean, self.std))
        return (images - mean) / std
