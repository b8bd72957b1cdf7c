"""Model files: one safetensors file of a model's tensors, and in its header all that rebuilds it.

The header is JSON: {"version": 2, "model": DESCRIPTION}, and where it is known "split": {PART: [DIGEST]}, the
files of the training by a digest of their content. A description is {"class": ..., "init_args": {...}}: the
registered name of a front end, backbone, model or set of options, and the arguments of its constructor,
descriptions themselves where they are objects. Reading one builds registered classes only, see
`audiocnn.registry`, and unpickles nothing.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import reprlib
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from audiocnn import files
from audiocnn.backbones import BACKBONES
from audiocnn.frontends.base import FRONT_ENDS
from audiocnn.models.base import MODELS, OPTIONS, BaseModel, Model
from audiocnn.models.painters import PAINTERS
from audiocnn.ranges import ArgumentError
from audiocnn.registry import InitArgs, Registry

FORMAT_VERSION = 2
HEADER = "audiocnn"  # key of the safetensors file's metadata
MAX_HEADER = 32 << 20  # bytes; that of ResNet-152 has 0.1 MB, the split of a million files 22 MB
MAX_SPARE = 4  # times the tensors of a file are made while it is rebuilt: some take the place of others
MAX_REASON = 300  # characters that are told of what a constructor raised
DTYPES = {"F32": torch.float32, "I64": torch.int64, "BOOL": torch.bool}  # of models; others are refused
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
    if isinstance(value, dict):
        return {name: _describe_value(one) for name, one in value.items()}
    return value if isinstance(value, str | int | float | None) else describe(value)


def rebuild(description: dict[str, Any], registries: Sequence[Registry[Any]] = REGISTRIES) -> Any:
    """Build the object of a description.

    Args:
        description: as `describe` returns it.
        registries: that have the classes which may be built.

    Returns:
        The object, new: a network has random weights.

    Raises:
        UnregisteredError: its class, or one within it, is not registered.
        ValueError: it is no description, or an argument is out of its range.
    """
    if not isinstance(description, dict) or not isinstance(description.get("init_args"), dict):
        raise ValueError(f"it holds {reprlib.repr(description)}, expected a class and its init_args")
    name = str(description.get("class"))
    registry = next((one for one in registries if name in one), None)
    if registry is None:
        package = description.get("package")
        advice = f"install or import the package {package}, which has it" if package else "update audiocnn"
        raise UnregisteredError(f"class {name} is not registered; {advice}")
    arguments = {key: _rebuild_value(value, registries) for key, value in description["init_args"].items()}
    # Front ends are computed with numbers, not with shapes alone; the ranges of their arguments limit them.
    with torch.device("cpu") if registry is FRONT_ENDS else contextlib.nullcontext():
        return registry[name](**arguments)


def _rebuild_value(value: Any, registries: Sequence[Registry[Any]]) -> Any:
    if isinstance(value, list):
        return tuple(_rebuild_value(one, registries) for one in value)  # JSON has no tuples
    return rebuild(value, registries) if isinstance(value, dict) and "class" in value else value


def write_model(model: nn.Module, path: str | Path) -> None:
    """Write a model file; of a training task, the model that is trained.

    Args:
        model: an instance of a registered model, or of a subclass.
        path: the file, NAME.safetensors.

    Raises:
        FileError: the file cannot be written, or the model holds numbers that are not finite.
        TypeError: the model is of no registered class.
    """
    header = {"version": FORMAT_VERSION, "model": describe(model, _registered_class(model))}
    if split := getattr(model, "split", None):
        header["split"] = split
    tensors = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    _check_numbers(Path(path), tensors)
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

    Nothing of the size that the file asks for is allocated before it is found to hold tensors of that size:
    the model is first built on PyTorch's meta device, without memory.

    Args:
        path: the file, NAME.safetensors.
        kind: the class that the model must have; by default one that takes waveforms.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ModelError: the file is missing, damaged, a pickle, of another version, not written by audiocnn, of a
            class that is not registered, larger than memory, or another kind of model; or it holds numbers
            that are not finite.
    """
    path = Path(path)
    _check_header(path)
    try:
        with safe_open(path, "pt") as file:
            header = _read_audiocnn_header(path, file.metadata() or {})
            description = header.get("model", {})
            _check_tensors(path, file, description)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise ModelError(path, f"damaged, or no safetensors file ({error})") from error
    _check_numbers(path, tensors)
    with damages(path):
        model = rebuild(description)
        model.load_state_dict(tensors)
        if isinstance(model, BaseModel):
            model.check_values()
    if not isinstance(model, kind):
        raise ModelError(path, f"holds {type(model).__name__}, expected {kind.__name__}")
    if isinstance(model, BaseModel):
        model.name, model.split = path.stem, header.get("split")
    return model.eval()


def _check_header(path: Path) -> None:
    """Refuse what is no safetensors file, or has a header that is too long or ambiguous, unread."""
    size = files.check_regular(path, ModelError).st_size
    try:
        with path.open("rb") as file:
            start = file.read(9)
            # A safetensors file may begin with these bytes too, its header's length, but then that header
            # follows.
            if len(start) == 9 and start[8:] != b"{" and start.startswith((b"\x80", b"PK\x03\x04")):
                raise ModelError(path, "is a pickle, which could run code; expected a safetensors model file")
            n_header = int.from_bytes(start[:8], "little")
            if len(start) < 9 or n_header > size - 8:
                raise ModelError(path, f"damaged, or no safetensors file (it has {size} bytes)")
            if n_header > MAX_HEADER:
                raise ModelError(path, f"has a header of {n_header:,} bytes, expected at most {MAX_HEADER:,}")
            file.seek(8)
            header = file.read(n_header)
    except OSError as error:
        raise ModelError(path, files.describe_error(error)) from error
    if size > (free := psutil.virtual_memory().available):
        raise ModelError(path, f"has {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free")
    _parse(path, header)


def _parse(path: Path, text: str | bytes) -> Any:
    """Parse JSON, in which no key stands twice and numbers are numbers."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # not UTF-8, no JSON, or nested too deep
        raise ModelError(path, f"damaged, or no safetensors file ({error})") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if any(key == one for one, _ in pairs[:i]))
        raise ValueError(f"{twice!r} stands twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _read_audiocnn_header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    header = _parse(path, metadata.get(HEADER, "null"))
    if not isinstance(header, dict) or "version" not in header:
        raise ModelError(path, "has no audiocnn header; expected a model that audiocnn saved")
    if (version := header["version"]) != FORMAT_VERSION:
        later = isinstance(version, int) and version > FORMAT_VERSION
        advice = "update audiocnn" if later else "export it again from its checkpoint"
        raise ModelError(path, f"is of version {version!r}, expected version {FORMAT_VERSION}: {advice}")
    split = header.get("split", {})
    if not isinstance(split, dict) or not all(isinstance(part, list) for part in split.values()):
        raise ModelError(path, "damaged: the split in its header is no lists of digests")
    return header


@contextlib.contextmanager
def damages(
    path: str | Path, what: str = "its header and tensors", kind: type[files.FileError] = ModelError
) -> Iterator[None]:
    """Turn the errors of a constructor that is given what a file holds into those of the file.

    Args:
        path: the file.
        what: of it does not fit.
        kind: of the error.

    Raises:
        FileError: a class is not registered, or an argument is wrong.
    """
    try:
        yield
    except (UnregisteredError, ImportError) as error:
        raise kind(path, error) from error
    except Exception as error:  # a wrong argument may raise anything
        reason = textwrap.shorten(str(error), MAX_REASON, placeholder=" …")
        raise kind(path, f"damaged: {what} do not fit ({reason})") from error


def _check_tensors(path: Path, file: Any, description: Any) -> None:
    """Compare the tensors of a file with those of the model that it describes, without allocating either."""
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    found = {
        name: f"{DTYPES.get(kind := one.get_dtype(), kind)} {(*one.get_shape(),)}"
        for name, one in slices.items()
    }
    with damages(path):
        check_described(description, found)


def check_described(
    description: Any, found: Mapping[str, str], registries: Sequence[Registry[Any]] = REGISTRIES
) -> None:
    """Check that a description is of a module with certain tensors, without allocating them.

    Args:
        description: as `describe` returns it.
        found: type and shape of the tensors, as `describe_tensors` returns them.
        registries: that have the classes which may be built.

    Raises:
        ValueError: it describes no module, or one with other tensors.
    """
    with torch.device("meta"), _at_most(MAX_SPARE * len(found) + MAX_SPARE):
        model = rebuild(description, registries)
    if not isinstance(model, nn.Module):
        raise ValueError(f"it describes a {type(model).__name__}, expected a model")
    if difference := find_difference(describe_tensors(model.state_dict()), found):
        raise ValueError(difference)


@contextlib.contextmanager
def _at_most(n: int) -> Iterator[None]:
    """Within it no more than so many parameters can be made: a header may ask for any number of layers."""
    left = n

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError("it describes more layers than it has tensors for")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _check_numbers(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ModelError(path, f"{name} has values that are not finite, expected numbers")
        if name.endswith("running_var") and (tensor < 0).any():
            raise ModelError(path, f"{name} has negative values, expected variances")


def average_weights(model: nn.Module, other: nn.Module, share: float) -> None:
    """Move a model's weights, running means and temperature towards those of another, in place.

    Of a model and what its training started from, a point between the two often does better on sounds unlike
    those of the training than either.

    Args:
        model: is changed.
        other: of the same architecture and labels.
        share: of the way from the one to the other, 0 to 1.

    Raises:
        ArgumentError: they have not the same labels and shapes.

    Source:
        Wortsman et al., "Robust fine-tuning of zero-shot models", 2022.
    """
    own, theirs = model.state_dict(), other.state_dict()
    if (labels := getattr(model, "labels", None)) != (others := getattr(other, "labels", None)):
        raise ArgumentError(f"labels are {others}, expected {labels}")
    if differing := find_difference(*map(describe_tensors, (own, theirs))):
        raise ArgumentError(f"architectures differ: {differing}")
    for name, value in own.items():
        if value.is_floating_point():
            value.lerp_(theirs[name], share)


def describe_tensors(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Describe the type and shape of tensors.

    Args:
        tensors: by their names.
    """
    return {name: f"{one.dtype} {(*one.shape,)}" for name, one in tensors.items()}


def find_difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """Find the first tensor in which two modules differ.

    Args:
        expected: as `describe_tensors` returns it.
        found: the same of the other.

    Returns:
        Its name and what it is in both, in words; None where they do not differ.
    """
    for name in {**expected, **found}:
        if expected.get(name) != found.get(name):
            return f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'none')}"
    return None
