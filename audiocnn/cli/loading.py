"""Loading of models by name or file for the verbs; wrong arguments are reported as UsageErrors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

from audiocnn.cli.parser import OptionGroup, UsageError, usage_errors
from audiocnn.files import FileError
from audiocnn.notes import DecodingOptions

if TYPE_CHECKING:
    from audiocnn.models.base import BaseModel
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.image import ImageModel
    from audiocnn.models.notes import NotesModel

M = TypeVar("M", "ClipModel", "ImageModel")
L = TypeVar("L", bound="BaseModel")
DecodingArguments = Annotated[
    float | None,
    OptionGroup(DecodingOptions, "decoding of notes (defaults: the model's own)", own_defaults=False),
]


def load_model(model: str, device: str) -> BaseModel:
    """Load a model of notes, of labels or of images.

    Raises:
        FileError: the model cannot be read.
        UsageError: there is no such device.
    """
    import audiocnn

    check_device(device)
    return audiocnn.load(model, device)


def load_model_and_decoding(
    model: str, device: str, options: dict[str, float | None]
) -> tuple[NotesModel, DecodingOptions]:
    """Load a model of notes, and its decoding options, overridden by those given.

    Raises:
        FileError: the model cannot be read, or is not for notes.
        UsageError: there is no such device, or an option is out of its range.
    """
    from audiocnn.models.load import load
    from audiocnn.models.notes import NotesModel

    check_device(device)
    loaded = load(model, device, NotesModel)
    with usage_errors():
        return loaded, dataclasses.replace(loaded.decoding, **options)


def load_classifiers(models: Sequence[str], device: str) -> list[ClipModel]:
    """Load models of labels that are averaged.

    Raises:
        FileError: a model cannot be read, or is not for labels.
        UsageError: there is no such device, or the models differ in their labels or windows.
    """
    from audiocnn.inference.classify import check_compatible
    from audiocnn.models.clips import ClipModel

    loaded = _load_fused(models, device, ClipModel)
    with usage_errors():
        check_compatible(loaded)
    return loaded


def load_classifiers_by_labels(
    models: Sequence[str], device: str
) -> dict[str, dict[str, ClipModel]] | dict[str, dict[str, ImageModel]]:
    """Load models of labels, of sound or of images, those with the same labels in one group.

    Returns:
        The names of a group's models, "one+other" -> the models by their names or files as they were given.

    Raises:
        FileError, UsageError: as `load_classifiers`; also where two groups have the same names, or some
            models are of sound and some of images.
    """
    from audiocnn.inference.classify import check_compatible
    from audiocnn.inference.images import check_same_labels
    from audiocnn.models.base import BaseModel
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.image import ImageModel
    from audiocnn.models.load import describe_other

    by_name = dict(zip(models, _load_fused(models, device, BaseModel), strict=True))
    for name, model in by_name.items():
        if not isinstance(model, ClipModel | ImageModel):
            raise FileError(name, describe_other(model, ClipModel))
    of_images = {name: model for name, model in by_name.items() if isinstance(model, ImageModel)}
    of_sound = {name: model for name, model in by_name.items() if isinstance(model, ClipModel)}
    if of_images and of_sound:
        given = f"{' '.join(of_sound)} of sound and {' '.join(of_images)} of images"
        raise UsageError(f"models are {given}, expected all of one kind")
    if of_images:
        return _group_by_labels(of_images, check_same_labels)
    return _group_by_labels(of_sound, check_compatible)


def _group_by_labels(models: dict[str, M], check: Callable[[list[M]], None]) -> dict[str, dict[str, M]]:
    by_labels: dict[tuple[str, ...], dict[str, M]] = {}
    for name, model in models.items():
        by_labels.setdefault(tuple(model.labels or model.outputs), {})[name] = model
    groups: dict[str, dict[str, M]] = {}
    for group in by_labels.values():
        name = "+".join(model.name for model in group.values())
        if first := groups.get(name):
            raise UsageError(f"models are {' '.join([*first, *group])}, expected files of different names")
        with usage_errors():
            check([*group.values()])
        groups[name] = group
    return groups


def check_device(device: str) -> None:
    """Check that a device is there, and computes: PyTorch's "meta" knows shapes alone.

    Raises:
        UsageError: it is not, or does not.
    """
    import torch

    try:
        torch.zeros(1, device=device).tolist()
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device is {device!r}: {str(error).splitlines()[0]}") from error


def _load_fused(models: Sequence[str], device: str, kind: type[L]) -> list[L]:
    from audiocnn.models.load import fuse_model, load

    check_device(device)
    return [fuse_model(load(model, device, kind)) for model in models]  # once for all files
