"""GenreTask and InstrumentTask: which labels a clip has, from waveforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MultilabelAveragePrecision,
    MultilabelF1Score,
)

from audiocnn import labels as labelling
from audiocnn.augment import Mixup, Overlay, RandomShift, SpecAugment
from audiocnn.backbones import Backbone
from audiocnn.frontends.base import FrontEnd
from audiocnn.models.clips import ClipModel
from audiocnn.training.base import Task
from audiocnn.training.callbacks.initialise import load_backbone


class ClipTask(ClipModel, Task):
    """The training of a ClipModel; a subclass says what its loss and its metrics are.

    Batches: training waveforms (batch, samples) and targets (batch, labels), 0 to 1; without one a clip is
    unknown. Validation and test: a whole clip (1, samples), judged as a recording is.
    After each validation the temperature is fitted to its windows, so that every checkpoint is calibrated.

    Args:
        mask: masks on the spectrograms while training.
        roll: moves the spectrograms while training; not at all when None.
        mix: what mixes the clips of a batch.
        label_smoothing: share of each target that is spread over all outputs.
        start_from: a shipped model's name, a model file or a Lightning checkpoint, whose backbone's weights training starts from.

    The arguments up to drop are those of `ClipModel`; in `audiocnn fit` the data tell the labels.
    learning_rate and weight_decay are those of `Task`.
    """

    multi_label: bool
    metrics: MetricCollection

    def __init__(
        self,
        front_end: FrontEnd,
        backbone: Backbone,
        labels: Sequence[str] = (),
        window_s: float = 3.0,
        threshold: float = 0.5,
        drop: float = 0.2,
        mask: SpecAugment | None = None,
        roll: RandomShift | None = None,
        mix: Mixup | Overlay | None = None,
        label_smoothing: float = 0.0,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        start_from: str | None = None,
    ) -> None:
        super().__init__(front_end, backbone, labels, type(self).multi_label, window_s, threshold, drop)
        self.init_args["multi_label"] = self.multi_label  # an argument of ClipModel, which a file describes
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing is {label_smoothing}, expected 0 or more and less than 1")
        self.mask, self.roll, self.mix = mask or SpecAugment(), roll or nn.Identity(), mix
        self.label_smoothing = label_smoothing
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.metrics = MetricCollection(self.figures(len(self.outputs)), prefix="val/")
        self._heard: list[tuple[Tensor, Tensor]] = []
        if start_from:
            load_backbone(backbone, start_from)

    def figures(self, n_outputs: int) -> dict[str, Metric | MetricCollection]:
        """The metrics by name."""
        raise NotImplementedError

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Shape: both (batch, outputs)."""
        raise NotImplementedError

    def of_outputs(self, targets: Tensor) -> Tensor:
        """Targets of the labels -> of the outputs: what has no label is unknown.

        Shape: (batch, labels) -> (batch, outputs).
        """
        if self.multi_label:
            return targets
        return torch.cat([targets, 1 - targets.sum(1, keepdim=True).clamp(max=1)], dim=1)

    def setup(self, stage: str) -> None:
        """Raises: ValueError when the data have other labels, or these in another order: those of targets."""
        theirs = getattr(getattr(self.trainer, "datamodule", None), "labels", None)
        if theirs and [*theirs] != self.labels:
            raise ValueError(
                f"labels of the data are {[*theirs]}, expected the task's in their order, {self.labels}"
            )

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        waveforms, targets = self.mix(*batch) if self.mix else batch
        logits = self.head(self.backbone(self.mask(self.roll(self.spectrogram(waveforms)))))
        loss = self.loss(logits.float(), self.of_outputs(targets))
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The probabilities of a whole clip, (1, outputs)."""
        waveforms, targets = batch
        logits = self(self.split_windows(waveforms[0])).float()
        targets = self.of_outputs(targets)
        self._heard.append((logits.cpu(), targets.expand_as(logits).cpu()))
        values = self.of_recording(logits)
        self.metrics.update(values, targets.argmax(1) if not self.multi_label else targets.int())
        self.log("val/loss", self.loss(logits, targets.expand_as(logits)), prog_bar=True, batch_size=1)
        return values

    def on_validation_epoch_end(self) -> None:
        if not self.trainer.sanity_checking:  # of two clips
            self.log_dict(self.metrics.compute(), prog_bar=True)
            logits, targets = (torch.cat(tensors).numpy() for tensors in zip(*self._heard, strict=True))
            self.temperature.fill_(labelling.fit_temperature(logits, targets, self.multi_label))
        self.metrics.reset()
        self._heard.clear()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["labels"] = self.labels  # they may come from the data, of which the config does not tell
        # Weight averaging would save a mean of temperatures, not the one fitted to the mean weights.
        checkpoint["state_dict"]["temperature"] = self.temperature.clone()

    def of_recording(self, logits: Tensor) -> Tensor:
        """The probabilities of a recording from its windows' logits: (windows, outputs) -> (1, outputs)."""
        windows = labelling.compute_probabilities(
            logits.cpu().numpy(), self.temperature.item(), self.multi_label
        )
        return torch.from_numpy(labelling.average_windows(windows, self.multi_label))[None].to(logits)

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The probabilities of a whole clip, (1, outputs)."""
        return self.of_recording(self(self.split_windows(batch[0][0])).float())


class GenreTask(ClipTask):
    """One label a clip, or UNKNOWN: trained by cross-entropy, judged by accuracy and macro F1.

    The arguments are those of `ClipTask`.
    """

    multi_label = False

    def figures(self, n_outputs: int) -> dict[str, Metric | MetricCollection]:
        return {
            "accuracy": MulticlassAccuracy(n_outputs, average="micro"),
            "f1": MulticlassF1Score(n_outputs, average="macro"),
        }

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)


class InstrumentTask(ClipTask):
    """Several labels a clip: trained by binary cross-entropy, judged by mean average precision and macro F1.

    The arguments are those of `ClipTask`.
    """

    multi_label = True

    def figures(self, n_outputs: int) -> dict[str, Metric | MetricCollection]:
        return {
            "map": MultilabelAveragePrecision(n_outputs, average="macro"),
            "f1": MultilabelF1Score(n_outputs, average="macro", threshold=self.threshold),
        }

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        smooth = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits, smooth)
