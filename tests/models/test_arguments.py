"""What models are built of refuses numbers that mean nothing: every argument of every front end and model."""

import inspect
import math
from typing import Any

import pytest
import torch

from audiocnn.backbones.dilated import DilatedNet
from audiocnn.backbones.vgg import VGG
from audiocnn.frontends import Waveform
from audiocnn.frontends.base import FRONT_ENDS
from audiocnn.models.base import MODELS, Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.heads import ClipHead, NotesHead
from audiocnn.models.image import ImageModel
from audiocnn.models.painters import PAINTERS
from audiocnn.ranges import Range
from audiocnn.registry import InitArgs

CLASSES: list[type[InitArgs]] = [
    *(registry[name] for registry in (FRONT_ENDS, MODELS, PAINTERS) for name in registry.modules),
    ClipHead,
    NotesHead,
]


def arguments(cls: type) -> dict[str, Any]:
    """What the class needs besides numbers."""
    known = {
        "front_end": Waveform(8000),
        "backbone": DilatedNet(in_channels=1)
        if issubclass(cls, Model)
        else VGG(in_channels=3, kernels=((3,), (3,)), widths=(4, 8), hidden=8, size=1),
        "labels": ["a", "b"],
        "styles": ["a"],
        "sample_rate": 16_000,
        "n_classes": 2,
        "layer": 1,
        "in_channels": 4,
        "n_outputs": 2,
    }
    needed = inspect.signature(cls).parameters.values()
    given = {one.name: known[one.name] for one in needed if one.default is one.empty}
    return given | ({"n_classes": 2} if issubclass(cls, ImageModel) else {})  # or labels


def numeric(cls: type) -> list[str]:
    """The arguments that are numbers by their annotations."""
    hints = {name: str(one.annotation) for name, one in inspect.signature(cls).parameters.items()}
    return [name for name, hint in hints.items() if hint.partition(" ")[0] in ("int", "float")]


@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls in CLASSES for name in numeric(cls)], ids=lambda one: str(one)
)
def test_numbers_out_of_range(cls: type[InitArgs], name: str) -> None:
    given, allowed = arguments(cls), cls.ranges[name]
    wrong = [-1, math.nan, math.inf, -math.inf, 10**400, 1e18, "1", [1], True]
    wrong += [0] * (allowed.low > 0) + [2.5] * allowed.whole
    wrong += [None] * (inspect.signature(cls).parameters[name].default is not None)
    for value in wrong:
        with pytest.raises(ValueError, match=f"{name} is .*, expected a (whole )?number from") as error:
            cls(**given | {name: value})
        assert len(str(error.value)) < 200


@pytest.mark.parametrize("cls", CLASSES)
def test_what_is_allowed_is_built(cls: type[InitArgs]) -> None:
    assert isinstance(cls(**arguments(cls)), torch.nn.Module)


@pytest.mark.parametrize("cls", [one for one in CLASSES if "backbone" in arguments(one)])
def test_parts_of_another_class(cls: type[InitArgs]) -> None:
    for part in {"front_end", "backbone"} & arguments(cls).keys():
        with pytest.raises(
            TypeError, match=f"(?s){part}.*xpected"
        ):  # what checks annotations in tests is first
            cls(**arguments(cls) | {part: 3})


def test_a_range_holds_its_ends() -> None:
    for value in (1, 5, 1.0, 2.5):
        Range(1, 5).check("x", value)
    with pytest.raises(ValueError, match=r"x is 5\.1, expected a number from 1 to 5"):
        Range(1, 5).check("x", 5.1)
    with pytest.raises(ValueError, match=r"x is 2\.0, expected a whole number from 1 to 5"):
        Range(1, 5, whole=True).check("x", 2.0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("jazz", "expected a list of names"),
        ([1, 2], "expected a list of names"),
        (["jazz", " "], "expected a list of names"),
        (["jazz", "jazz"], "none twice"),
        ([], "at least one"),
        (["unknown"], "none of them to be 'unknown'"),
    ],
)
def test_labels(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClipModel(Waveform(8000), DilatedNet(in_channels=1), labels)
