"""Loading of models by name or file for the verbs; wrong arguments are reported as UsageErrors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from audiocnn.cli.parser import OptionGroup, UsageError, usage_errors
from audiocnn.notes import DecodingOptions

if TYPE_CHECKING:
    from audiocnn.models.base import Model
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.notes import NotesModel

DecodingArguments = Annotated[
    float | None,
    OptionGroup(DecodingOptions, "decoding of notes (defaults: the model's own)", own_defaults=False),
]


def load_model(model: str, device: str) -> Model:
    """Load a model of notes or of labels.

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
    return _check_compatible(_load_clip_models(models, device))


def load_classifiers_by_labels(models: Sequence[str], device: str) -> dict[str, dict[str, ClipModel]]:
    """Load models of labels, those with the same labels in one group.

    Returns:
        The names of a group's models, "one+other" -> the models by their names or files as they were given.

    Raises:
        FileError, UsageError: as `load_classifiers`; also where two groups have the same names.
    """
    by_labels: dict[tuple[str, ...], dict[str, ClipModel]] = {}
    for model, loaded in zip(models, _load_clip_models(models, device), strict=True):
        by_labels.setdefault(tuple(loaded.labels), {})[model] = loaded
    groups: dict[str, dict[str, ClipModel]] = {}
    for group in by_labels.values():
        name = "+".join(model.name for model in group.values())
        if first := groups.get(name):
            raise UsageError(f"models are {' '.join([*first, *group])}, expected files of different names")
        _check_compatible([*group.values()])
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


def _load_clip_models(models: Sequence[str], device: str) -> list[ClipModel]:
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.load import fuse_model, load

    check_device(device)
    return [fuse_model(load(model, device, ClipModel)) for model in models]  # once for all files


def _check_compatible(models: list[ClipModel]) -> list[ClipModel]:
    from audiocnn.inference.classify import check_compatible

    with usage_errors():
        check_compatible(models)
    return models
