"""Model files: one safetensors file of a model's tensors, and in its header all that rebuilds it.

Convention: a front end, a backbone and a model keep each argument of their constructor as an attribute of the
same name. A description is {"class_path": ..., "init_args": {...}}, as in a config. Reading one imports
nothing but this project's own classes, and unpickles nothing.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import nn

from audiocnn import files
from audiocnn.models.base import Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.image import ImageModel
from audiocnn.models.notes import NotesModel
from audiocnn.notes import DecodingOptions
from audiocnn.registry import InitArgs
from audiocnn.style.painters.adain import AdaIN
from audiocnn.style.painters.bank import StyleBank
from audiocnn.style.painters.feedforward import TransferNet
from audiocnn.style.painters.meta import MetaNet

FORMAT_VERSION = 1
HEADER = "audiocnn"
KINDS = (NotesModel, ClipModel, ImageModel, TransferNet, AdaIN, StyleBank, MetaNet)  # of a task, its model

M = TypeVar("M", bound=nn.Module)


class ModelError(files.FileError):
    """A model file that cannot be read: one line, `path: reason`."""


def describe(module: object, kind: type | None = None) -> dict[str, Any]:
    """The class of a front end, backbone, task or set of knobs with its arguments, ready for JSON.

    Args:
        kind: the class that it is described as, one of those it inherits; its own when None.
    """
    kind = kind or type(module)
    names = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    given = module.init_args if isinstance(module, InitArgs) else None
    return {
        "class_path": f"{kind.__module__}.{kind.__qualname__}",
        "init_args": {name: _described(given[name] if given else getattr(module, name)) for name in names},
    }


def _described(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_described(one) for one in value]
    return describe(value) if isinstance(value, nn.Module) or dataclasses.is_dataclass(value) else value


def rebuild(description: dict[str, Any]) -> Any:
    """The object of a description.

    Raises: ValueError when its class is not one of this project's modules.
    """
    module, _, name = str(description["class_path"]).rpartition(".")
    if not module.startswith("audiocnn."):
        raise ValueError(f"class is {description['class_path']}, expected one of audiocnn")
    kind = getattr(importlib.import_module(module), name, None)
    if not (inspect.isclass(kind) and issubclass(kind, (nn.Module, DecodingOptions))):
        raise ValueError(f"class is {description['class_path']}, expected a module of audiocnn")
    arguments = {key: _rebuilt(value) for key, value in description["init_args"].items()}
    return kind(**arguments)


def _rebuilt(value: Any) -> Any:
    return rebuild(value) if isinstance(value, dict) and "class_path" in value else value


def write_model(model: nn.Module, path: str | Path) -> None:
    """Writes a model file; of a task, what using it needs."""
    kind = next(kind for kind in KINDS if isinstance(model, kind))
    header = {"version": FORMAT_VERSION, "model": describe(model, kind)}
    tensors = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    with files.write_atomically(path) as partial:
        # Not save_file: its errors are its own, and its file is readable to nobody else.
        partial.write_bytes(safetensors.torch.save(tensors, metadata={HEADER: json.dumps(header)}))


def read_model(path: str | Path, kind: type[M] = Model) -> M:
    """The model of a model file, ready to be used (in evaluation mode, on the CPU).

    Args:
        kind: what is wanted; what listens by default.
    Raises: ModelError when the file is missing, damaged, a pickle, of a later version, none of ours, or
        holds another kind of model.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise ModelError(path, files.describe_error(error)) from error
    # A safetensors file may begin with these bytes too, its header's length, but then that header follows.
    if len(start) == 9 and start[8:] != b"{" and start.startswith((b"\x80", b"PK\x03\x04")):
        raise ModelError(path, "is a pickle, which could run code; expected a safetensors model file")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise ModelError(path, f"damaged, or no safetensors file ({error})") from error
    if not isinstance(header, dict) or "version" not in header:
        raise ModelError(path, "has no audiocnn header; expected a model that audiocnn saved")
    if header["version"] != FORMAT_VERSION:
        raise ModelError(
            path, f"is of version {header['version']}, expected version {FORMAT_VERSION}: update audiocnn"
        )
    try:
        model = rebuild(header["model"])
        if not isinstance(model, KINDS):
            raise ValueError(f"class is {header['model']['class_path']}, expected a model")
        model.load_state_dict(tensors)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, ImportError) as error:
        raise ModelError(path, f"damaged: its header and tensors do not fit ({error})") from error
    if not isinstance(model, kind):
        raise ModelError(path, f"holds {type(model).__name__}, expected {kind.__name__}")
    if isinstance(model, Model):
        model.name = path.stem
    return model.eval()


def average_weights(model: nn.Module, other: nn.Module, share: float) -> None:
    """Moves a model's weights, running means and temperature towards those of another by a share of the way.

    Of a model and what its training started from, a point between the two often does better on sounds unlike
    those of the training than either.
    Source: Wortsman et al., "Robust fine-tuning of zero-shot models", 2022.
    Raises: ValueError when they have not the same labels and shapes.
    """
    own, theirs = model.state_dict(), other.state_dict()
    if getattr(model, "labels", None) != getattr(other, "labels", None):
        raise ValueError("other labels, expected the same")
    if {name: value.shape for name, value in own.items()} != {n: v.shape for n, v in theirs.items()}:
        raise ValueError("a network of another shape, expected the same")
    for name, value in own.items():
        if value.is_floating_point():
            value.lerp_(theirs[name], share)
