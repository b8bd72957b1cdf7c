"""A verb's function -> its command line: jsonargparse parses it, this module names and documents it.

One name, default and explanation in Python and on the command line: `onset_threshold` is `--onset-threshold`.
What a function takes before a `*` is positional, what it takes after it an option: sequences take several
words, booleans are flags, and `**options: Annotated[float, OptionGroup(...)]` stands for the fields of a
dataclass, of which only those given reach the function.
"""

import argparse
import dataclasses
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, NoReturn, Union, get_args, get_origin, get_type_hints

import docstring_parser
import jsonargparse
import yaml

from audiocnn import files
from audiocnn.cli.configs import ConfigAction, find_config
from audiocnn.cli.errors import UsageError
from audiocnn.ranges import FINITE, ArgumentError

# Type -> its metavar in the help, and its name in error messages.
VALUES = {
    int: ("N", "a whole number"),
    float: ("X", "a finite number"),
    Path: ("PATH", "a path"),
    str: ("NAME", "a name"),
    dict: ("YAML", "a mapping"),
}
REQUIRED = (inspect.Parameter.empty, dataclasses.MISSING)  # in place of a default
# The texts of jsonargparse's own options.
HELP = {
    "help": "print this help, and exit",
    "config": "YAML file of arguments, by their names in Python; options after it override it",
    "print_config": "print the given arguments as such a file, and exit",
}


class OptionGroup(NamedTuple):
    """The fields of a dataclass as options.

    Attributes:
        kind: the dataclass.
        title: heading of the group in the help.
        own_defaults: whether the dataclass's defaults apply when an option is not given.
    """

    kind: type
    title: str
    own_defaults: bool = True


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn an argument's error into a UsageError; what else is wrong in the block stays as it is."""
    try:
        yield
    except ArgumentError as error:
        raise UsageError(str(error)) from error


class ConfigFile(ConfigAction):
    """The option of a config file, whose lists and flags are checked before jsonargparse reads it.

    jsonargparse would take the characters of one word for several words, and not name a flag that is wrong.
    """

    def __call__(self, parser: Any, namespace: Any, value: Any, option_string: str | None = None) -> None:
        path = find_config(value)
        try:
            given = yaml.safe_load(path.read_text())
        except (OSError, ValueError, RecursionError, yaml.YAMLError):
            given = None  # which is reported when it is read again
        for name, argument in given.items() if isinstance(given, dict) else ():
            action = parser.find(name)
            if action and action.nargs == "+" and not isinstance(argument, list):
                parser.error(f"{name} is {argument!r} in {path}, expected a list")
            if action and not action.option_strings and argument == []:
                parser.error(f"{name} is [] in {path}, expected a list of one or more")
            if argument == "":
                parser.error(f"{name} is '' in {path}, expected a path, a name or a number")
            if isinstance(action, jsonargparse.ActionYesNo) and not isinstance(argument, bool):
                parser.error(f"{name} is {argument!r} in {path}, expected true or false")
        super().__call__(parser, namespace, value, option_string)


class FiniteParser(jsonargparse.ArgumentParser):
    """A parser that refuses nan and infinity wherever a number is given, in configs too."""

    def validate(self, namespace: Any, *args: Any, **kwargs: Any) -> None:
        super().validate(namespace, *args, **kwargs)
        for key, number in _list_numbers(namespace):
            if number not in FINITE:
                raise TypeError(f"{key} is {number}, expected {FINITE}")


def _list_numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Yield the fractions in nested mappings and lists, with their dotted names."""
    if isinstance(value, float):
        yield key, value
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _list_numbers(element, key)
    elif isinstance(value, dict | jsonargparse.Namespace):
        for name, element in dict(value.items()).items():
            yield from _list_numbers(element, f"{key}.{name}".lstrip("."))


class VerbParser(FiniteParser):
    """The parser of a verb, which reports a wrong argument in one line instead of after a screen of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        line = files.printable(files.shorten(self._in_one_line(message)))
        self.exit(2, f"{self.prog}: {line} (see {self.prog} --help)\n")

    def validate(self, namespace: Any, *args: Any, **kwargs: Any) -> None:
        super().validate(namespace, *args, **kwargs)
        for action in self._actions:
            hint = getattr(action, "_typehint", None)
            is_null = action.default is not None and namespace.get(action.dest, action.default) is None
            if hint and is_null and NoneType not in get_args(hint):
                raise TypeError(f"{_spelling(action)} is null, expected {_expected(action)}")

    def _in_one_line(self, message: str) -> str:
        """Say which argument, its value and what was expected, in the words of the command line."""
        key = re.match(r'Parser key "(\w+)"', message)
        value = re.search(r"(?:Got|Given) value: (.*)", message)
        action = self.find(key[1] if key else message.partition(" ")[0])
        if key and value and action:
            return f"{_spelling(action)} is {value[1]!r}, expected {_expected(action)}"
        rest = message.partition(":" if key else " ")[2]
        return " ".join([_spelling(action) + ":" * bool(key), *rest.split()] if action else message.split())

    def find(self, name: str) -> argparse.Action | None:
        """Return the action of an argument by its name in Python."""
        return next((action for action in self._actions if action.dest == name), None)


def build_parser(function: Callable[..., Any], prog: str, example: str) -> VerbParser:
    """Build the parser of a verb.

    Args:
        function: the verb, whose docstring explains its arguments; or a partial of one, with defaults of its
            own.
        prog: the verb as it is typed, "audiocnn transcribe".
        example: a command line, for the help.
    """
    documented = function.func if isinstance(function, partial) else function
    doc = docstring_parser.parse(inspect.getdoc(documented) or "")
    parser = VerbParser(
        prog=prog,
        description=_describe(doc, example),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        print_config="--print-config",
    )
    parser.add_argument("--config", action=ConfigFile, metavar="FILE")
    for action in parser._actions:
        action.help = HELP.get(action.dest, action.help)
    types, texts = get_type_hints(documented, include_extras=True), _explanations(documented)
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            _add_group(parser, *types[name].__metadata__)
        else:
            add = _add_positional if _is_positional(parameter, parameters.values()) else _add_option
            add(parser, name, types[name], parameter.default, texts.get(name, ""))
    # Positional arguments first: an option of several words would swallow them.
    words = [_usage(action) for action in parser._actions if not action.option_strings]
    parser.usage = " ".join([prog, *words, "[options]"])
    return parser


def parse(parser: VerbParser, words: Sequence[str]) -> dict[str, Any]:
    """Parse the words of a command line into the arguments of a verb's function; exit where they are wrong.

    Returns:
        The arguments by their names, sequences as tuples; of an `OptionGroup` those given only.
    """
    _refuse_repeated(parser, words)
    given = vars(parser.parse_args(words))
    del given["config"]
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _refuse_repeated(parser: VerbParser, words: Sequence[str]) -> None:
    """Refuse an option that is given twice, of which the first would not count; configs add up."""
    names = [word.partition("=")[0] for word in words if word.startswith("--")]
    actions = [parser._option_string_actions[name] for name in names if name in parser._option_string_actions]
    counts = Counter(action.dest for action in actions if not isinstance(action, ConfigFile))
    for action in actions:
        if counts[action.dest] > 1:
            parser.error(f"{_spelling(action)} is given {counts[action.dest]} times, expected once")


def _is_positional(parameter: inspect.Parameter, parameters: Iterable[inspect.Parameter]) -> bool:
    """Say whether a parameter stands before a `*`; without one, those that are required do."""
    if parameter.kind is parameter.KEYWORD_ONLY:
        return False
    is_starred = any(other.kind is other.KEYWORD_ONLY for other in parameters)
    return is_starred or parameter.default is parameter.empty


def _add_positional(parser: VerbParser, name: str, hint: Any, default: Any, text: str) -> None:
    """Add a positional argument; an absent one is left out, since its default would override a config."""
    optional = {} if default in REQUIRED else {"nargs": "?", "default": argparse.SUPPRESS}
    notes = _notes(hint, None if default in REQUIRED else default)
    parser.add_argument(name, help=text + notes, **{**_value(hint), **optional, "metavar": name.upper()})


def _usage(action: argparse.Action) -> str:
    forms = {"+": f"{action.metavar} ...", "?": f"[{action.metavar}]"}
    return forms.get(str(action.nargs), str(action.metavar))


def _add_option(container: Any, name: str, hint: Any, default: Any, text: str, absent: Any = None) -> None:
    """Add an option; where it is not given it has its default, or `absent` instead."""
    default = list(default) if isinstance(default, tuple) else default
    if hint is bool:
        how = {"action": jsonargparse.ActionYesNo(no_prefix="no-"), "default": default}
    elif default in REQUIRED:
        how = {**_value(hint), "required": True}
    else:
        how = {**_value(hint), "default": default if absent is None else absent}
    container.add_argument(f"--{name.replace('_', '-')}", help=text + _notes(hint, default), **how)


def _notes(hint: Any, default: Any) -> str:
    """Say which words an option takes, where they are few, and its default."""
    notes = [f"one of {', '.join(choices)}"] if (choices := _choices(hint)) else []
    if default in REQUIRED:
        notes.append("required")
    elif isinstance(default, bool):
        notes.append(f"default: {'yes' if default else 'no'}")
    elif default not in (None, []):
        notes.append(f"default: {' '.join(map(str, default)) if isinstance(default, list) else default}")
    return f" ({'; '.join(notes)})" if notes else ""


def _add_group(parser: VerbParser, group: OptionGroup) -> None:
    container = parser.add_argument_group(group.title)
    types, texts = get_type_hints(group.kind), _explanations(group.kind)
    for field in dataclasses.fields(group.kind):
        default = field.default if group.own_defaults else None
        _add_option(container, field.name, types[field.name], default, texts[field.name], argparse.SUPPRESS)


def _describe(doc: docstring_parser.Docstring, example: str) -> str:
    """Put the example between the first line of a docstring and the rest."""
    paragraphs = [doc.short_description, f"example:\n  {example}", doc.long_description]
    return "\n\n".join(filter(None, paragraphs)).replace("%", "%%")


def _explanations(thing: object) -> dict[str, str]:
    """Return a docstring's text on each argument, without the full stop; None is null, as in YAML."""
    params = docstring_parser.parse(inspect.getdoc(thing) or "").params
    texts = {param.arg_name: (param.description or "").rstrip(".") for param in params}
    return {name: re.sub(r"\bNone\b", "null", text).replace("%", "%%") for name, text in texts.items()}


def _value(hint: Any) -> dict[str, Any]:
    """Return argparse's settings for the values of a type: `Sequence[Path]` takes several words."""
    metavar, _ = VALUES.get(_element(hint), ("NAME", ""))
    if get_origin(_required(hint)) in (Sequence, tuple):
        return {"type": _element(hint), "nargs": "+", "metavar": metavar}
    return {"type": hint, "metavar": metavar}


def _required(hint: Any) -> Any:
    """Return a type without None: float of `float | None`."""
    if get_origin(hint) in (UnionType, Union):
        return next(member for member in get_args(hint) if member is not NoneType)
    return hint


def _element(hint: Any) -> Any:
    """Return the type of one word: float of `float | None`, Path of `Sequence[Path]`."""
    hint = _required(hint)
    return get_args(hint)[0] if get_origin(hint) in (Sequence, tuple) else hint


def _choices(hint: Any) -> list[str]:
    return [*map(str, get_args(_element(hint)))] if get_origin(_element(hint)) is Literal else []


def _spelling(action: argparse.Action) -> str:
    return action.option_strings[0] if action.option_strings else str(action.metavar)


def _expected(action: argparse.Action) -> str:
    hint = getattr(action, "_typehint", None)
    choices = _choices(hint)
    return (
        f"one of {', '.join(map(str, choices))}"
        if choices
        else VALUES.get(_element(hint), ("", str(hint)))[1]
    )
