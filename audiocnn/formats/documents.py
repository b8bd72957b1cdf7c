"""Notes <-> JSON and JAMS, trees of named values.

JSON holds every field of Note exactly. JAMS (Humphrey et al., "JAMS: A JSON annotated music specification
for reproducible MIR research", 2014) has the namespace note_midi: a time, duration, MIDI number and
confidence for each note. What it has no place for, velocities and bends, goes in the annotation's sandbox,
in the same order.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from itertools import repeat
from pathlib import Path
from typing import Any

from audiocnn import __version__, files, units
from audiocnn.notes import BEND_STEP_S, Note

JAMS_VERSION = "0.3.5"
NOTE_FIELDS = ("onset_s", "offset_s", "midi", "velocity", "confidence", "bend")


def write_json(notes: Iterable[Note], path: str | os.PathLike) -> None:
    """Write {"bend_step_s": ..., "notes": [...]}, one note a line with its fields and its note name.

    Args:
        notes: in the order to write.
        path: file to write.

    Raises:
        files.FileError: the file cannot be written.
    """
    lines = ",\n".join(_dumps({**asdict(note), "name": units.midi_to_note(note.midi)}) for note in notes)
    with files.write_atomically(path) as partial:
        partial.write_text(f'{{"bend_step_s": {BEND_STEP_S}, "notes": [\n{lines}\n]}}\n', encoding="utf-8")


def read_json(path: Path) -> list[Note]:
    """Read the notes of a document as `write_json` writes it; velocity, confidence and bend may be missing.

    Args:
        path: file to read.

    Raises:
        KeyError: the document has no notes, or a note lacks a field.
        ValueError: it is not JSON.
    """
    rows = _loads(path)["notes"]
    return [_note(**{name: row[name] for name in NOTE_FIELDS if name in row}) for row in rows]


def write_jams(notes: Iterable[Note], path: str | os.PathLike, duration_s: float | None = None) -> None:
    """Write one note_midi annotation.

    Args:
        notes: in the order to write.
        path: file to write.
        duration_s: length of the recording in seconds; None ends it with its last note.

    Raises:
        files.FileError: the file cannot be written.
    """
    notes = list(notes)
    if duration_s is None:
        duration_s = max((note.offset_s for note in notes), default=0.0)
    observations = [
        {
            "time": note.onset_s,
            "duration": note.offset_s - note.onset_s,
            "value": note.midi,
            "confidence": note.confidence,
        }
        for note in notes
    ]
    annotation = {
        "namespace": "note_midi",
        "annotation_metadata": {"annotation_tools": f"audiocnn {__version__}"},
        "data": observations,
        "sandbox": {"velocity": [note.velocity for note in notes], "bend": [note.bend for note in notes]},
        "time": 0,
        "duration": duration_s,
    }
    document = {
        "file_metadata": {"duration": duration_s, "jams_version": JAMS_VERSION},
        "annotations": [annotation],
        "sandbox": {},
    }
    with files.write_atomically(path) as partial:
        partial.write_text(_dumps(document) + "\n", encoding="utf-8")


def read_jams(path: Path) -> list[Note]:
    """Read the notes of all note_midi annotations together (GuitarSet has one a string), pitches rounded.

    Args:
        path: file to read.

    Raises:
        ValueError: there is no such annotation.
    """
    annotations = [one for one in _loads(path)["annotations"] if one["namespace"] == "note_midi"]
    if not annotations:
        raise ValueError("holds no annotation of the namespace note_midi")
    return [note for annotation in annotations for note in _observations(annotation)]


def _observations(annotation: dict[str, Any]) -> Iterable[Note]:
    sandbox = annotation.get("sandbox") or {}
    velocities = sandbox.get("velocity") or repeat(Note.velocity)
    bends = sandbox.get("bend") or repeat(Note.bend)
    for one, velocity, bend in zip(annotation["data"], velocities, bends, strict=False):
        confidence = Note.confidence if one["confidence"] is None else one["confidence"]
        yield _note(one["time"], one["time"] + one["duration"], one["value"], velocity, confidence, bend)


def _note(
    onset_s: float,
    offset_s: float,
    midi: float,
    velocity: float = Note.velocity,
    confidence: float = Note.confidence,
    bend: Iterable[float] = Note.bend,
) -> Note:
    bend = tuple(map(float, bend))
    return Note(float(onset_s), float(offset_s), round(midi), round(velocity), float(confidence), bend)


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _loads(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
