"""A data set of clips: files named LABEL_NUMBER.wav in a folder `tiny`."""

from pathlib import Path

from audiocnn.datasets.clips.layouts import Layout
from audiocnn.datasets.clips.sources import Clip


def read_tiny(path: Path) -> list[Clip]:
    """Read the clips of a folder."""
    return [Clip(file, (file.stem.split("_")[0],)) for file in sorted(path.glob("tiny/*.wav"))]


TINY = Layout(
    read=read_tiny,
    sign="tiny/*.wav",
    what="tones",
    count="a few",
    rate=16_000,
    size="1 MB",
    licence="CC0 1.0",
    split="none",
    source="made up",
)
