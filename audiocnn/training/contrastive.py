"""ContrastiveTask: sound without labels -> a backbone that can tell recordings apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.augment import SpecAugment
from audiocnn.backbones import Backbone
from audiocnn.blocks.global_pool import create_global_pool
from audiocnn.frontends.base import FrontEnd
from audiocnn.models.base import Model
from audiocnn.training.base import Task


class ContrastiveTask(Model, Task):
    """A network that has to find, among the second halves of a batch's clips, the one that goes on its first.

    `start_from` of other tasks takes the backbone from this one's checkpoints.
    Batches: training waveforms (batch, samples) and targets that are not looked at. Validation: one whole
    clip each; accuracy is told among all of them.
    Shape: (batch, samples) -> embeddings (batch, channels).
    Source: Saeed, Grangier, Zeghidour, "Contrastive learning of general-purpose audio representations", 2021
    (COLA), with its bilinear similarity, equation 2. Differs: the two are neighbours, not drawn apart.

    Args:
        front_end: waveforms to spectrograms; its sample rate is the task's.
        backbone: spectrograms to maps.
        channels: of the embeddings.
        mask: masks on the spectrograms while training.

    learning_rate and weight_decay are those of `Task`.
    """

    def __init__(
        self,
        front_end: FrontEnd,
        backbone: Backbone,
        channels: int = 256,
        mask: SpecAugment | None = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(front_end, backbone)
        self.head = nn.Sequential(
            create_global_pool("average", backbone.out_channels),
            nn.Linear(backbone.out_channels, channels),
            nn.LayerNorm(channels),
            nn.Tanh(),
        )
        self.similar = nn.Linear(channels, channels, bias=False)
        self.mask = mask or SpecAugment()
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self._heard: list[Tensor] = []

    def halves(self, waveforms: Tensor) -> Tensor:
        """The first and the second half of each clip: (batch, samples) -> (2, batch, samples // 2)."""
        n_half = waveforms.shape[1] // 2
        return torch.stack([waveforms[:, :n_half], waveforms[:, n_half : 2 * n_half]])

    def logits(self, first: Tensor, second: Tensor) -> Tensor:
        """How well each second half goes on each first: twice (clips, channels) -> (clips, clips)."""
        return self.similar(first) @ second.T

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        spectrograms = self.mask(self.spectrogram(self.halves(batch[0]).flatten(0, 1)))
        first, second = self.head(self.backbone(spectrograms)).float().chunk(2)
        logits = self.logits(first, second)
        loss = functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self._heard.append(self(self.halves(batch[0]).flatten(0, 1)).float())

    def on_validation_epoch_end(self) -> None:
        """Logs how often a first half finds its second among all clips."""
        first, second = torch.stack(self._heard, dim=1)
        found = self.logits(first, second).argmax(1)
        right = found == torch.arange(len(found), device=found.device)
        self.log("val/accuracy", right.float().mean(), prog_bar=True)
        self._heard.clear()

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The embeddings of whole clips."""
        return self(batch[0])
