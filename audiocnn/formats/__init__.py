"""Notes <-> files, labels -> files: one family of formats in each module, all behind `read_notes` and `WRITERS`.

Place in the flow: the last step, notes -> MIDI, CSV, JSON, JAMS, a plot, sound, and raw scores -> NPZ;
and the first one of an evaluation, a file of reference notes -> notes. Times are seconds from the start of
the recording. A file stands whole at its path or not at all.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audiocnn import files
from audiocnn.formats import labels
from audiocnn.formats.arrays import write_npz
from audiocnn.formats.documents import read_jams, read_json, write_jams, write_json
from audiocnn.formats.piano_roll import write_png
from audiocnn.formats.sound import write_wav
from audiocnn.formats.tables import read_table, write_csv
from audiocnn.formats.tempo import estimate_tempo, quantise
from audiocnn.midi import read_midi, write_midi
from audiocnn.notes import Note, sort_notes

__all__ = [
    "LABEL_WRITERS",
    "READERS",
    "WRITERS",
    "estimate_tempo",
    "quantise",
    "read_notes",
    "write_csv",
    "write_jams",
    "write_json",
    "write_midi",
    "write_npz",
    "write_png",
    "write_wav",
]

READERS: dict[str, Callable[[Path], list[Note]]] = {
    ".mid": read_midi,
    ".midi": read_midi,
    ".tsv": read_table,
    ".csv": read_table,
    ".txt": read_table,
    ".json": read_json,
    ".jams": read_jams,
}


def read_notes(path: str | os.PathLike) -> list[Note]:
    """The notes of a file, in the order of their onsets; its suffix tells the format, as in `READERS`.

    Raises:
        files.FileError: another suffix, a file that is missing or damaged, or a note that cannot be.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise files.FileError(path, f"no format of notes, expected one of {' '.join(READERS)}")
    try:
        notes = reader(path)
        for number, note in enumerate(notes, 1):
            _check(note, number)
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    # What a damaged file does to a parser is not to be foreseen; whatever it is, this file is the reason.
    except Exception as error:
        detail = f"lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise files.FileError(path, f"not readable as {path.suffix.lower()}: {detail}") from error
    return sort_notes(notes)


def _check(note: Note, number: int) -> None:
    if not (0 <= note.onset_s <= note.offset_s and np.isfinite(note.offset_s)):
        raise ValueError(f"note {number} lasts from {note.onset_s} to {note.offset_s} s")
    if not 0 <= note.midi <= 127:
        raise ValueError(f"note {number} has the MIDI number {note.midi}, expected 0 to 127")
    if not 1 <= note.velocity <= 127:
        raise ValueError(f"note {number} has the velocity {note.velocity}, expected 1 to 127")


WRITERS: dict[str, Callable[..., None]] = {
    "mid": lambda heard, path, **options: write_midi(heard.notes, path, **options),
    "csv": lambda heard, path, **_: write_csv(heard.notes, path),
    "json": lambda heard, path, **_: write_json(heard.notes, path),
    "jams": lambda heard, path, **_: write_jams(heard.notes, path, heard.duration_s),
    "npz": lambda heard, path, **_: write_npz(_held(heard.scores, path, "raw scores"), path, heard.frame_s),
    "png": lambda heard, path, **_: write_png(heard.notes, _held(heard.source, path, "recording"), path),
    "wav": lambda heard, path, **_: write_wav(heard.notes, _held(heard.source, path, "recording"), path),
}
"""Format -> its writer, called `WRITERS[format](transcription, path, tempo=120.0, pitch_bend=False)`.

Each takes what it needs of the transcription (notes, scores, frame_s, source, duration_s) and of the options,
which only MIDI has."""

LABEL_WRITERS: dict[str, Callable[..., None]] = {
    "json": labels.write_json,
    "csv": labels.write_csv,
    "png": labels.write_png,
}
"""The same for a classification: `LABEL_WRITERS[format](classification, path)`."""


def _held(value: Any, path: str | os.PathLike, what: str) -> Any:
    if not value:
        raise files.FileError(path, f"needs the {what}, which this transcription does not hold")
    return value
