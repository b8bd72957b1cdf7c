"""Task: the optimizer and schedule of every training, on sound and on images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from audiocnn import files
from audiocnn.backbones import Backbone
from audiocnn.blocks.drop import decay_groups
from audiocnn.models import weights
from audiocnn.models.file import describe_tensors, find_difference, read_model
from audiocnn.ranges import NOT_NEGATIVE, POSITIVE, SHARE, ArgumentError, Range
from audiocnn.registry import InitArgs
from audiocnn.training.checkpoint import KEY, describe_task, load_task, read_checkpoint
from audiocnn.training.checks import (
    check_amounts,
    check_data,
    check_finite,
    check_loss,
    check_weights,
    count_steps,
    describe_batch,
)
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
        batch_form: what a batch of training is, in words.

    Raises:
        ArgumentError: a number is out of its range.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "learning_rate": POSITIVE,
        "weight_decay": NOT_NEGATIVE,
        "label_smoothing": SHARE,
    }
    batch_form: str
    backbone: Backbone
    learning_rate: float
    weight_decay: float
    rate_decay: float = 1.0

    def setup(self, stage: str) -> None:
        """Check that the data fit the model.

        Args:
            stage: of the trainer.

        Raises:
            ArgumentError: they do not, see `checks.check_data`.
        """
        check_data(self, self.datamodule)

    @property
    def datamodule(self) -> Any:
        """The data module of the training; None where its batches come from loaders alone."""
        return getattr(self._trainer, "datamodule", None)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer and its schedule, as Lightning takes them."""
        groups = decay_groups(self, self.weight_decay)
        groups = group_by_learning_rate(groups, self.backbone, self.learning_rate, self.rate_decay)
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        n_steps = max(count_steps(self.trainer), 3)
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

    def takes(self, batch: Any) -> bool:
        """Say whether a batch has the form `batch_form`.

        Args:
            batch: as the data module has it.
        """
        return True

    def check_batch(self, batch: Any) -> None:
        """Check the form of a batch, and that its numbers are finite.

        Args:
            batch: as the data module has it.

        Raises:
            ArgumentError: it has another form.
            TrainingError: it holds NaN or infinite numbers.
        """
        if not self.takes(batch):
            raise ArgumentError(f"a batch is {describe_batch(batch)}, expected {self.batch_form}")
        check_finite(batch)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        check_amounts(self.trainer)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        self.check_batch(batch)

    def on_validation_batch_start(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.check_batch(batch)

    def on_test_batch_start(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.check_batch(batch)

    def on_validation_epoch_start(self) -> None:
        check_weights(self.state_dict(), self.trainer)

    def on_before_backward(self, loss: Tensor) -> None:
        check_loss(loss, self.trainer)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        gradients = [one.grad for one in self.parameters() if one.grad is not None]
        self.log("train/gradient_norm", torch.nn.utils.get_total_norm(gradients))

    def log(self, name: str, value: Any, *args: Any, **options: Any) -> None:
        """Log a value as Lightning does, as the mean over all processes."""
        super().log(name, value, *args, **{**options, "sync_dist": True})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        check_weights(checkpoint["state_dict"], self.trainer)
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
        ArgumentError: the task has none.
    """
    backbone = getattr(task, "backbone", None)
    if not isinstance(backbone, Backbone):
        raise ArgumentError(f"task is {type(task).__name__}, expected one with a backbone")
    return backbone


def load_backbone(backbone: Backbone, path: str | Path) -> None:
    """Load the weights of a backbone of the same architecture.

    Args:
        backbone: changed in place.
        path: a shipped model's name, a model file, a checkpoint of any task, or the folder of a run or of
            runs: best.ckpt of the latest.

    Raises:
        FileError: the file cannot be read, would run code or does not fit.
    """
    found = find_checkpoint(weights.path(path), BEST)
    if found is None:
        names = ", ".join(weights.names("notes", "labels", "images"))
        raise files.FileError(
            path, f"no such file on this machine, nor a run with {BEST}; expected one, or a model of {names}"
        )
    try:
        tensors = _read_backbone_weights(found)
    except files.FileError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise files.FileError(path, "no model or checkpoint with a backbone") from error
    if not tensors:
        raise files.FileError(path, "no model or checkpoint with a backbone")
    if difference := find_difference(*map(describe_tensors, (backbone.state_dict(), tensors))):
        raise files.FileError(path, f"is of another backbone: {difference}")
    backbone.load_state_dict(tensors)


def _read_backbone_weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        model: Any = read_model(path, nn.Module)
        return model.backbone.state_dict()
    state_dict = read_checkpoint(path)["state_dict"]
    prefix = "backbone."
    return {name.removeprefix(prefix): one for name, one in state_dict.items() if name.startswith(prefix)}
