"""Wrong arguments of `fit`, `validate` and `test`: in one line, in the spelling of the command line."""

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from itertools import pairwise

from jsonargparse import Namespace

from audiocnn.backbones import FAMILIES

# Options of a class within the model or the data; and with null as their value.
_NESTED = re.compile(r"--(?:model|data)\.\w+\.(?!dict_kwargs\.)[\w.]+")
_IS_NULL = re.compile(rf"({_NESTED.pattern})=(null)")
# What jsonargparse calls a type -> what a user would.
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "list": "a list",
    "NoneType": "null",
}
_KEY = re.compile(r'Parser key "(?P<key>[^"]+)": (?P<rest>.*)')
_VALUE = re.compile(r"(?:Given|Got) value: (.*)$")
_CLASS_PROBLEM = re.compile(r"Problem with given class_path '([^']+)': (.*?)(?= - Expected| Given value|$)")
_NO_CLASS = re.compile(r"Expected a dot import path string: (\S+)")
_EXPECTED = re.compile(r"<class '([\w.]+)'>|Literal\[([^]]*)\]")
_NOT_ACCEPTED = re.compile(r"does not accept option '([^']+)'")
BACKBONE = re.compile(r"--model\.backbone(?:\.class_path)?=(\w+)")


def find_cause(error: Exception) -> Exception:
    """Find the error of a class that jsonargparse could not build, within those that it tells instead.

    Args:
        error: what it raised.
    """
    while isinstance(error.__cause__, Exception) and str(error).startswith("Does not validate"):
        error = error.__cause__
    return error


def spell_option(message: str, config: Namespace) -> str:
    """Spell the argument that a message begins with as the command line does.

    Args:
        message: "norm is 'bad', expected ...".
        config: of the training.

    Returns:
        "--model.backbone.norm is 'bad', expected ..."; the message as it is where no argument of the
        config, or more than one, has this name.
    """
    name, _, rest = message.partition(" ")
    if not rest.startswith(("is ", "are ")):  # "labels of the data are": of two arguments
        return message
    found = {
        re.sub(r"\.(init_args|dict_kwargs)", "", key)
        for key, value in config.items()
        if value is not None and key.endswith(f".{name}")
    }
    return message.replace(name, f"--{found.pop()}", 1) if len(found) == 1 else message


def name_backbones(words: list[str]) -> list[str]:
    """Replace a backbone's name alone, `--model.backbone tcn`, by what jsonargparse takes.

    Args:
        words: of a command line.

    Returns:
        The words with the class of a family, or with `audiocnn.create_backbone` and the name.
    """
    if not words:
        return []
    joined = re.sub(r"(--model\.backbone(?:\.class_path)?)\0(?!-)", r"\1=", "\0".join(words))
    return [spelled for word in joined.split("\0") for spelled in _spell_backbone(word)]


def _spell_backbone(word: str) -> list[str]:
    name = BACKBONE.fullmatch(word)
    if name is None or name[1] == "null":
        return [word]
    if name[1] in FAMILIES:
        return [f"--model.backbone=audiocnn.backbones.{name[1]}"]
    return ["--model.backbone=audiocnn.create_backbone", f"--model.backbone.name={name[1]}"]


class Null(str):
    """The word null, which jsonargparse passes on to the parser of a class as it is, not as "None"."""


def keep_nulls(words: list[str]) -> list[str]:
    """Make null, where it is the value of an option of a class within the model or the data, a `Null`.

    Args:
        words: of a command line.
    """
    kept: list[str] = []
    for word in words:
        kept += found.groups() if (found := _IS_NULL.fullmatch(word)) else [word]
    for i, (before, word) in enumerate(pairwise(kept), start=1):
        if word == "null" and _NESTED.fullmatch(before):
            kept[i] = Null(word)
    return kept


def reword(message: str, options: Collection[str], words: Iterable[str]) -> str:
    """Reword an error of jsonargparse.

    Args:
        message: in one line.
        options: all there are, as they are typed, of which one may have been meant.
        words: of the command line; for arguments of classes jsonargparse names the end of an option alone.

    Returns:
        One line that holds the option, its value and what was expected.
    """
    if unknown := _NOT_ACCEPTED.search(message):
        name = f"--{unknown[1].replace('.init_args', '')}"
        close = get_close_matches(name, options, n=1)
        return f"{name} is no option" + (f"; did you mean {close[0]}?" if close else "")
    found = _KEY.match(message)
    if not found:
        return message
    option = f"--{found['key'].replace('.init_args', '')}"
    typed = (word.partition("=")[0] for word in words if word.startswith("--"))
    option = next((one for one in typed if one.endswith(f".{option[2:]}")), option)
    if problem := _CLASS_PROBLEM.search(message):
        return f"{option}: {problem[1]} cannot be used: {problem[2]}"
    value = _VALUE.search(message)
    if value is None and (name := _NO_CLASS.search(message)):
        return f"{option} is {name[1]!r}, expected the path of a class, package.module.Class"
    if value is None:
        return f"{option}: {found['rest']}"
    return f"{option} is {value[1]!r}, expected {_describe_types(found['rest'])}"


def _describe_types(text: str) -> str:
    """What the types are that a value is not of, in words, each once."""
    words = {}
    for name, choices in _EXPECTED.findall(text.partition("Errors:")[0]) or _EXPECTED.findall(text):
        if choices:
            words |= dict.fromkeys(choice.strip(" '") for choice in choices.split(","))
        else:
            short = name.rpartition(".")[2]
            words[TYPES.get(short, f"the path of a class of {short}")] = None
    return " or ".join(words) or "another value"
