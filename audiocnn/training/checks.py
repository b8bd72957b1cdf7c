"""Checks of a training: that data and model fit each other before it begins, that its numbers are finite."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sized
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import BatchSampler

from audiocnn.blocks.cost import evaluation_mode
from audiocnn.ranges import ArgumentError

# What data and model both have, by the name of the attribute, and where a config says it: of the model, of
# the data. What a data module or a task does not have is not compared.
SHARED = {
    "sample_rate": ("--model.front_end.sample_rate", "--data.sample_rate"),
    "hop_length": ("--model.front_end.hop_length", "--data.hop_length"),
    "window_s": ("--model.window_s", "--data.crops.window_s"),
    "labels": ("--model.labels", "--data.labels"),
    "channels": ("--model.backbone.in_channels", "--data.class_path"),
    "size": ("--model.size", "--data.size"),
    "n_classes": ("--model.n_classes", "--data.path"),
}


# What to do where numbers of a training are not finite.
ADVICE = "train at a lower --model.learning_rate; the checkpoints that are there stay"


class TrainingError(Exception):
    """A training that cannot go on, in one line."""


def check_data(task: lightning.LightningModule, data: lightning.LightningDataModule | None) -> None:
    """Check that data are as the model expects them.

    Args:
        task: to be trained.
        data: where its batches come from; None where they come from loaders, which say nothing of themselves.

    Raises:
        ArgumentError: they differ in one of `SHARED`.
    """
    for name, options in SHARED.items():
        expected, found = getattr(task, name, None), getattr(data, name, None)
        if expected is not None and found is not None and found != expected:
            where = " and ".join(options)
            raise ArgumentError(
                f"{name} of the data is {found}, expected that of the model, {expected} ({where})"
            )


def check_finite(batch: Any) -> None:
    """Check that the sound or the images of a batch are finite.

    Args:
        batch: tensors, alone or in sequences and mappings.

    Raises:
        TrainingError: there are NaNs or infinite numbers; the message holds their count.
    """
    for tensor in _find_tensors(batch):
        if tensor.is_floating_point() and not tensor.isfinite().all():
            n_bad = int((~tensor.isfinite()).sum())
            raise TrainingError(
                f"{n_bad} of {tensor.numel()} numbers of a batch are NaN or infinite, expected finite ones: "
                "a file of the data holds them, or their augmentation makes them"
            )


def _find_tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        yield from _find_tensors([*batch.values()])
    elif isinstance(batch, list | tuple):
        for part in batch:
            yield from _find_tensors(part)


def describe_batch(batch: Any) -> str:
    """Describe what a batch holds: the shapes of its tensors.

    Args:
        batch: tensors, alone or in sequences and mappings.
    """
    return " and ".join(str((*tensor.shape,)) for tensor in _find_tensors(batch)) or type(batch).__name__


def try_input(task: lightning.LightningModule, shape: tuple[int, ...]) -> None:
    """Check that a network takes its input, by one forward pass of zeros.

    Args:
        task: its training.
        shape: of a batch.

    Raises:
        ArgumentError: it does not; the message holds the shape and what torch says.
    """
    try:
        with torch.no_grad(), evaluation_mode(task):
            task(torch.zeros(shape, device=task.device))
    except RuntimeError as error:
        raise ArgumentError(f"the network cannot take an input of {shape}: {error}") from error


def check_loss(loss: Tensor, trainer: lightning.Trainer) -> None:
    """Check that the loss of a step is finite.

    Args:
        loss: a scalar.
        trainer: of the training.

    Raises:
        TrainingError: it is not; the message holds the step and its learning rate.
    """
    if not torch.isfinite(loss):
        rate = max(group["lr"] for group in trainer.optimizers[0].param_groups)
        raise TrainingError(
            f"the loss is {loss.item()} in step {trainer.global_step}, at learning rate {rate:.2g}, expected "
            f"a finite number: {ADVICE}"
        )


def check_scores(scores: Tensor, trainer: lightning.Trainer) -> None:
    """Check that a model's scores are finite: of others no label could be told.

    Args:
        scores: of a validation or test.
        trainer: of the training.

    Raises:
        TrainingError: one is not.
    """
    if not scores.isfinite().all():
        raise TrainingError(f"the scores of a clip are not finite after step {trainer.global_step}: {ADVICE}")


def check_weights(state_dict: Mapping[str, Tensor], trainer: lightning.Trainer) -> None:
    """Check that weights are finite, before they are saved.

    Args:
        state_dict: tensors by name.
        trainer: of the training.

    Raises:
        TrainingError: one is not.
    """
    for name, tensor in state_dict.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise TrainingError(f"{name} is not finite after step {trainer.global_step}: {ADVICE}")


def count_steps(trainer: lightning.Trainer) -> int:
    """Count the optimizer's steps of a training, which its schedule is made for.

    Args:
        trainer: of the training.

    Raises:
        ArgumentError: there is no end, or not even one batch.
    """
    n_steps = trainer.estimated_stepping_batches
    if n_steps == 0 and trainer.num_training_batches == 0:
        raise ArgumentError(f"0 batches to train on, expected 1 or more: {_count_examples(trainer)}")
    if not math.isfinite(n_steps) or n_steps < 0:
        raise ArgumentError(
            f"the steps of the training are {n_steps}, expected a number, for the learning rate's schedule: "
            "give --trainer.max_steps; data without a length have no epochs to count"
        )
    return int(n_steps)


def check_amounts(trainer: lightning.Trainer) -> None:
    """Check that there is something to validate on, where callbacks monitor it; tell of few examples.

    Args:
        trainer: of a training that begins.

    Raises:
        ArgumentError: there is not.
    """
    if trainer.enable_validation:
        with warnings.catch_warnings(action="ignore"):  # Lightning's about nothing to validate on
            trainer.fit_loop.epoch_loop.val_loop.setup_data()  # which it does later, and once
    monitored = {getattr(one, "monitor", None) for one in trainer.callbacks}  # pyright: ignore[reportAttributeAccessIssue], set at run time
    values = sorted(one for one in monitored if one and one.startswith("val/"))
    if values and not sum(trainer.num_val_batches):
        raise ArgumentError(
            f"nothing to validate on, expected 1 example or more: callbacks monitor {', '.join(values)}; "
            f"{_count_examples(trainer)}"
        )
    n_train, batch_size = _measure(trainer.train_dataloader)
    if n_train and batch_size and n_train < batch_size:
        rank_zero_info(f"each epoch is one batch that is not full: {_count_examples(trainer)}")


def _count_examples(trainer: lightning.Trainer) -> str:
    n_train, batch_size = _measure(trainer.train_dataloader)
    return f"the data have {n_train} examples to train on, batch_size is {batch_size}"


def _measure(loader: Any) -> tuple[int | None, int | None]:
    """The number of examples of a loader, and its batch size; None where it does not say them."""
    batches = getattr(loader, "sampler", None)  # of batches where the loader makes none of its own
    if not isinstance(batches, BatchSampler):
        batches = getattr(loader, "batch_sampler", None)
    if not isinstance(batches, BatchSampler) or not isinstance(batches.sampler, Sized):
        return None, getattr(loader, "batch_size", None)
    return len(batches.sampler), batches.batch_size
