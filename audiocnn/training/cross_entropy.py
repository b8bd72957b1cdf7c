"""CrossEntropyTask: what classifiers of images and of sentences share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_accuracy

from audiocnn.training.base import StepTask


class CrossEntropyTask(StepTask):
    """A task whose model predicts the logits of classes, one of which is right.

    Attributes:
        n_classes: logits.
        label_smoothing: share of each target that is spread over all classes.
    """

    n_classes: int
    label_smoothing: float

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Compute the loss of inputs and their classes (batch,); log the accuracy too."""
        inputs, classes = batch
        logits = self.logits(inputs, stage)
        loss = functional.cross_entropy(logits, classes, label_smoothing=self.label_smoothing)
        accuracy = multiclass_accuracy(logits, classes, num_classes=self.n_classes, average="micro")
        values = {f"{stage}/loss": loss, f"{stage}/accuracy": accuracy}
        self.log_dict(values, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(classes))
        return loss

    def logits(self, inputs: Tensor, stage: str) -> Tensor:
        """Compute the logits that are scored.

        Args:
            inputs: of a batch.
            stage: train, val or test.

        Returns:
            (batch, n_classes).
        """
        return self(inputs)

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Compute the probability of each class, (batch, n_classes)."""
        return torch.softmax(self(batch[0]), dim=1)
