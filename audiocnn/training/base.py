"""Task: the optimizer and schedule of every training, on sound and on images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from audiocnn import files
from audiocnn.backbones import Backbone
from audiocnn.blocks.drop import decay_groups
from audiocnn.models import weights
from audiocnn.models.file import read_model
from audiocnn.registry import InitArgs
from audiocnn.training.checkpoint import KEY, describe_task, load_task, read_checkpoint
from audiocnn.training.runs import BEST, find_checkpoint
from audiocnn.training.seeding import Seeded
from audiocnn.training.stages import group_by_learning_rate

WARM_UP_SHARE = 0.1  # share of all steps in which the learning rate rises
# What of a schedule's state a checkpoint gives back: the rest follows from the training's length, which a
# config that resumes may change.
SCHEDULE_STATE = ("last_epoch", "_step_count", "_last_lr")


class Task(InitArgs, Seeded):
    """A LightningModule trained by AdamW with a one-cycle schedule over all steps.

    It logs the learning rates and the norm of the gradient, before it is clipped, to the loggers that there
    are. Its checkpoints say what it is, see `training.checkpoint`.

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

    def configure_callbacks(self) -> list[lightning.Callback]:
        """Return the callbacks of every training."""
        return [LearningRateMonitor("step")] if self.trainer.loggers else []

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        gradients = [one.grad for one in self.parameters() if one.grad is not None]
        self.log("train/gradient_norm", torch.nn.utils.get_total_norm(gradients))

    def log(self, name: str, value: Any, *args: Any, sync_dist: bool = False, **options: Any) -> None:
        """Log a value as Lightning does, of evaluations the mean over all processes."""
        super().log(name, value, *args, sync_dist=sync_dist or not self.trainer.training, **options)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint[KEY] = describe_task(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        checkpoint["lr_schedulers"] = [
            {name: state[name] for name in SCHEDULE_STATE if name in state}
            for state in checkpoint.get("lr_schedulers", [])
        ]

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: str | Path) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride], fewer arguments
        """Build the task of a checkpoint, with its weights; no code in it is run.

        Args:
            checkpoint_path: the file.

        Returns:
            The task in evaluation mode, on the CPU.

        Raises:
            FileError: as of `training.checkpoint.load_task`, or it is of another task.
        """
        task = load_task(checkpoint_path)
        if not isinstance(task, cls):
            raise files.FileError(checkpoint_path, f"holds {type(task).__name__}, expected {cls.__name__}")
        return task


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
        path: a shipped model's name, a model file, a checkpoint of any task, or the folder of a run or of runs:
            best.ckpt of the latest.

    Raises:
        FileError: the file cannot be read, would run code or does not fit.
    """
    found = find_checkpoint(weights.path(path), BEST)
    if found is None:
        raise files.FileError(path, "no such file on this machine, nor a run with best.ckpt")
    try:
        backbone.load_state_dict(_read_backbone_weights(found))
    except files.FileError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise files.FileError(path, f"no model or checkpoint with this backbone ({error})") from error


def _read_backbone_weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_model(path).backbone.state_dict()
    state_dict = read_checkpoint(path)["state_dict"]
    prefix = "backbone."
    return {name.removeprefix(prefix): one for name, one in state_dict.items() if name.startswith(prefix)}
