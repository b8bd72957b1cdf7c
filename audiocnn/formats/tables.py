"""Notes <-> a table with one note a line: CSV out; CSV, TSV and the TXT of MAPS in.

The header names the columns, in any order; unknown ones are ignored. Times are written with all their
digits, so that reading them gives the same numbers.
"""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from audiocnn import files, units
from audiocnn.notes import Note

HEADER = ("onset_s", "offset_s", "midi", "name", "velocity", "confidence")
SYNONYMS = {  # of the headers of MAPS and of the tables of jongwook/onsets-and-frames
    "onsettime": "onset_s",
    "offsettime": "offset_s",
    "midipitch": "midi",
    "onset": "onset_s",
    "offset": "offset_s",
    "note": "midi",
}


def write_csv(notes: Iterable[Note], path: str | os.PathLike) -> None:
    """Write a table with the columns of `HEADER`; bends have no place in it.

    Args:
        notes: in the order to write.
        path: file to write.

    Raises:
        files.FileError: the file cannot be written.
    """
    with files.write_atomically(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for note in notes:
            name = units.midi_to_note(note.midi)
            table.writerow((note.onset_s, note.offset_s, note.midi, name, note.velocity, note.confidence))


def read_table(path: Path) -> list[Note]:
    """Read the notes of a table; velocity and confidence are Note's defaults where it has no such column.

    Args:
        path: file to read.

    Raises:
        ValueError: a column is missing, or a line holds something else than numbers.
    """
    header, *lines = path.read_text(encoding="utf-8-sig").splitlines() or [""]
    separator = "," if "," in header else "\t"
    names = [name.strip().lower() for name in header.lstrip("# ").split(separator)]
    names = [SYNONYMS.get(name, name) for name in names]
    for name in ("onset_s", "offset_s", "midi"):
        if name not in names:
            raise ValueError(f"the header has no column {name}: {header[:80]!r}")
    # The tables of jongwook/onsets-and-frames have commas in the header and tabs in the lines.
    rows = (line.split("\t" if "\t" in line else separator) for line in lines)
    return [
        _note(dict(zip(names, row, strict=False)), number)
        for number, row in enumerate(rows, 2)
        if any(field.strip() for field in row)
    ]


def _note(row: dict[str, str], line: int) -> Note:
    try:
        return Note(
            onset_s=float(row["onset_s"]),
            offset_s=float(row["offset_s"]),
            midi=round(float(row["midi"])),
            velocity=round(float(row.get("velocity", Note.velocity))),
            confidence=float(row.get("confidence", Note.confidence)),
        )
    except (KeyError, ValueError, OverflowError) as error:
        raise ValueError(f"line {line}: expected numbers, got {' '.join(row.values())[:80]!r}") from error
