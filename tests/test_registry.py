"""Registries import a class when it is named, and nothing else; arguments of constructors are captured."""

import copy
import inspect
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from audiocnn.registry import InitArgs, Registry

MODULE = """
from registry_of_the_test import SHAPES

@SHAPES.register
class {name}:
    pass
"""


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry with Circle and Square in modules of their own, Star in an installed package."""
    registry = Registry("shapes", {"Circle": "module_of_circle", "Square": "module_of_square"})
    monkeypatch.setitem(sys.modules, "registry_of_the_test", type(sys)("registry_of_the_test"))
    sys.modules["registry_of_the_test"].SHAPES = registry
    for name in ("Circle", "Star", "Hidden"):
        (tmp_path / f"module_of_{name.lower()}.py").write_text(MODULE.format(name=name))
        monkeypatch.delitem(sys.modules, f"module_of_{name.lower()}", raising=False)
    (tmp_path / "module_of_square.py").write_text("")  # registers nothing
    metadata = tmp_path / "stars-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stars\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[audiocnn.shapes]\nStar = module_of_star\n")
    monkeypatch.syspath_prepend(tmp_path)
    return registry


def test_a_class_is_imported_when_named(shapes: Registry) -> None:
    assert shapes.names() == ["Circle", "Square", "Star"]
    assert "Circle" in shapes and "Hidden" not in shapes
    assert "module_of_circle" not in sys.modules
    assert shapes["Circle"].__module__ == "module_of_circle"
    assert "module_of_star" not in sys.modules


def test_an_installed_package_announces_its_classes(shapes: Registry) -> None:
    assert "Star" in shapes
    assert shapes["Star"].__module__ == "module_of_star"


@pytest.mark.parametrize("name", ["Hidden", "Square", "os.path", ""])
def test_a_class_that_nothing_registers(shapes: Registry, name: str) -> None:
    with pytest.raises(KeyError, match=r"is not among the registered shapes, Circle, Square, Star; install"):
        shapes[name]
    assert "module_of_hidden" not in sys.modules


def test_one_name_is_one_class(shapes: Registry) -> None:
    @shapes.register
    class Line:
        pass

    other = type("Line", (), {})
    with pytest.raises(ValueError, match=r"shapes: Line is registered already, by .*test_registry"):
        shapes.register(other)
    assert shapes["Line"] is Line


class Point(InitArgs):
    def __init__(self, x: float, *, y: float = 2.0, names: tuple[str, ...] = ()) -> None:
        self.sum = x + y


class Shifted(Point):
    def __init__(self, by: float, y: float = 5.0, **common: Any) -> None:
        super().__init__(x=by, y=y, **common)


class Wrapped(Shifted):
    def __init__(self, **common: Any) -> None:
        super().__init__(by=3.0, **common)


class Named(Point):
    def __init__(self, name: str) -> None:
        super().__init__(1.0)


def test_arguments_are_captured() -> None:
    assert Point(1.0).init_args == {"x": 1.0, "y": 2.0, "names": ()}
    assert Point(x=3.0, names=("a",)).init_args == {"x": 3.0, "y": 2.0, "names": ("a",)}
    assert Named("p").init_args == {"name": "p"}


def test_arguments_that_are_passed_on_are_captured() -> None:
    assert Shifted(1.0).init_args == {"by": 1.0, "y": 5.0, "names": ()}
    assert Shifted(1.0, 2.0, names=("a",)).init_args == {"by": 1.0, "y": 2.0, "names": ("a",)}
    assert Wrapped(y=4.0).init_args == {"y": 4.0, "names": ()}
    assert Wrapped(y=4.0).sum == 7.0
    assert str(inspect.signature(Shifted)) == "(by: float, y: float = 5.0, *, names: tuple[str, ...] = ())"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_keep_the_arguments(duplicate) -> None:
    point = duplicate(Point(1.0, y=5.0))
    assert point.init_args == {"x": 1.0, "y": 5.0, "names": ()}
    assert point.sum == 6.0


def test_wrong_arguments_are_the_constructors_to_refuse() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1.0, z=3.0)  # pyright: ignore[reportCallIssue], which is the test
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Wrapped(z=3.0)
