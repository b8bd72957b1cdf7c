"""Models by their shipped names or files, ready for inference."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from audiocnn.blocks.fuse import find_fusible_layers, fuse_batch_norms
from audiocnn.models import weights
from audiocnn.models.base import Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError, read_model
from audiocnn.models.notes import NotesModel

M = TypeVar("M", bound=Model)


def find_model(model: str | Path, *kinds: str, others: Sequence[str] = ()) -> Path:
    """Find the file of a model.

    Args:
        model: a shipped model's name, or a path.
        kinds: of shipped models, those of `weights.KINDS`, whose names the message lists.
        others: more names that the caller knows, for the message.

    Returns:
        The path of a file that exists.

    Raises:
        ModelError: there is neither such a model nor such a file.
    """
    path = weights.path(model)
    if not path.exists():
        names = ", ".join([*others, *weights.names(*kinds)])
        raise ModelError(model, f"no such model, expected a file or one of {names}")
    return path


def load(model: str | Path = "notes-piano", device: str = "cpu") -> Model:
    """Load a model that transcribes or classifies sound.

    Args:
        model: a shipped model's name (`audiocnn models` lists them), or a model file.
        device: where the weights go, as PyTorch names it: "cuda".

    Returns:
        The model in evaluation mode.

    Raises:
        ModelError: there is no such model, or the file is damaged.

    Example:
        >>> import audiocnn
        >>> audiocnn.load("notes-piano").sample_rate
        16000
    """
    return read_model(find_model(model, "notes", "labels")).to(device)


def load_notes_model(model: str | Path, device: str = "cpu") -> NotesModel:
    """Load a model that transcribes notes.

    Args:
        model: as for `load`.
        device: as for `load`.

    Returns:
        The model in evaluation mode.

    Raises:
        ModelError: as by `load`, or the model predicts something else than notes.
    """
    return _check_kind(
        model, load(model, device), NotesModel, "labels, not notes; `audiocnn classify` uses it"
    )


def load_clip_model(model: str | Path, device: str = "cpu") -> ClipModel:
    """Load a model that classifies clips.

    Args:
        model: as for `load`.
        device: as for `load`.

    Returns:
        The model in evaluation mode.

    Raises:
        ModelError: as by `load`, or the model predicts something else than labels.
    """
    return _check_kind(
        model, load(model, device), ClipModel, "notes, not labels; `audiocnn transcribe` uses it"
    )


def _check_kind(name: str | Path, model: Model, kind: type[M], otherwise: str) -> M:
    if not isinstance(model, kind):
        raise ModelError(name, f"predicts {otherwise}")
    return model


def fuse_model(model: M) -> M:
    """Copy a model for inference, each batch normalisation fused into the convolution before it.

    The copy takes two thirds of the trained form's time on a CPU.

    Args:
        model: stays as it is.

    Returns:
        The copy in evaluation mode; the model itself where nothing is to be done.
    """
    if not model.training and not find_fusible_layers(model.backbone):
        return model
    model = copy.deepcopy(model).eval()
    fuse_batch_norms(model.backbone)
    return model
