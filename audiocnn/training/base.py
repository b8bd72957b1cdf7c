"""Task: how every task is trained, on sound and on images."""

from __future__ import annotations

import lightning
import torch

from audiocnn.backbones import Backbone
from audiocnn.blocks.drop import decay_groups
from audiocnn.training.callbacks.transfer import rate_groups


class Task(lightning.LightningModule):
    """AdamW with a one-cycle schedule over the whole training.

    Attributes:
        learning_rate: highest rate of the schedule.
        weight_decay: of weights only: norms and biases decay to nothing useful.
        rate_decay: what divides the rate from each stage of the backbone to the one below it; see `transfer`.
    """

    backbone: Backbone
    learning_rate: float
    weight_decay: float
    rate_decay: float = 1.0

    def configure_optimizers(self) -> dict:
        groups = decay_groups(self, self.weight_decay)
        groups = rate_groups(groups, self.backbone, self.learning_rate, self.rate_decay)
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        n_steps = max(int(self.trainer.estimated_stepping_batches), 3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in groups],
            total_steps=n_steps,
            pct_start=max(0.1, 2 / n_steps),  # one step to rise at least: by none it would divide
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
