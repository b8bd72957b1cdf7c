"""TextModel: the tokens of a sentence -> the logits of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from audiocnn.backbones.base import Backbone
from audiocnn.models.base import MODELS, check_part
from audiocnn.ranges import Range
from audiocnn.registry import InitArgs


@MODELS.register
class TextModel(InitArgs, nn.Module):
    """Predict the class of a sentence, by a backbone and the head that it was published with.

    Args:
        backbone: tokens to feature maps.
        n_classes: logits.

    Raises:
        ValueError: n_classes is no number from 2 on.
        TypeError: backbone is something else.

    Shape:
        (batch, words) of tokens below the backbone's in_channels -> logits (batch, n_classes).
    """

    ranges: ClassVar[Mapping[str, Range]] = {"n_classes": Range(2, 1_000_000, whole=True)}

    def __init__(self, backbone: Backbone, n_classes: int) -> None:
        super().__init__()
        check_part("backbone", backbone, Backbone)
        self.backbone, self.n_classes = backbone, n_classes
        self.head = backbone.classifier(n_classes)

    def forward(self, tokens: Int[Tensor, "batch words"]) -> Float[Tensor, "batch n_classes"]:
        return self.head(self.backbone(tokens))
