"""A verb's function -> its parser: one name, default and explanation in Python and on the command line.

Parameters without a default are positional, and those before a `*` too, which may then be left out; sequences
take several words, booleans are flags, and `**knobs: Annotated[..., Group]` stands for the fields of a
dataclass, of which only those given reach the function.
"""

import argparse
import dataclasses
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NoReturn,
    get_args,
    get_origin,
    get_type_hints,
)

import docstring_parser

import audiocnn
from audiocnn.inference.classify import check_alike
from audiocnn.models.load import fused, load_clips, load_notes
from audiocnn.notes import DecodingOptions

if TYPE_CHECKING:
    from audiocnn.models.base import Model
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.notes import NotesModel


class Group(NamedTuple):
    """Options that are a dataclass's fields: their title, and whether its defaults are theirs."""

    kind: type
    title: str
    defaults: bool = True


class UsageError(Exception):
    """An argument that cannot be: told in one line, exit status 2."""


# The model has its own defaults.
DecodingArguments = Annotated[
    float, Group(DecodingOptions, "how notes are read (defaults: the model's own)", False)
]


@contextmanager
def checked() -> Iterator[None]:
    """Makes a UsageError of a ValueError: in this block an argument is to blame."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


class Parser(argparse.ArgumentParser):
    """Explains a verb; wrong arguments are told in one line instead of after a screen of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser_of(function: Callable[..., Any], prog: str) -> Parser:
    """The parser of a function's arguments, explained by its docstring."""
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    description = "\n\n".join(filter(None, (doc.short_description, doc.long_description)))
    formatter = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog=prog, description=description, formatter_class=formatter, allow_abbrev=False)
    parser.usage = "%(prog)s"  # what is positional comes first: an option with several words would swallow it
    types, explained = get_type_hints(function, include_extras=True), _explained(function)
    parameters = inspect.signature(function).parameters
    starred = any(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            _add_group(parser, *types[name].__metadata__)
        elif parameter.default is parameter.empty:
            kind = _kind(types[name])
            parser.add_argument(name, metavar=name.upper(), help=explained.get(name), **kind)
            parser.usage += f" {name.upper()}" + (" ..." if "nargs" in kind else "")
        elif starred and parameter.kind is not parameter.KEYWORD_ONLY:
            optional = {"nargs": "?", "default": parameter.default, "help": explained.get(name)}
            parser.add_argument(name, metavar=name.upper(), **optional, **_kind(types[name]))
            parser.usage += f" [{name.upper()}]"
        else:
            _add_option(parser, name, types[name], parameter.default, explained.get(name, ""))
    parser.usage += " [options]"
    return parser


def _explained(thing: object) -> dict[str, str]:
    """What a docstring tells of each argument, without the full stop."""
    params = docstring_parser.parse(inspect.getdoc(thing) or "").params
    return {param.arg_name: (param.description or "").replace("%", "%%").rstrip(".") for param in params}


def _add_option(
    parser: argparse._ActionsContainer,
    name: str,
    kind: Any,
    default: Any,
    explanation: str,
    otherwise: Any = None,
) -> None:
    """An option; where it is not given it has its default, or what `otherwise` says instead."""
    if kind is bool:
        parser.add_argument(f"--{name}", action="store_true", default=default, help=explanation)
        return
    if default not in (None, ()):
        shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
        explanation = f"{explanation} (default: {shown})".strip()
    parser.add_argument(f"--{name}", default=otherwise or default, help=explanation, **_kind(kind))


def _add_group(parser: Parser, group: Group) -> None:
    options = parser.add_argument_group(group.title)
    types, explained = get_type_hints(group.kind), _explained(group.kind)
    for field in dataclasses.fields(group.kind):
        name = field.name
        default = field.default if group.defaults else None
        _add_option(options, name, types[name], default, explained[name], argparse.SUPPRESS)


def _kind(kind: Any) -> dict[str, Any]:
    """argparse's words for a type: `Path | None`, `Sequence[Path]`, `Literal["mid", "csv"]`, int."""
    if get_origin(kind) is UnionType:
        kind = next(member for member in get_args(kind) if member is not type(None))
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind), "metavar": "NAME"}
    if get_args(kind):
        return {**_kind(get_args(kind)[0]), "nargs": "+"}
    metavar = {int: "N", float: "X"}.get(kind)
    return {"type": kind, "metavar": metavar} if metavar else {"type": kind}


def task_of(model: str, device: str, options: dict[str, float]) -> tuple["NotesModel", DecodingOptions]:
    """The model that `model` names, on its device, and how its notes are read.

    Raises: FileError when the model cannot be read; UsageError when device or knobs cannot be.
    """
    pass  # 2 s

    with _there(device):
        task = load_notes(model, device)
    with checked():
        return task, dataclasses.replace(task.decoding, **options)


def loaded(model: str, device: str) -> "Model":
    """The model that `model` names, of notes or of labels, on its device.

    Raises: FileError when it cannot be read; UsageError when the device cannot be.
    """
    pass  # 2 s

    with _there(device):
        return audiocnn.load(model, device)


def classifiers(models: Sequence[str], device: str) -> list["ClipModel"]:
    """The models that `models` name, which answer together, on their device.

    Raises: FileError when one cannot be read; UsageError when the device cannot be or they differ.
    """
    return _alike(_loaded(models, device))


def questions(models: Sequence[str], device: str) -> dict[str, list["ClipModel"]]:
    """The models that `models` name, those with the same labels together, by their names: "one+other".

    Raises: as `classifiers`.
    """
    groups: dict[tuple[str, ...], list[ClipModel]] = {}
    for loaded in _loaded(models, device):
        groups.setdefault(tuple(loaded.labels), []).append(loaded)
    return {"+".join(one.name for one in group): _alike(group) for group in groups.values()}


def _loaded(models: Sequence[str], device: str) -> list["ClipModel"]:
    pass  # 2 s

    with _there(device):
        return [fused(load_clips(model, device)) for model in models]  # once for all files


def _alike(models: list["ClipModel"]) -> list["ClipModel"]:
    pass

    with checked():
        check_alike(models)
    return models


@contextmanager
def _there(device: str) -> Iterator[None]:
    """Makes a UsageError of torch's words for a device that is not there."""
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device is {device!r}: {str(error).splitlines()[0]}") from error
