"""The shipped models: KIND/NAME.safetensors beside its model card KIND/NAME.md."""

from pathlib import Path

FOLDER = Path(__file__).parent
KINDS = ("notes", "labels", "images", "style")


def path(model: str | Path) -> Path:
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
