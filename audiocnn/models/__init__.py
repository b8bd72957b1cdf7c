"""The shipped models: NAME.safetensors beside its model card NAME.md.

Those that see pictures are in pictures/, those that paint them in styles/.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
PICTURES = FOLDER / "pictures"
STYLES = FOLDER / "styles"


def path(model: str | Path) -> Path:
    """The model file of a shipped name, or the path itself when it names a file."""
    shipped = (folder / f"{model}.safetensors" for folder in (FOLDER, PICTURES, STYLES))
    return next((file for file in shipped if file.exists()), Path(model))


def names(folder: Path | None = None) -> list[str]:
    """The names of the shipped models of a folder, sorted; those that listen where none is given."""
    return sorted(file.stem for file in (folder or FOLDER).glob("*.safetensors"))
