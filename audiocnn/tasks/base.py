"""Task: how every task is trained, on sound and on pictures."""

from __future__ import annotations

import lightning
import torch


class Task(lightning.LightningModule):
    """AdamW with a one-cycle schedule over the whole training.

    Attributes:
        learning_rate: highest rate of the schedule.
        weight_decay: of weights only: norms and biases decay to nothing useful.
    """

    learning_rate: float
    weight_decay: float

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
