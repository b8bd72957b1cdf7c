"""ContrastiveTask: unlabelled sound -> a backbone that discriminates between recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.augment import SpecAugment
from audiocnn.backbones import Backbone
from audiocnn.blocks.global_pool import create_global_pool
from audiocnn.frontends.base import FrontEnd
from audiocnn.models.base import Model
from audiocnn.ranges import ArgumentError, Range
from audiocnn.training.base import Task
from audiocnn.training.checkpoint import TASKS


@TASKS.register
class ContrastiveTask(Model, Task):
    """Self-supervised training: find the second half of each clip among those of a batch, given the first.

    `start_from` of other tasks takes the backbone from this one's checkpoints. Training batches: waveforms
    (batch, samples) and targets that are not used. Validation batches: one whole clip; accuracy is
    computed over all clips.

    Args:
        front_end: waveforms to spectrograms; its sample rate is the task's.
        backbone: spectrograms to feature maps.
        channels: of the embeddings.
        spec_augment: masks the spectrograms while training; off when None.
        learning_rate: highest rate of the schedule, see `Task`.
        weight_decay: of weights, see `Task`.

    Shape:
        (batch, samples) -> embeddings (batch, channels).

    Source:
        Saeed, Grangier, Zeghidour, "Contrastive learning of general-purpose audio representations", 2021
        (COLA), with its bilinear similarity, equation 2.

    Differs:
        The two segments of a clip are adjacent, not drawn at random.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"channels": Range(1, 1_000_000, whole=True)}
    batch_form = "waveforms (batch, samples) and targets"

    def __init__(
        self,
        front_end: FrontEnd,
        backbone: Backbone,
        channels: int = 256,
        spec_augment: SpecAugment | None = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(front_end, backbone)
        self.head = nn.Sequential(
            create_global_pool("average", self.backbone.out_channels),
            nn.Linear(self.backbone.out_channels, channels),
            nn.LayerNorm(channels),
            nn.Tanh(),
        )
        self.similarity = nn.Linear(channels, channels, bias=False)
        self.spec_augment = spec_augment or nn.Identity()
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self._embeddings: list[Tensor] = []

    def takes(self, batch: Any) -> bool:
        return batch[0].ndim == 2

    def split_halves(
        self, waveforms: Float[Tensor, "batch samples"]
    ) -> Float[Tensor, "2 batch half_samples"]:
        """Split each clip into its first and its second half.

        Args:
            waveforms: a last odd sample is left out.
        """
        n_half = waveforms.shape[1] // 2
        return torch.stack([waveforms[:, :n_half], waveforms[:, n_half : 2 * n_half]])

    def compare(
        self, first: Float[Tensor, "clips channels"], second: Float[Tensor, "clips channels"]
    ) -> Float[Tensor, "clips clips"]:
        """Compute logits of each second half being that of each first.

        Args:
            first: embeddings of first halves.
            second: embeddings of second halves.
        """
        return self.similarity(first) @ second.T

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        spectrograms = self.spec_augment(self.spectrogram(self.split_halves(batch[0]).flatten(0, 1)))
        first, second = self.head(self.backbone(spectrograms)).float().chunk(2)
        if len(first) == 1 and self.trainer.num_training_batches == 1:
            raise ArgumentError("a batch has 1 clip, expected 2 or more, among which to find the other half")
        logits = self.compare(first, second)
        loss = functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self._embeddings.append(self(self.split_halves(batch[0]).flatten(0, 1)).float())

    def test_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self.validation_step(batch)

    def on_validation_epoch_end(self) -> None:
        self._log_accuracy("val")

    def on_test_epoch_end(self) -> None:
        self._log_accuracy("test")

    def _log_accuracy(self, stage: str) -> None:
        """Log how often a first half finds its second among all clips."""
        first, second = torch.stack(self._embeddings, dim=1)
        found = self.compare(first, second).argmax(1)
        correct = found == torch.arange(len(found), device=found.device)
        self.log(f"{stage}/accuracy", correct.float().mean(), prog_bar=True)
        self._embeddings.clear()

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Compute the embeddings of whole clips.

        Args:
            batch: waveforms (batch, samples), and targets that are not used.
        """
        return self(batch[0])
