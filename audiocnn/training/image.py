"""ImageTask: an image classifier trained by cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from audiocnn.augment import average_views, check_views
from audiocnn.backbones import Backbone
from audiocnn.blocks.arguments import only_dims
from audiocnn.models.image import ImageModel
from audiocnn.training.base import load_backbone
from audiocnn.training.checkpoint import TASKS
from audiocnn.training.checks import try_input
from audiocnn.training.cross_entropy import CrossEntropyTask

MIN_PROBABILITY = 1e-30  # whose logarithm is finite


@TASKS.register
class ImageTask(ImageModel, CrossEntropyTask):
    """Training of an `ImageModel`, by cross-entropy.

    Shape:
        (batch, channels, rows, columns) from 0 to 1 -> logits (batch, n_classes).

    Args:
        backbone: in a config by its class, or by name: class_path audiocnn.create_backbone, init_args
            {name: resnet_small}.
        n_classes: as of `ImageModel`.
        labels: as of `ImageModel`; `audiocnn fit` takes those of the data.
        size: as of `ImageModel`; that of the data when None.
        mean: as of `ImageModel`; of pretrained weights that of their training.
        std: as of `ImageModel`, like mean.
        label_smoothing: share of each target that is spread over all classes.
        learning_rate: highest rate of the schedule.
        weight_decay: of weights, not of norms and biases.
        start_from: a model file, a checkpoint or a run of any task, whose backbone's weights training starts
            from.
        tta: test-time augmentation: tests and predictions average the probabilities of the variants of each
            image, mirror, ten_crop or scales; off when None. See `augment.variants`.

    Raises:
        ValueError: as of `ImageModel`, a number is out of its range, the backbone is of dims=1, or there is
            no such tta.
        FileError: start_from cannot be read or does not fit.
    """

    batch_form = "images (batch, channels, rows, columns) and classes (batch,)"

    def __init__(
        self,
        backbone: Backbone,
        n_classes: int | None = None,
        labels: Sequence[str] | None = None,
        size: int | None = None,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
        label_smoothing: float = 0.0,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        start_from: str | None = None,
        tta: str | None = None,
    ) -> None:
        super().__init__(backbone, n_classes, labels, size, mean, std)
        check_views(tta)
        self.label_smoothing, self.tta = label_smoothing, tta
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        if start_from:
            load_backbone(self.backbone, start_from)

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.backbone.in_channels

    def setup(self, stage: str) -> None:
        """Check that the data fit the model.

        Args:
            stage: of the trainer.

        Raises:
            ValueError: they do not, see `checks.check_data`; or the images are of a size that it cannot take.
        """
        super().setup(stage)
        only_dims(self.backbone.dims, 2, "images have rows and columns")
        if size := getattr(self.datamodule, "size", None):
            try_input(self, (1, self.channels, size, size))
            self.size = self.init_args["size"] = size  # which its model file keeps

    def takes(self, batch: Any) -> bool:
        images, classes = batch
        return images.ndim == 4 and classes.ndim == 1

    def logits(self, inputs: Tensor, stage: str) -> Tensor:
        """Compute the logits of images; with `tta`, in test those of the mean probabilities."""
        averages = stage == "test" and self.tta
        return self.probabilities(inputs).clamp(min=MIN_PROBABILITY).log() if averages else self(inputs)

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Compute the probability of each class, (batch, n_classes)."""
        return self.probabilities(batch[0])

    def probabilities(self, images: Tensor) -> Tensor:
        """Compute the probability of each class; with `tta`, its mean over the variants of an image.

        Args:
            images: (batch, channels, rows, columns) from 0 to 1.

        Returns:
            (batch, n_classes).
        """
        return average_views(lambda views: torch.softmax(self(views), dim=1), images, self.tta)
