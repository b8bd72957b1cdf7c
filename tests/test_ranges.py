"""No option takes nan or infinity: every dataclass of options, found by itself, and every verb's parser."""

import dataclasses
import importlib
import inspect
import math
import pkgutil
import typing

import pytest

import audiocnn
from audiocnn import ranges


def find_options() -> list[type]:
    """The dataclasses that hold the numbers of a user: options, a space to search, an input to measure."""
    names = ("Options", "Space", "Input")
    found = set()
    for module in pkgutil.walk_packages(audiocnn.__path__, "audiocnn."):
        if not module.name.endswith("__main__"):
            classes = vars(importlib.import_module(module.name)).values()
            found |= {kind for kind in classes if inspect.isclass(kind) and dataclasses.is_dataclass(kind)}
    return sorted((k for k in found if k.__name__.endswith(names)), key=lambda k: (k.__module__, k.__name__))


OPTIONS = find_options()
REQUIRED = {
    "operations": ("a", "b"),
    "dims": 2,
    "in_channels": 1,
    "bins": 8,
    "frames": 8,
    "hop_ms": 1.0,
}  # of what has no default


def fields(kind: type, *types: type) -> set[str]:
    """The fields that hold values of these types."""
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}
    return {name for name in names if {*types} & {hints[name], *typing.get_args(hints[name])}}


def sound(kind: type) -> dict[str, object]:
    """Values of the fields that have no default."""
    return {
        field.name: REQUIRED[field.name]
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING
    }


def test_options_are_found() -> None:
    names = {kind.__name__ for kind in OPTIONS}
    assert {"DecodingOptions", "StyleOptions", "ExplanationOptions", "CropOptions", "Input"} <= names
    assert len(OPTIONS) >= 12


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", OPTIONS)
def test_only_finite_numbers(kind: type, bad: float) -> None:
    for name in fields(kind, float):
        with pytest.raises(ValueError, match=rf"^{name} is {bad}, expected"):
            kind(**{**sound(kind), name: bad})


@pytest.mark.parametrize("kind", OPTIONS)
def test_negative_sizes(kind: type) -> None:
    """What counts or measures is not negative; what may be is named here."""
    for name in fields(kind, int, float) - {"seed", "decay", "frequency_penalty"}:
        with pytest.raises(ValueError, match=r"-1\b.*, expected"):
            kind(**{**sound(kind), name: -1})


def test_none_only_where_the_type_has_it() -> None:
    kind = dataclasses.make_dataclass("Options", [("bins", "int"), ("rate", "float | None")])
    expected = {"bins": ranges.COUNT, "rate": ranges.POSITIVE}
    ranges.check_fields(kind(1, None), **expected)
    with pytest.raises(ValueError, match=r"^bins is None, expected 1 or more"):
        ranges.check_fields(kind(None, 1.0), **expected)


@pytest.mark.parametrize(
    ("expected", "inside", "outside", "text"),
    [
        (ranges.FINITE, [-1e300, 0, 1e300], [math.nan, math.inf, -math.inf, "1", None], "a finite number"),
        (ranges.POSITIVE, [1e-300, 1], [0, -1], "more than 0"),
        (ranges.NOT_NEGATIVE, [0, 1], [-1e-300], "0 or more"),
        (ranges.COUNT, [1], [0], "1 or more"),
        (ranges.SHARE, [0, 1.0], [-0.1, 1.1, True], "a number from 0 to 1"),
        (ranges.Range(1, 9, whole=True), [1, 9], [2.0, 10**400], "a whole number from 1 to 9"),
        (ranges.Range(0, 1, is_open=True), [1], [0, 2], "more than 0 and at most 1"),
    ],
)
def test_range(expected: ranges.Range, inside: list, outside: list, text: str) -> None:
    assert all(number in expected for number in inside)
    assert not any(number in expected for number in outside)
    assert str(expected) == text


def test_numbers_in_tuples() -> None:
    from audiocnn.style.options import StyleOptions

    with pytest.raises(ValueError, match="style_layers is nan, expected a finite number"):
        StyleOptions(style_layers=(1, math.nan))
