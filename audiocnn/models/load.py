"""Models by their shipped names or files, ready for inference."""

from __future__ import annotations

import copy
import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from torch import nn

from audiocnn.backbones import backbone_family, list_backbones
from audiocnn.blocks.fuse import find_fusible_layers, fuse_batch_norms
from audiocnn.models import weights
from audiocnn.models.base import BaseModel
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError, read_model
from audiocnn.models.image import ImageModel
from audiocnn.models.notes import NotesModel

M = TypeVar("M", bound=BaseModel)

PHOTOGRAPHS = "efficientnet_lite0"  # the network with ImageNet weights that needs no connection
# Kind of model -> what it predicts, and the verb for it.
KINDS: dict[type[BaseModel], tuple[str, str]] = {
    NotesModel: ("notes", "transcribe"),
    ClipModel: ("labels", "classify"),
    ImageModel: ("what images show", "classify"),
}


def find_model(model: str | os.PathLike, *kinds: str, others: Sequence[str] = ()) -> Path:
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


def load(model: str | Path = "notes-piano", device: str = "cpu", kind: type[M] = BaseModel) -> M:
    """Load a model that transcribes or classifies sound, or classifies images.

    Args:
        model: a shipped model's name (`audiocnn models` lists them), or a model file; or a network's with
            published ImageNet weights, `list_backbones(pretrained=True)`.
        device: where the weights go, as PyTorch names it: "cuda".
        kind: the class that the model must have, such as NotesModel or ClipModel; any by default.

    Returns:
        The model in evaluation mode.

    Raises:
        ModelError: there is no such model, the file is damaged, or the model is of another kind.
        FileError: the package that holds published weights is not installed.
        ConnectionError: published weights are not cached and cannot be downloaded.

    Example:
        >>> import audiocnn
        >>> audiocnn.load("notes-piano").sample_rate
        16000
    """
    loaded = load_published(str(model)) if is_published(model) else _read(model)
    if not isinstance(loaded, kind):
        raise ModelError(model, describe_other(loaded, kind))
    return loaded.to(device)


def _read(model: str | Path) -> BaseModel:
    path = find_model(model, "notes", "labels", "images", others=[PHOTOGRAPHS])
    loaded = read_model(path, nn.Module)
    if not isinstance(loaded, BaseModel):
        what = f"holds {type(loaded).__name__}, expected a model of notes or labels"
        raise ModelError(model, f"{what}; `audiocnn stylize` uses those that paint")
    return loaded


def describe_other(model: BaseModel, kind: type[BaseModel]) -> str:
    """Describe why a model is of no use where another kind is needed, and where it is.

    Args:
        model: as given.
        kind: the class that is needed.

    Returns:
        The reason, as of an error.
    """
    if kind not in KINDS or type(model) not in KINDS:
        return f"holds {type(model).__name__}, expected {kind.__name__}"
    (found, verb), (expected, _) = KINDS[type(model)], KINDS[kind]
    return f"predicts {found}, not {expected}; `audiocnn {verb}` uses it"


def is_published(model: str | Path) -> bool:
    """Say whether a model is a network with published ImageNet weights, and no model or file of this name.

    Args:
        model: a name or a path.
    """
    if not isinstance(model, str) or os.path.lexists(weights.path(model)):
        return False
    return model in list_backbones(glob.escape(model), pretrained=True)


def load_published(name: str) -> ImageModel:
    """Load a network with its published ImageNet weights, as a model of photographs.

    Args:
        name: of the network, of `list_backbones(pretrained=True)`.

    Returns:
        The model in evaluation mode.

    Raises:
        FileError, ConnectionError: as of `backbones.pretrained.pretrained`.
    """
    from audiocnn.backbones.pretrained import pretrained, read_classes

    published = backbone_family(name).weights[name]
    backbone, classifier = pretrained(name)
    labels = [*read_classes().values()]
    model = ImageModel(backbone, None, labels, published.size, published.mean, published.std)
    model.head.load_state_dict(classifier.state_dict())
    model.name = name
    return model.eval()


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
