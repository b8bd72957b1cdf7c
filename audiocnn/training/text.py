"""TextTask: a classifier of sentences trained by cross-entropy."""

from __future__ import annotations

from typing import Any

import torch

from audiocnn.backbones import Backbone
from audiocnn.models.text import TextModel
from audiocnn.training.base import load_backbone
from audiocnn.training.checkpoint import TASKS
from audiocnn.training.cross_entropy import CrossEntropyTask


@TASKS.register
class TextTask(TextModel, CrossEntropyTask):
    """Training of a `TextModel`, by cross-entropy.

    Shape:
        (batch, words) of tokens -> logits (batch, n_classes).

    Args:
        backbone: in a config by its class, or by name: class_path audiocnn.create_backbone, init_args
            {name: textcnn}; its in_channels are the size of the vocabulary.
        n_classes: at least 2.
        label_smoothing: share of each target that is spread over all classes.
        learning_rate: highest rate of the schedule.
        weight_decay: of weights, not of norms and biases.
        start_from: a model file, a checkpoint or a run of any task, whose backbone's weights training starts
            from.

    Raises:
        ValueError: n_classes is below 2, or a number is out of its range.
        FileError: start_from cannot be read or does not fit.
    """

    batch_form = "tokens (batch, words) of whole numbers and classes (batch,)"

    def __init__(
        self,
        backbone: Backbone,
        n_classes: int = 2,
        label_smoothing: float = 0.0,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        start_from: str | None = None,
    ) -> None:
        super().__init__(backbone, n_classes)
        self.label_smoothing = label_smoothing
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        if start_from:
            load_backbone(self.backbone, start_from)

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary."""
        return self.backbone.in_channels

    def takes(self, batch: Any) -> bool:
        tokens, classes = batch
        return tokens.ndim == 2 and tokens.dtype == torch.long and classes.ndim == 1
