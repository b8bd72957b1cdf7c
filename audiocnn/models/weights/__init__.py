"""The shipped models: KIND/NAME.safetensors beside its model card KIND/NAME.md."""

from pathlib import Path

FOLDER = Path(__file__).parent
KINDS = ("notes", "labels", "images", "style")


def path(model: str | Path) -> Path:
    """The model file of a shipped name, or the path itself when it names a file."""
    shipped = (FOLDER / kind / f"{model}.safetensors" for kind in KINDS)
    return next((file for file in shipped if file.exists()), Path(model))


def names(*kinds: str) -> list[str]:
    """The names of the shipped models of some kinds, those of `KINDS`, sorted."""
    return sorted(file.stem for kind in kinds for file in (FOLDER / kind).glob("*.safetensors"))
