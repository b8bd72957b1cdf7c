"""Task: the optimizer and schedule of every training, on sound and on images."""

from __future__ import annotations

from pathlib import Path

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from audiocnn import files
from audiocnn.backbones import Backbone
from audiocnn.blocks.drop import decay_groups
from audiocnn.models import weights
from audiocnn.models.file import read_model
from audiocnn.training.stages import group_by_learning_rate

WARM_UP_SHARE = 0.1  # share of all steps in which the learning rate rises


class Task(lightning.LightningModule):
    """A LightningModule trained by AdamW with a one-cycle schedule over all steps.

    Attributes:
        backbone: the network whose stages `rate_decay` applies to.
        learning_rate: highest rate of the schedule.
        weight_decay: of weights only, not of norms and biases.
        rate_decay: divisor of the learning rate from each stage of the backbone to the one below it; see
            `training.stages.group_by_learning_rate`.
    """

    backbone: Backbone
    learning_rate: float
    weight_decay: float
    rate_decay: float = 1.0

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer and its schedule, as Lightning takes them."""
        groups = decay_groups(self, self.weight_decay)
        groups = group_by_learning_rate(groups, self.backbone, self.learning_rate, self.rate_decay)
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        n_steps = max(int(self.trainer.estimated_stepping_batches), 3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in groups],
            total_steps=n_steps,
            pct_start=max(WARM_UP_SHARE, 2 / n_steps),  # at least one step of warm-up, else a division by 0
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class StepTask(Task):
    """A task whose `step` is the same in training, validation and test."""

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Compute the loss of a batch, and log it as a mean over the stage.

        Args:
            batch: as the data module has it.
            stage: train, val or test.

        Returns:
            The loss, a scalar.
        """
        raise NotImplementedError

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return self.step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return self.step(batch, "test")


def get_backbone(task: lightning.LightningModule) -> Backbone:
    """Return the backbone of a task.

    Args:
        task: a LightningModule.

    Returns:
        The backbone.

    Raises:
        ValueError: the task has none.
    """
    backbone = getattr(task, "backbone", None)
    if not isinstance(backbone, Backbone):
        raise ValueError(f"task is {type(task).__name__}, expected one with a backbone")
    return backbone


def load_backbone(backbone: Backbone, path: str | Path) -> None:
    """Load the weights of a backbone of the same architecture.

    Args:
        backbone: changed in place.
        path: a shipped model's name, a model file, or a checkpoint of any task.

    Raises:
        FileError: the file cannot be read, would run code or does not fit.
    """
    try:
        backbone.load_state_dict(_read_backbone_weights(weights.path(path)))
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    except files.FileError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise files.FileError(path, f"no model or checkpoint with this backbone ({error})") from error


def _read_backbone_weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_model(path).backbone.state_dict()
    state_dict = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "backbone."
    return {name.removeprefix(prefix): one for name, one in state_dict.items() if name.startswith(prefix)}
