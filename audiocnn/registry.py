"""Registered classes, imported when they are named; and the constructor arguments that rebuild an object.

A model file names its classes by their registered names. Only registered classes are built from one: those of
audiocnn, those of packages that announce them by an entry point, and those that the program has imported.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar, Generic, Self, TypeVar

from audiocnn.ranges import Range

T = TypeVar("T")
C = TypeVar("C", bound=type)


class Registry(Generic[T]):
    """The classes of one kind by name, such as all backbones.

    Another package adds a class with the decorator `register`. So that it is found by its name alone, the
    package announces the module under the entry point group `audiocnn.KIND`: in its pyproject.toml
    `[project.entry-points."audiocnn.backbones"]` and below it `MyNet = "my_package.my_net"`.

    Args:
        kind: what the classes are, in the plural: "backbones". Messages and the entry point group use it.
        modules: the name of each of audiocnn's own classes and the module that registers it.
    """

    def __init__(self, kind: str, modules: Mapping[str, str]) -> None:
        self.kind, self.modules = kind, modules
        self._classes: dict[str, type] = {}

    def register(self, cls: C) -> C:
        """Add a class under its own name; a decorator.

        Args:
            cls: the class; importing its module a second time replaces the first.

        Returns:
            The class itself.

        Raises:
            ValueError: another class has this name.
        """
        known = self._classes.get(cls.__name__, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"{self.kind}: {cls.__name__} is registered already, by {known.__module__}")
        self._classes[cls.__name__] = cls
        return cls

    def names(self) -> list[str]:
        """Return the names of all classes, sorted, imported or not."""
        return sorted({*self.modules, *self._classes, *self._announced()})

    def __getitem__(self, name: str) -> type[T]:
        """Return the class of this name; its module is imported when need be.

        Raises:
            KeyError: no class of this name is registered; the message says what to install or import.
        """
        if name not in self._classes and (module := {**self._announced(), **self.modules}.get(name)):
            import_module(module)
        if name not in self._classes:
            raise KeyError(
                f"{name} is not among the registered {self.kind}, {', '.join(self.names())}; install the "
                f"package that announces it (entry point group audiocnn.{self.kind}), or import the module "
                "that registers it"
            )
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._classes or name in self.modules or name in self._announced()

    def _announced(self) -> dict[str, str]:
        """The modules of installed packages' entry points, by the name of the class."""
        return _find_announced(f"audiocnn.{self.kind}", tuple(sys.path))


@functools.cache
def _find_announced(group: str, _path: tuple[str, ...]) -> dict[str, str]:
    """The modules of a group of entry points; looking takes a tenth of a second for each path of packages."""
    return {entry.name: entry.module for entry in entry_points(group=group)}


class InitArgs:
    """A mixin that keeps the arguments of the constructor, and checks its numbers.

    A constructor that ends in `**common: Any` passes these on with `super().__init__(**common)`. They count
    as its own: `inspect.signature` of the class lists them one by one.

    Attributes:
        ranges: of the arguments that are numbers, those of the base classes included; None is allowed, too,
            where it is the default.
        init_args: each argument of the constructor by its name, defaults included, as given.

    Raises:
        ValueError: a number is out of its range.
    """

    __signature__: ClassVar[inspect.Signature]
    ranges: ClassVar[Mapping[str, Range]] = {}
    init_args: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__signature__ = inspect.Signature(list_parameters(cls))
        cls.ranges = {
            name: allowed
            for base in reversed(cls.__mro__)
            for name, allowed in vars(base).get("ranges", {}).items()
        }

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # copy and pickle call it without arguments
        self = super().__new__(cls)
        bound = cls.__signature__.bind_partial(*args, **kwargs)
        bound.apply_defaults()
        object.__setattr__(self, "init_args", dict(bound.arguments))
        cls._check_ranges(self.init_args)
        return self

    @classmethod
    def _check_ranges(cls, arguments: Mapping[str, Any]) -> None:
        parameters = cls.__signature__.parameters
        for name, allowed in cls.ranges.items():
            if name in arguments and (arguments[name] is not None or parameters[name].default is not None):
                allowed.check(name, arguments[name])


def list_parameters(cls: type) -> list[inspect.Parameter]:
    """List the parameters of a constructor, with those that `**common` stands for in its place.

    These are the parameters with a default of the next constructor in the method resolution order; the class
    gives those without one. A class that gives one with a default, too, declares it in its own constructor.

    Args:
        cls: the class.

    Returns:
        The parameters but self, the class's own first.
    """
    return _follow([vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base)])


def _follow(constructors: list[Callable[..., None]]) -> list[inspect.Parameter]:
    """The parameters of the first constructor; behind its `**common` are the second's, and so on."""
    if not constructors:
        return []
    _, *own = inspect.signature(constructors[0]).parameters.values()
    if not own or own[-1].kind is not inspect.Parameter.VAR_KEYWORD:
        return own
    own.pop()
    names = {one.name for one in own}
    passed_on = [
        one for one in _follow(constructors[1:]) if one.default is not one.empty and one.name not in names
    ]
    return [*own, *(one.replace(kind=one.KEYWORD_ONLY) for one in passed_on)]
