"""Notes <-> JSON and JAMS, trees of named values.

JSON holds every field of Note exactly. JAMS (Humphrey et al., "JAMS: A JSON annotated music specification
for reproducible MIR research", 2014) has the namespace note_midi: a time, duration, MIDI number and
confidence for each note. What it has no place for, velocities and bends, goes in the annotation's sandbox,
in the same order.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from audiocnn import files, units
from audiocnn.formats.annotation import Annotation, find_mark
from audiocnn.notes import BEND_STEP_S, Note, check_notes, find_fault

JAMS_VERSION = "0.3.5"
NOTE_FIELDS: dict[str, Callable[[Any], Any]] = {
    "onset_s": float,
    "offset_s": float,
    "midi": round,
    "velocity": round,
    "confidence": float,
    "bend": lambda values: tuple(map(float, values)),
}
NEEDED = ("onset_s", "offset_s", "midi")
MAX_BYTES = 1 << 28  # of a document: some million notes


def write_json(notes: Iterable[Note], path: str | os.PathLike, mark: str = "") -> None:
    """Write {"bend_step_s": ..., "notes": [...]}, one note a line with its fields and its note name.

    Args:
        notes: in the order to write.
        path: file to write.
        mark: what the file says of itself, as "made_by"; nothing when empty.

    Raises:
        ValueError: a note cannot be.
        files.FileError: the file cannot be written.
    """
    notes = check_notes(notes)
    lines = ",\n".join(_dumps({**asdict(note), "name": units.midi_to_note(note.midi)}) for note in notes)
    made_by = f'"made_by": {_dumps(mark)}, ' if mark else ""
    with files.write_atomically(path) as partial:
        text = f'{{{made_by}"bend_step_s": {BEND_STEP_S}, "notes": [\n{lines}\n]}}\n'
        partial.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Annotation:
    """Read the notes of a document as `write_json` writes it; velocity, confidence and bend may be missing.

    Args:
        path: file to read.

    Raises:
        ValueError: it is not JSON, has no notes, or a note lacks a field or has one of another kind.
        files.FileError: the file cannot be read.
    """
    document = _loads(path)
    rows = _get(document, "notes", list)
    notes = [_note(row, number) for number, row in enumerate(rows, 1)]
    has_velocities = all("velocity" in row for row in rows)
    return Annotation(notes, has_velocities, find_mark([str(document.get("made_by", ""))]))


def write_jams(
    notes: Iterable[Note], path: str | os.PathLike, duration_s: float | None = None, mark: str = ""
) -> None:
    """Write one note_midi annotation.

    Args:
        notes: in the order to write.
        path: file to write.
        duration_s: length of the recording in seconds; None ends it with its last note.
        mark: what the file says of itself, as the annotation's tools; nothing when empty.

    Raises:
        ValueError: a note cannot be.
        files.FileError: the file cannot be written.
    """
    notes = check_notes(notes)
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
        "annotation_metadata": {"annotation_tools": mark} if mark else {},
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


def read_jams(path: Path) -> Annotation:
    """Read the notes of all note_midi annotations together (GuitarSet has one a string), pitches rounded.

    Args:
        path: file to read.

    Raises:
        ValueError: it is not JSON, has no such annotation, or an observation is no note.
        files.FileError: the file cannot be read.
    """
    annotations = _get(_loads(path), "annotations", list)
    ours = [one for one in annotations if _get(one, "namespace", str) == "note_midi"]
    if not ours:
        others = ", ".join(sorted({one["namespace"] for one in annotations})) or "none"
        raise ValueError(f"holds no annotation of the namespace note_midi, but of {others}")
    about = [one.get("annotation_metadata") or {} for one in ours]
    if len({str(one.get("data_source")) for one in about}) < len(ours):
        files.warn(path, [f"its {len(ours)} annotations of note_midi are taken for parts of one"])
    notes = [_note(row, number) for number, row in enumerate(chain(*map(_observations, ours)), 1)]
    has_velocities = all((one.get("sandbox") or {}).get("velocity") for one in ours if one["data"])
    return Annotation(notes, has_velocities, find_mark([str(one.get("annotation_tools")) for one in about]))


def _observations(annotation: dict[str, Any]) -> Iterator[Any]:
    """Yield the observations of an annotation by the names of fields of a note; what is none, as it is."""
    sandbox, data = annotation.get("sandbox") or {}, _get(annotation, "data", list)
    velocities, bends = (sandbox.get(name) or [None] * len(data) for name in ("velocity", "bend"))
    if not len(data) == len(velocities) == len(bends):
        raise ValueError(f"holds {len(data)} notes, {len(velocities)} velocities and {len(bends)} bends")
    for one, velocity, bend in zip(data, velocities, bends, strict=True):
        try:
            times = {"onset_s": one["time"], "offset_s": one["time"] + one["duration"]}
            fields = {"midi": one["value"], "velocity": velocity, "confidence": one.get("confidence")}
            yield {**times, **fields, "bend": bend}
        except (AttributeError, KeyError, TypeError):
            yield one


def _note(row: Any, number: int) -> Note:
    """Make a note of a mapping; fields that are None or missing have their defaults, if they have any."""
    try:
        given = {name: row[name] for name in NOTE_FIELDS if row.get(name) is not None}
        values = {name: convert(given[name]) for name, convert in NOTE_FIELDS.items() if name in given}
        note = Note(**values)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"note {number} is {str(row)[:80]}, expected {', '.join(NEEDED)}") from error
    if fault := find_fault(note):
        raise ValueError(f"note {number} {fault}")
    return note


def _get(document: Any, name: str, kind: type) -> Any:
    """Return a field of a mapping."""
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise ValueError(f"lacks {name!r}, expected a {kind.__name__} of that name")
    return value


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _loads(path: Path) -> dict[str, Any]:
    return json.loads(files.read_bytes(path, MAX_BYTES))
