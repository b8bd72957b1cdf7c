"""AudioTask: what every task on sound shares: waveforms in, a front end inside, one way to train."""

from __future__ import annotations

import lightning
import torch
from torch import Tensor, nn

from audiocnn.backbones import Backbone
from audiocnn.spectrogram import FrontEnd


class AudioTask(lightning.LightningModule):
    """A front end, a backbone and a head over it: (batch, samples) -> logits.

    Args:
        front_end: waveforms to pictures; its sample rate is the model's.
        backbone: pictures to maps.
        learning_rate: highest rate of the one-cycle schedule.
        weight_decay: of AdamW, on weights only: norms and biases decay to nothing useful.
    """

    head: nn.Module

    def __init__(
        self, front_end: FrontEnd, backbone: Backbone, learning_rate: float = 2e-3, weight_decay: float = 1e-2
    ) -> None:
        super().__init__()
        self.front_end, self.backbone = front_end, backbone.to(memory_format=torch.channels_last)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    @property
    def sample_rate(self) -> int:
        """Hz that waveforms must have."""
        return self.front_end.sample_rate

    def forward(self, waveforms: Tensor) -> Tensor:
        """The logits of the head."""
        return self.head(self.backbone(self.picture(waveforms)))

    def picture(self, waveforms: Tensor) -> Tensor:
        """What the backbone sees: the front end in full precision also where the network runs in half.

        Shape: (batch, samples) -> (batch, 1, bins, frames).
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            return self.front_end(waveforms.float())

    def configure_optimizers(self) -> dict:
        weights = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": weights, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=self.learning_rate,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.learning_rate,
            total_steps=max(int(self.trainer.estimated_stepping_batches), 2),
            pct_start=0.1,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
