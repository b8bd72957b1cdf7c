"""Models by their shipped names or files, ready for inference."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from torch import nn

from audiocnn.blocks.fuse import find_fusible_layers, fuse_batch_norms
from audiocnn.models import weights
from audiocnn.models.base import Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError, read_model
from audiocnn.models.notes import NotesModel

M = TypeVar("M", bound=Model)

# Kind of model -> what is said of one of the other kind.
OTHER_KIND: dict[type[Model], str] = {
    NotesModel: "predicts labels, not notes; `audiocnn classify` uses it",
    ClipModel: "predicts notes, not labels; `audiocnn transcribe` uses it",
}


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
        TypeError: it is neither a name nor a path.
    """
    if not isinstance(model, str | os.PathLike):
        raise TypeError(f"model is {type(model).__name__}, expected a name or a file")
    path = weights.path(model)
    if not os.path.lexists(path):  # unlike Path.exists for any text
        names = ", ".join([*others, *weights.names(*kinds)])
        raise ModelError(model, f"no such model, expected a file or one of {names}")
    return path


def load(model: str | Path = "notes-piano", device: str = "cpu", kind: type[M] = Model) -> M:
    """Load a model that transcribes or classifies sound.

    Args:
        model: a shipped model's name (`audiocnn models` lists them), or a model file.
        device: where the weights go, as PyTorch names it: "cuda".
        kind: the class that the model must have, such as NotesModel or ClipModel; any by default.

    Returns:
        The model in evaluation mode.

    Raises:
        ModelError: there is no such model, the file is damaged, or the model is of another kind.

    Example:
        >>> import audiocnn
        >>> audiocnn.load("notes-piano").sample_rate
        16000
    """
    loaded = read_model(find_model(model, "notes", "labels"), nn.Module)
    if not isinstance(loaded, Model):
        what = f"holds {type(loaded).__name__}, expected a model of sound"
        raise ModelError(model, f"{what}; `audiocnn stylize` uses those of images")
    if not isinstance(loaded, kind):
        otherwise = f"holds {type(loaded).__name__}, expected {kind.__name__}"
        raise ModelError(model, OTHER_KIND.get(kind, otherwise))
    return loaded.to(device)


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
