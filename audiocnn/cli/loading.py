"""Loading of models by name or file for the verbs; wrong arguments are reported as UsageErrors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

    with _device_errors(device):
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

    with _device_errors(device):
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


def load_classifiers_by_labels(models: Sequence[str], device: str) -> dict[str, list[ClipModel]]:
    """Load models of labels, those with the same labels in one group, by their names: "one+other".

    Raises:
        FileError, UsageError: as `load_classifiers`.
    """
    groups: dict[tuple[str, ...], list[ClipModel]] = {}
    for loaded in _load_clip_models(models, device):
        groups.setdefault(tuple(loaded.labels), []).append(loaded)
    return {"+".join(model.name for model in group): _check_compatible(group) for group in groups.values()}


def _load_clip_models(models: Sequence[str], device: str) -> list[ClipModel]:
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.load import fuse_model, load

    with _device_errors(device):
        return [fuse_model(load(model, device, ClipModel)) for model in models]  # once for all files


def _check_compatible(models: list[ClipModel]) -> list[ClipModel]:
    from audiocnn.inference.classify import check_compatible

    with usage_errors():
        check_compatible(models)
    return models


@contextmanager
def _device_errors(device: str) -> Iterator[None]:
    """Turn torch's error about a missing device into a UsageError."""
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device is {device!r}: {str(error).splitlines()[0]}") from error
