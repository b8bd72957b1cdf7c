"""Checkpoints of a training: read without unpickling code, and built again from what they say of themselves.

Beside Lightning's entries a checkpoint has under `KEY` the description of its task, as model files have it
of their model (`models.file`): registered classes by name and the arguments of their constructors.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from audiocnn import files
from audiocnn.augment import Mixup, Overlay, RandomShift, SpecAugment
from audiocnn.models.file import (
    REGISTRIES,
    check_described,
    damages,
    describe,
    describe_tensors,
    find_difference,
    rebuild,
)
from audiocnn.registry import Registry

KEY, VERSION = "audiocnn", 1
LEARNED_WITH = ("labels", "front_end", "backbone", "network")  # arguments of tasks; other ones may be changed
DATA = "ClipsDataModule"  # whose state Lightning keeps by its name: the record of the split
TASKS: Registry[lightning.LightningModule] = Registry(
    "tasks",
    {
        "AutoencoderTask": "audiocnn.training.autoencoder",
        "ContrastiveTask": "audiocnn.training.contrastive",
        "GenreTask": "audiocnn.training.clips",
        "ImageTask": "audiocnn.training.image",
        "InstrumentTask": "audiocnn.training.clips",
        "NotesTask": "audiocnn.training.notes",
        "StyleTask": "audiocnn.training.style",
        "TextTask": "audiocnn.training.text",
    },
)
# What tasks are given beside front ends, backbones and painters.
PARTS: Registry[Any] = Registry("parts of tasks", {"LossOptions": "audiocnn.training.style"})
for _part in (Mixup, Overlay, RandomShift, SpecAugment):
    PARTS.register(_part)


def describe_task(task: lightning.LightningModule) -> str | None:
    """Describe a task, for its checkpoints.

    Args:
        task: of a registered class, or of a subclass with the same arguments.

    Returns:
        JSON; None where an argument is none of a registered class, a number, a text, or lists of these.
    """
    known = (cls for cls in type(task).__mro__ if cls.__name__ in TASKS and TASKS[cls.__name__] is cls)
    try:
        return json.dumps({"version": VERSION, "task": describe(task, next(known, type(task)))})
    except (KeyError, TypeError, ValueError):
        return None


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint on this machine, tensors and plain values alone.

    Args:
        path: the file.

    Returns:
        Its entries, with tensors on the CPU.

    Raises:
        FileError: there is no such file, it is damaged, or it holds objects, which could run code.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            checkpoint = torch.load(Path(path), map_location="cpu", weights_only=True)
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    except Exception as error:  # a damaged file may raise anything
        raise files.FileError(path, "damaged, or no checkpoint of tensors alone") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise files.FileError(path, "no checkpoint of a training: it has no state_dict")
    return checkpoint


def load_task(path: str | Path) -> lightning.LightningModule:
    """Build the task of a checkpoint, with its weights.

    Args:
        path: the file.

    Returns:
        The task in evaluation mode, on the CPU.

    Raises:
        FileError: the checkpoint cannot be read, does not say what its task is, or names a class that is not
            registered.
    """
    checkpoint = read_checkpoint(path)
    if not isinstance(text := checkpoint.get(KEY), str):
        raise files.FileError(
            path,
            "does not say what its model is: an earlier version wrote it, or its task is not registered; "
            f"`audiocnn fit --config CONFIG --ckpt_path {path}` trains on and writes one that does",
        )
    registries = (TASKS, PARTS, *REGISTRIES)
    with damages(path, "its description and its tensors", files.FileError):
        description = json.loads(text)["task"]
        if "start_from" in description["init_args"]:  # all weights are in the checkpoint
            description["init_args"]["start_from"] = None
        check_described(description, describe_tensors(checkpoint["state_dict"]), registries)
        task = rebuild(description, registries)
        task.load_state_dict(checkpoint["state_dict"])
        task.split = checkpoint.get(DATA, {}).get("split")  # which a model file keeps
    return task.eval()


def check_fit(path: str | Path, task: lightning.LightningModule, checkpoint: Mapping[str, Any]) -> None:
    """Check that a checkpoint is of a task: of the same labels, front end, network and tensors.

    Args:
        path: of the checkpoint, for the message.
        task: that is to have its weights.
        checkpoint: as of `read_checkpoint`.

    Raises:
        FileError: it is of another one; the message names the first difference.
    """
    own, theirs = describe_task(task), checkpoint.get(KEY)
    try:
        difference = find_difference(_flatten(own), _flatten(theirs)) if own and theirs else None
    except (ValueError, KeyError, TypeError) as error:
        raise files.FileError(path, f"damaged: does not say what its model is ({error!r})") from error
    tensors = (describe_tensors(task.state_dict()), describe_tensors(checkpoint["state_dict"]))
    if difference := difference or find_difference(*tensors):
        raise files.FileError(path, f"is of another model: {difference}; model.start_from takes its weights")


def _flatten(text: str) -> dict[str, str]:
    """The arguments of a described task that its weights have learned with, by their names in a config."""
    arguments = json.loads(text)["task"]["init_args"]
    return dict(_list_settings({name: arguments[name] for name in LEARNED_WITH if name in arguments}))


def _list_settings(described: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in described.items():
        full = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _list_settings(value, f"{full.removesuffix('init_args')}".rstrip(".") + ".")
        else:
            yield full, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


class CheckpointFile(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all, and are read without unpickling code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with files.write_atomically(path) as partial:
            partial.write_bytes(buffer.getbuffer())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(path)
