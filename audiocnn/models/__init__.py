"""The shipped models: NAME.safetensors beside its model card NAME.md."""

from pathlib import Path

FOLDER = Path(__file__).parent


def path(model: str | Path) -> Path:
    """The model file of a shipped name, or the path itself when it names a file."""
    shipped = FOLDER / f"{model}.safetensors"
    return shipped if shipped.exists() else Path(model)


def names() -> list[str]:
    """The names of the shipped models, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.safetensors"))
