"""GenreTask and InstrumentTask: training of single-label and multi-label clip classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from lightning.pytorch.utilities import rank_zero_info
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
from audiocnn.ranges import ArgumentError
from audiocnn.training.base import Task, load_backbone
from audiocnn.training.checkpoint import TASKS
from audiocnn.training.checks import check_scores, try_input
from audiocnn.training.label_checks import check_labels, describe_several

ROUNDING = 1e-3  # of a target's sum, in half precision


class ClipTask(ClipModel, Task):
    """Training of a ClipModel; a subclass defines the loss and the metrics.

    Training batches: waveforms (batch, samples) and targets (batch, labels), 0 to 1; a clip without label is
    unknown. Validation batches: one whole clip, (1, samples), which is predicted window by window as in
    inference. After each validation the temperature is fitted to its windows, so that every checkpoint is
    calibrated, unless it has fewer clips than `labels.MIN_CALIBRATION`.

    Args:
        front_end: as of `ClipModel`.
        backbone: as of `ClipModel`.
        labels: as of `ClipModel`; `audiocnn fit` takes those of the data.
        window_s: as of `ClipModel`.
        threshold: as of `ClipModel`.
        drop: as of `ClipModel`.
        spec_augment: masks the spectrograms while training; off when None.
        random_shift: shifts the spectrograms while training; off when None.
        mix: mixes the clips of a batch; off when None.
        label_smoothing: share of each target that is spread over all outputs.
        learning_rate: highest rate of the schedule, see `Task`.
        weight_decay: of weights, see `Task`.
        start_from: a shipped model's name, a model file, a checkpoint or a run of any task, whose backbone's
            weights training starts from.

    Raises:
        ArgumentError: labels are missing or repeated, or label_smoothing is not from 0 to below 1.
    """

    batch_form = "waveforms (batch, samples) and targets (batch, labels)"
    multi_label: bool
    metrics: nn.ModuleDict  # of the stages val and test, a MetricCollection each

    def __init__(
        self,
        front_end: FrontEnd,
        backbone: Backbone,
        labels: Sequence[str] = (),
        window_s: float = 3.0,
        threshold: float = 0.5,
        drop: float = 0.2,
        spec_augment: SpecAugment | None = None,
        random_shift: RandomShift | None = None,
        mix: Mixup | Overlay | None = None,
        label_smoothing: float = 0.0,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        start_from: str | None = None,
    ) -> None:
        super().__init__(front_end, backbone, labels, type(self).multi_label, window_s, threshold, drop)
        self.init_args["multi_label"] = self.multi_label  # an argument of ClipModel, which a file describes
        if not 0 <= label_smoothing < 1:
            raise ArgumentError(f"label_smoothing is {label_smoothing}, expected 0 or more and less than 1")
        self.spec_augment, self.random_shift = spec_augment or nn.Identity(), random_shift or nn.Identity()
        self.mix, self.label_smoothing = mix, label_smoothing
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        metrics = MetricCollection(self.create_metrics(len(self.outputs)))
        self.metrics = nn.ModuleDict({stage: metrics.clone(f"{stage}/") for stage in ("val", "test")})
        self._validated: list[tuple[Tensor, Tensor]] = []  # logits and targets of windows
        self._has_said_few = False  # that clips are too few to calibrate on
        if start_from:
            load_backbone(self.backbone, start_from)

    def create_metrics(self, n_outputs: int) -> dict[str, Metric | MetricCollection]:
        """Create the metrics of a validation by their names.

        Args:
            n_outputs: of the model.
        """
        raise NotImplementedError

    def loss(
        self, logits: Float[Tensor, "batch outputs"], targets: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, ""]:
        """Compute the loss of a batch.

        Args:
            logits: as `forward` returns them.
            targets: of the outputs, 0 to 1.
        """
        raise NotImplementedError

    def to_output_targets(self, targets: Float[Tensor, "batch labels"]) -> Float[Tensor, "batch outputs"]:
        """Extend targets of the labels by that of UNKNOWN, 1 for a clip without label, unless multi-label.

        Args:
            targets: 0 to 1.
        """
        if self.multi_label:
            return targets
        return torch.cat([targets, 1 - targets.sum(1, keepdim=True).clamp(max=1)], dim=1)

    def setup(self, stage: str) -> None:
        """Check that the data fit the model, and before a training that all labels can be learned.

        Args:
            stage: of the trainer.

        Raises:
            ArgumentError: they do not, see `checks.check_data` and `check_labels`.
        """
        super().setup(stage)
        try_input(self, (1, self.n_window))
        counts = getattr(self.datamodule, "label_counts", None)
        if counts and stage == "fit":
            for line in check_labels(counts, self.labels, self.multi_label):
                rank_zero_info(line)

    def takes(self, batch: Any) -> bool:
        waveforms, targets = batch
        return waveforms.ndim == 2 and (*targets.shape,) == (len(waveforms), len(self.labels))

    def check_batch(self, batch: Any) -> None:
        super().check_batch(batch)
        n_several = int((batch[1].sum(1) > 1 + ROUNDING).sum())
        if n_several and not self.multi_label:
            raise ArgumentError(describe_several(n_several, len(batch[1]), "clips of a batch"))

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        waveforms, targets = self.mix(*batch) if self.mix else batch
        spectrograms = self.spec_augment(self.random_shift(self.spectrogram(waveforms)))
        logits = self.head(self.backbone(spectrograms))
        loss = self.loss(logits.float(), self.to_output_targets(targets))
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Predict a whole clip, and collect what the epoch's end needs.

        Args:
            batch: a waveform (1, samples) and targets (1, labels).

        Returns:
            Probabilities, (1, outputs).
        """
        logits, targets, values = self._score(batch, "val")
        self._validated.append((logits.cpu(), targets.expand_as(logits).cpu()))
        return values

    def test_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Predict a whole clip; the figures are those of a validation, and no temperature is fitted.

        Args:
            batch: a waveform (1, samples) and targets (1, labels).

        Returns:
            Probabilities, (1, outputs).
        """
        return self._score(batch, "test")[-1]

    def _score(self, batch: tuple[Tensor, Tensor], stage: str) -> tuple[Tensor, Tensor, Tensor]:
        """The logits of a clip's windows, its targets and its probabilities, which the metrics take."""
        waveforms, targets = batch
        logits = self(self.split_windows(waveforms[0])).float()
        check_scores(logits, self.trainer)
        targets = self.to_output_targets(targets)
        values = self.average_windows(logits)
        self._get_metrics(stage).update(values, targets.int() if self.multi_label else targets.argmax(1))
        loss = self.loss(logits, targets.expand_as(logits))
        self.log(f"{stage}/loss", loss, prog_bar=True, batch_size=1, on_step=False, on_epoch=True)
        return logits, targets, values

    def on_validation_epoch_end(self) -> None:
        if not self.trainer.sanity_checking:  # on two clips
            self._log_metrics("val")
            self._calibrate()
        self._get_metrics("val").reset()  # also after a sanity check
        self._validated.clear()

    def _calibrate(self) -> None:
        """Fit the temperature to the clips of a validation; where they are too few, it is 1."""
        n_clips = len(self._validated)
        if n_clips < labelling.MIN_CALIBRATION:
            self.temperature.fill_(1.0)
            if not self._has_said_few:
                rank_zero_info(
                    f"probabilities are not calibrated: the validation has {n_clips} clips, calibration "
                    f"needs {labelling.MIN_CALIBRATION}"
                )
            self._has_said_few = True
            return
        logits, targets = (torch.cat(tensors).numpy() for tensors in zip(*self._validated, strict=True))
        self.temperature.fill_(labelling.fit_temperature(logits, targets, self.multi_label, n_clips))

    def on_test_epoch_end(self) -> None:
        self._log_metrics("test")

    def _get_metrics(self, stage: str) -> MetricCollection:
        return cast(MetricCollection, self.metrics[stage])

    def _log_metrics(self, stage: str) -> None:
        self.log_dict(self._get_metrics(stage).compute(), prog_bar=True)
        self._get_metrics(stage).reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        # Weight averaging would save a mean of temperatures, not the one fitted to the mean weights.
        checkpoint["state_dict"]["temperature"] = self.temperature.clone()

    def average_windows(self, logits: Float[Tensor, "windows outputs"]) -> Float[Tensor, "1 outputs"]:
        """Compute the probabilities of a recording from its windows' logits, see `labels.average_windows`.

        Args:
            logits: of all windows.
        """
        windows = labelling.compute_probabilities(
            logits.cpu().numpy(), self.temperature.item(), self.multi_label
        )
        return torch.from_numpy(labelling.average_windows(windows, self.multi_label))[None].to(logits)

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Predict a whole clip.

        Args:
            batch: a waveform (1, samples), and targets that are not used.

        Returns:
            Probabilities, (1, outputs).
        """
        return self.average_windows(self(self.split_windows(batch[0][0])).float())


@TASKS.register
class GenreTask(ClipTask):
    """Training of a model of one label a clip, or UNKNOWN, by cross-entropy.

    Metrics are accuracy and macro F1. The arguments are those of `ClipTask`.
    """

    multi_label = False

    def create_metrics(self, n_outputs: int) -> dict[str, Metric | MetricCollection]:
        return {
            "accuracy": MulticlassAccuracy(n_outputs, average="micro"),
            "f1": MulticlassF1Score(n_outputs, average="macro"),
        }

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)


@TASKS.register
class InstrumentTask(ClipTask):
    """Training of a multi-label model by binary cross-entropy.

    Metrics are mean average precision and macro F1. The arguments are those of `ClipTask`.
    """

    multi_label = True

    def create_metrics(self, n_outputs: int) -> dict[str, Metric | MetricCollection]:
        return {
            "map": MultilabelAveragePrecision(n_outputs, average="macro"),
            "f1": MultilabelF1Score(n_outputs, average="macro", threshold=self.threshold),
        }

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        smooth = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits, smooth)
