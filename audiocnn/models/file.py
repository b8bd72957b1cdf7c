"""Model files: one safetensors file of a model's tensors, and in its header all that rebuilds it.

The header is JSON: {"version": 2, "model": DESCRIPTION}. A description is {"class": ..., "init_args": {...}}:
the registered name of a front end, backbone, model or set of options, and the arguments of its constructor,
descriptions themselves where they are objects. Reading one builds registered classes only, see
`audiocnn.registry`, and unpickles nothing.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from audiocnn import files
from audiocnn.backbones import BACKBONES
from audiocnn.frontends.base import FRONT_ENDS
from audiocnn.models.base import MODELS, OPTIONS, Model
from audiocnn.models.painters import PAINTERS
from audiocnn.registry import InitArgs

FORMAT_VERSION = 2
HEADER = "audiocnn"  # key of the safetensors file's metadata
REGISTRIES = (MODELS, PAINTERS, BACKBONES, FRONT_ENDS, OPTIONS)

M = TypeVar("M", bound=nn.Module)


class ModelError(files.FileError):
    """A model file that cannot be read: one line, `path: reason`."""


class UnregisteredError(ValueError):
    """A description whose class is not registered here."""


def describe(built: object, cls: type | None = None) -> dict[str, Any]:
    """Describe an object by its class and the arguments of its constructor, ready for JSON.

    Args:
        built: a front end, backbone, model or dataclass of options.
        cls: the class that it is described as, one of its own bases; its own when None.

    Returns:
        The description; of a class of another package with that package's name, for messages only.
    """
    cls = cls or type(built)
    names = list(inspect.signature(cls).parameters)
    arguments = built.init_args if isinstance(built, InitArgs) else vars(built)
    package = cls.__module__.partition(".")[0]
    return {
        "class": cls.__name__,
        **({} if package == "audiocnn" else {"package": package}),
        "init_args": {name: _describe_value(arguments[name]) for name in names},
    }


def _describe_value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_describe_value(one) for one in value]
    return describe(value) if isinstance(value, nn.Module) or dataclasses.is_dataclass(value) else value


def rebuild(description: dict[str, Any]) -> Any:
    """Build the object of a description.

    Args:
        description: as `describe` returns it.

    Returns:
        The object, new: a network has random weights.

    Raises:
        UnregisteredError: its class, or one within it, is not registered.
    """
    name = description["class"]
    registry = next((one for one in REGISTRIES if name in one), None)
    if registry is None:
        package = description.get("package")
        advice = f"install or import the package {package}, which has it" if package else "update audiocnn"
        raise UnregisteredError(f"class {name} is not registered; {advice}")
    arguments = {key: _rebuild_value(value) for key, value in description["init_args"].items()}
    return registry[name](**arguments)


def _rebuild_value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_rebuild_value(one) for one in value)  # JSON has no tuples
    return rebuild(value) if isinstance(value, dict) and "class" in value else value


def write_model(model: nn.Module, path: str | Path) -> None:
    """Write a model file; of a training task, the model that is trained.

    Args:
        model: an instance of a registered model, or of a subclass.
        path: the file, NAME.safetensors.

    Raises:
        FileError: the file cannot be written.
        TypeError: the model is of no registered class.
    """
    header = {"version": FORMAT_VERSION, "model": describe(model, _registered_class(model))}
    tensors = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    with files.write_atomically(path) as partial:
        # Not save_file: its errors are its own, and its file is readable to nobody else.
        partial.write_bytes(safetensors.torch.save(tensors, metadata={HEADER: json.dumps(header)}))


def _registered_class(model: nn.Module) -> type:
    """The nearest registered class that a model is an instance of."""
    for cls in type(model).__mro__:
        if any(cls.__name__ in models and models[cls.__name__] is cls for models in (MODELS, PAINTERS)):
            return cls
    raise TypeError(f"model is {type(model).__name__}, expected an instance of a registered model or painter")


def read_model(path: str | Path, kind: type[M] = Model) -> M:
    """Read a model file.

    Args:
        path: the file, NAME.safetensors.
        kind: the class that the model must have; by default one that takes waveforms.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ModelError: the file is missing, damaged, a pickle, of another version, not written by audiocnn, of a
            class that is not registered, or another kind of model.
    """
    path = Path(path)
    _refuse_pickles(path)
    header, tensors = _read_safetensors(path)
    if not isinstance(header, dict) or "version" not in header:
        raise ModelError(path, "has no audiocnn header; expected a model that audiocnn saved")
    if (version := header["version"]) != FORMAT_VERSION:
        later = isinstance(version, int) and version > FORMAT_VERSION
        advice = "update audiocnn" if later else "export it again from its checkpoint"
        raise ModelError(path, f"is of version {version}, expected version {FORMAT_VERSION}: {advice}")
    try:
        model = rebuild(header["model"])
        model.load_state_dict(tensors)
    except (UnregisteredError, ImportError) as error:
        raise ModelError(path, error) from error
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(path, f"damaged: its header and tensors do not fit ({error})") from error
    if not isinstance(model, kind):
        raise ModelError(path, f"holds {type(model).__name__}, expected {kind.__name__}")
    if isinstance(model, Model):
        model.name = path.stem
    return model.eval()


def _refuse_pickles(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise ModelError(path, files.describe_error(error)) from error
    # A safetensors file may begin with these bytes too, its header's length, but then that header follows.
    if len(start) == 9 and start[8:] != b"{" and start.startswith((b"\x80", b"PK\x03\x04")):
        raise ModelError(path, "is a pickle, which could run code; expected a safetensors model file")


def _read_safetensors(path: Path) -> tuple[Any, dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "null"))
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise ModelError(path, f"damaged, or no safetensors file ({error})") from error


def average_weights(model: nn.Module, other: nn.Module, share: float) -> None:
    """Move a model's weights, running means and temperature towards those of another, in place.

    Of a model and what its training started from, a point between the two often does better on sounds unlike
    those of the training than either.

    Args:
        model: is changed.
        other: of the same architecture and labels.
        share: of the way from the one to the other, 0 to 1.

    Raises:
        ValueError: they have not the same labels and shapes.

    Source:
        Wortsman et al., "Robust fine-tuning of zero-shot models", 2022.
    """
    own, theirs = model.state_dict(), other.state_dict()
    if (labels := getattr(model, "labels", None)) != (others := getattr(other, "labels", None)):
        raise ValueError(f"labels are {others}, expected {labels}")
    if differing := _first_difference(own, theirs):
        raise ValueError(f"architectures differ: {differing}")
    for name, value in own.items():
        if value.is_floating_point():
            value.lerp_(theirs[name], share)


def _first_difference(own: dict[str, Tensor], theirs: dict[str, Tensor]) -> str | None:
    shapes, others = ({name: (*value.shape,) for name, value in one.items()} for one in (own, theirs))
    for name in shapes | others:
        if shapes.get(name) != others.get(name):
            return f"{name} is {others.get(name, 'missing')}, expected {shapes.get(name, 'none')}"
    return None
