"""The shipped models: KIND/NAME.safetensors beside its model card KIND/NAME.md."""

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
KINDS = ("notes", "labels", "images", "style")


def path(model: str | os.PathLike) -> Path:
    """Return the model file of a shipped name, or the path itself when it names a file.

    Args:
        model: a shipped model's name, or a path.
    """
    shipped = (FOLDER / kind / f"{model}.safetensors" for kind in KINDS if str(model) in names(kind))
    return next(shipped, Path(model))


def names(*kinds: str) -> list[str]:
    """List the names of the shipped models of some kinds, sorted.

    Args:
        kinds: some of `KINDS`.
    """
    return sorted(file.stem for kind in kinds for file in (FOLDER / kind).glob("*.safetensors"))


def read_arguments(model: str) -> dict[str, Any]:
    """Read the arguments that a shipped model is built with from its file's header, without PyTorch.

    Args:
        model: a shipped model's name.
    """
    with path(model).open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return json.loads(header["__metadata__"]["audiocnn"])["model"]["init_args"]
