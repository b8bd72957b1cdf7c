"""What a file of notes holds: notes, and what there is to know before they are taken for a reference."""

from dataclasses import dataclass

from audiocnn import __version__
from audiocnn.notes import Note

# In the files of a transcription: no reference for an evaluation, whatever the name of the file.
MARK = f"transcribed by audiocnn {__version__}"


@dataclass(frozen=True)
class Annotation:
    """The notes of a file.

    Args:
        notes: in the order of the file.
        has_velocities: whether the file holds their velocities; else they are all `Note.velocity`.
        transcribed_by: where the file says so, the program that transcribed them; empty for a reference.
    """

    notes: list[Note]
    has_velocities: bool = True
    transcribed_by: str = ""


def find_mark(texts: list[str]) -> str:
    """Return the text in which a program of ours says that it transcribed the notes; empty for none.

    Args:
        texts: of a file.
    """
    return next((text for text in texts if text.startswith(MARK.removesuffix(f" {__version__}"))), "")
