"""Notes <-> a table with one note a line: CSV out; CSV, TSV and the TXT of MAPS in.

The header names the columns, in any order; unknown ones are ignored. A table of numbers alone has the columns
onset_s, offset_s, midi and, if there are four, velocity. Columns are parted by tabs, semicolons, commas or
spaces; empty lines, and lines that begin with #, are passed over. Times are written with all their digits, so
that reading them gives the same numbers.
"""

import codecs
import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from audiocnn import files, units
from audiocnn.formats.annotation import Annotation
from audiocnn.notes import Note, check_notes, find_fault

HEADER = ("onset_s", "offset_s", "midi", "name", "velocity", "confidence")
BARE = ("onset_s", "offset_s", "midi", "velocity")  # the columns of a table without a header
NEEDED = ("onset_s", "offset_s", "midi")
SEPARATORS = "\t;,"  # in the order in which they are looked for: a comma may be within a number
SYNONYMS = {  # of the headers of MAPS and of the tables of jongwook/onsets-and-frames
    "onsettime": "onset_s",
    "offsettime": "offset_s",
    "midipitch": "midi",
    "onset": "onset_s",
    "offset": "offset_s",
    "note": "midi",
}
MAX_BYTES = 1 << 28  # of a table: some million notes

Row = list[str]


def write_csv(notes: Iterable[Note], path: str | os.PathLike) -> None:
    """Write a table with the columns of `HEADER`; bends have no place in it.

    Args:
        notes: in the order to write.
        path: file to write.

    Raises:
        ValueError: a note cannot be.
        files.FileError: the file cannot be written.
    """
    notes = check_notes(notes)
    with files.write_atomically(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for note in notes:
            name = units.midi_to_note(note.midi)
            table.writerow((note.onset_s, note.offset_s, note.midi, name, note.velocity, note.confidence))


def read_table(path: Path) -> Annotation:
    """Read the notes of a table; one with a column of confidences, which references lack, was transcribed.

    Args:
        path: file to read.

    Returns:
        The notes; velocity and confidence are Note's defaults where it has no such column.

    Raises:
        ValueError: a column is missing, or a line holds no note.
        files.FileError: the file cannot be read.
    """
    rows = _split(_decode(files.read_bytes(path, MAX_BYTES)))
    number, row = next(rows, (0, []))
    names = [SYNONYMS.get(name, name) for name in (field.strip().lower() for field in row)]
    if not row:
        raise ValueError("is empty, expected a table of notes")
    first, remarks = [], []
    if all(map(_is_number, row)) and len(row) >= len(NEEDED):
        names, first = [*BARE[: len(row)]], [(number, row)]
        remarks.append(f"has no header, and its columns are taken for {', '.join(names)}")
    for name in NEEDED:
        if name not in names:
            raise ValueError(f"the header has no column {name}: {' '.join(row)[:80]!r}")
    read = [_read_note(names, row, number) for lines in (first, rows) for number, row in lines]
    if n_rounded := sum(pitch != note.midi for note, pitch in read):
        remarks.append(f"{n_rounded} pitches are rounded to whole MIDI numbers, which they are taken for")
    files.warn(path, remarks)
    notes = [note for note, _ in read]
    by = "it has a column of confidences, as only transcriptions have"
    return Annotation(notes, "velocity" in names, by if "confidence" in names else "")


def _decode(data: bytes) -> str:
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")  # comments may be of any kind


def _split(text: str) -> Iterator[tuple[int, Row]]:
    """Yield the number and the fields of each line; the first one, the header, may begin with #."""
    has_header = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        is_comment = bare.startswith("#") and (has_header or not _names_columns(bare))
        if bare.strip("\t;, ") and not is_comment:
            yield number, _split_line(bare.lstrip("# ") if not has_header else line)
            has_header = True


def _names_columns(line: str) -> bool:
    fields = {field.strip().lower() for field in _split_line(line.lstrip("# "))}
    return bool(fields & {*NEEDED, *SYNONYMS})


def _split_line(line: str) -> Row:
    separator = next((one for one in SEPARATORS if one in line), None)
    if '"' in line and separator:
        return next(csv.reader([line], delimiter=separator))
    return line.split(separator)


def _is_number(field: str) -> bool:
    try:
        _parse(field)
    except ValueError:
        return False
    return True


def _parse(field: str) -> float:
    return float(field.replace(",", "."))  # where a comma is no separator it is a decimal point


def _read_note(names: list[str], row: Row, line: int) -> tuple[Note, float]:
    """Return the note of a line, and its pitch as it stands there."""
    fields = dict(zip(names, row, strict=False))
    try:
        pitch = _parse(fields["midi"])
        note = Note(
            onset_s=_parse(fields["onset_s"]),
            offset_s=_parse(fields["offset_s"]),
            midi=round(pitch),
            velocity=round(_parse(fields.get("velocity", str(Note.velocity)))),
            confidence=_parse(fields.get("confidence", str(Note.confidence))),
        )
    except (KeyError, ValueError, OverflowError) as error:
        raise ValueError(f"line {line}: expected numbers, got {' '.join(row)[:80]!r}") from error
    if fault := find_fault(note):
        raise ValueError(f"line {line}: the note {fault}")
    return note, pitch
