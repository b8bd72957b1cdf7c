"""Every public name of audiocnn has a docstring; an overriding method has that of its base."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest

import audiocnn

MODULES = [module.name for module in pkgutil.walk_packages(audiocnn.__path__, "audiocnn.")]


def public_members(owner: ModuleType | type) -> Iterator[tuple[str, object]]:
    """The classes, functions and properties that are defined in a module or class, without private ones."""
    for name, member in vars(owner).items():
        kind = inspect.isclass(member) or inspect.isfunction(member) or isinstance(member, property)
        if kind and not name.startswith("_") and getattr(member, "__module__", owner.__name__) != "abc":
            yield name, member


def has_docstring(owner: type, name: str) -> bool:
    return any(getattr(vars(base).get(name), "__doc__", None) for base in owner.__mro__)


@pytest.mark.parametrize("module", [name for name in MODULES if not name.endswith("__main__")])
def test_docstrings(module: str) -> None:
    home = import_module(module)
    assert home.__doc__
    missing = []
    for name, member in public_members(home):
        if getattr(member, "__module__", None) != module:
            continue
        if not member.__doc__:
            missing.append(name)
        if inspect.isclass(member):
            missing += [
                f"{name}.{one}" for one, _ in public_members(member) if not has_docstring(member, one)
            ]
    assert missing == []
