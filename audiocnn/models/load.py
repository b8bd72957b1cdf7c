"""The models that listen: by name or file, and made fast for it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TypeVar

from audiocnn.blocks.fuse import find_fusible_layers, fuse_batch_norms
from audiocnn.models import weights
from audiocnn.models.base import Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError, read_model
from audiocnn.models.notes import NotesModel

M = TypeVar("M", bound=Model)


def load(model: str | Path = "notes-piano", device: str = "cpu") -> Model:
    """A shipped model by its name, or a model file by its path, ready to listen.

    Raises: ModelError when there is no such model or the file is damaged.
    """
    path = weights.path(model)
    if not path.exists() and path.suffix != ".safetensors":
        raise ModelError(
            model, f"no such model, expected a file or one of {', '.join(weights.names('notes', 'labels'))}"
        )
    return read_model(path).to(device)


def load_notes(model: str | Path, device: str = "cpu") -> NotesModel:
    """As `load`. Raises: ModelError also when the model hears something else than notes."""
    return _of_kind(model, load(model, device), NotesModel, "labels, not notes; `audiocnn classify` uses it")


def load_clips(model: str | Path, device: str = "cpu") -> ClipModel:
    """As `load`. Raises: ModelError also when the model hears something else than labels."""
    return _of_kind(model, load(model, device), ClipModel, "notes, not labels; `audiocnn transcribe` uses it")


def _of_kind(name: str | Path, model: Model, kind: type[M], otherwise: str) -> M:
    if not isinstance(model, kind):
        raise ModelError(name, f"hears {otherwise}")
    return model


def fused(task: M) -> M:
    """A copy of the task for listening: each batch normalisation is part of the convolution before it.

    It takes two thirds of the time of the trained form on a CPU. A task with nothing to do is given as it is.
    """
    if not task.training and not find_fusible_layers(task.backbone):
        return task
    task = copy.deepcopy(task).eval()
    fuse_batch_norms(task.backbone)
    return task
