"""Wrong arguments of `fit`, `validate` and `test`: in one line, in the spelling of the command line."""

import re
import traceback

from jsonargparse import Namespace

from audiocnn.backbones import FAMILIES

# Within functions of these names a ValueError is about an argument; elsewhere it is a fault of the program.
SETTING_UP = {"instantiate_classes", "prepare_data", "setup", "configure_optimizers", "check_batch"}
BACKBONE = re.compile(r"--model\.backbone(?:\.class_path)?=(\w+)")


def is_usage_error(error: Exception) -> bool:
    """Check whether a ValueError of a training is about an argument.

    Args:
        error: with its traceback.
    """
    return any(frame.name in SETTING_UP for frame in traceback.extract_tb(error.__traceback__))


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
        "--model.backbone.norm is 'bad', expected ..."; the message as it is where no argument of the config, or
        more than one, has this name.
    """
    name = message.partition(" ")[0]
    found = {
        re.sub(r"\.(init_args|dict_kwargs)", "", key) for key, _ in config.items() if key.endswith(f".{name}")
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
