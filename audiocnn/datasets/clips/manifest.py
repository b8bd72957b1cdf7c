"""Manifests: tables of clips with their labels, a line each.

Place in the flow: a table on disk -> a list of `Clip`, and back, for the split that a training drew.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from audiocnn import files
from audiocnn.datasets.clips.sources import Clip, parse_split

COLUMNS = ("path", "labels", "start", "end", "split", "group")
REQUIRED = COLUMNS[:2]  # of a .csv
MAX_FIELD = 1 << 20  # characters; csv's own limit is 2 ** 17
N_SHOWN = 60  # characters of a value in a message

Row = Mapping[str, Any]


def read_manifest(path: Path) -> list[Clip]:
    """Read the clips that a table lists, one a line.

    Columns: path (relative to the manifest), labels (separated by |, or in JSON a list); and where they
    are wanted start and end in seconds, split, group.

    Args:
        path: .csv with a line of column names, or .jsonl; in UTF-8.

    Returns:
        A clip for each line.

    Raises:
        files.FileError: a value is invalid; the message names the first such line, and counts the others.
    """
    path = Path(path)
    found: list[Clip] = []
    faults: list[str] = []
    lines: dict[tuple, tuple[int, Clip]] = {}
    try:
        for line, row in _rows(path):
            try:
                if isinstance(row, ValueError):
                    raise row
                clip = _clip(path.parent, row)
                _check_repeated(clip, line, lines)
                found.append(clip)
            except (ValueError, OSError) as error:
                reason = files.describe_error(error) if isinstance(error, OSError) else error
                faults.append(f"line {line}: {reason}")
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    if faults:
        more = f" (and {len(faults) - 1} more lines)" if len(faults) > 1 else ""
        raise files.FileError(path, faults[0] + more)
    if not found:
        raise files.FileError(path, "lists no clips")
    return found


def write_manifest(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips as a manifest, with absolute paths.

    Args:
        path: the file, .jsonl.
        clips: with or without a split.

    Raises:
        files.FileError: the file cannot be written.
    """
    with files.write_atomically(path) as partial, open(partial, "w", encoding="utf-8") as file:
        for clip in clips:
            values = str(clip.path.absolute()), clip.labels, clip.start_s, clip.end_s, clip.split, clip.group
            row = {name: value for name, value in zip(COLUMNS, values, strict=True) if value is not None}
            file.write(json.dumps(row) + "\n")


def _rows(path: Path) -> Iterator[tuple[int, Row | ValueError]]:
    """Each row of a manifest with the number of its line; in its place what is wrong with it."""
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    if path.suffix.lower() not in readers:
        raise files.FileError(path, f"suffix is {path.suffix!r}, expected .csv or .jsonl")
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            yield from readers[path.suffix.lower()](file)
        except UnicodeDecodeError as error:
            with open(path, "rb") as content:
                line = next(n for n, bytes_ in enumerate(content, start=1) if not _is_utf8(bytes_))
            raise files.FileError(path, f"line {line}: {error.reason}, expected UTF-8") from error


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_csv(file: TextIO) -> Iterator[tuple[int, Row | ValueError]]:
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(file)
    try:
        header = next(reader, [])
        if error := _find_header_fault(header):
            yield 1, ValueError(error)
            return
        for row in reader:
            if len(row) == len(header):
                yield reader.line_num, dict(zip(header, row, strict=True))
            elif row:
                yield reader.line_num, ValueError(f"has {len(row)} fields, expected {len(header)}")
    except csv.Error as error:
        yield reader.line_num, ValueError(str(error))


def _find_header_fault(header: list[str]) -> str:
    if unknown := [column for column in header if column not in COLUMNS]:
        return f"column {_show(unknown[0])}, expected {', '.join(COLUMNS)}"
    if missing := [column for column in REQUIRED if column not in header]:
        return f"has no column {missing[0]}, expected {', '.join(COLUMNS)}"
    return "a column is there twice" if len({*header}) < len(header) else ""


def _read_jsonl(file: TextIO) -> Iterator[tuple[int, Row | ValueError]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield number, _parse_object(line)
            except (ValueError, RecursionError) as error:
                nested = isinstance(error, RecursionError)
                yield number, ValueError("is nested too deeply") if nested else error


def _parse_object(line: str) -> Row:
    row = json.loads(line, object_pairs_hook=_check_keys)
    if not isinstance(row, dict):
        raise ValueError(f"is {_show(row)}, expected an object {{...}}")
    if unknown := [column for column in row if column not in COLUMNS]:
        raise ValueError(f"column {_show(unknown[0])}, expected {', '.join(COLUMNS)}")
    return row


def _check_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a column is there twice")
    return row


def _clip(folder: Path, row: Row) -> Clip:
    """The clip of a row; empty fields are as columns that are not there."""
    row = {column: value for column, value in row.items() if value not in (None, "")}
    if "path" not in row:
        raise ValueError("has no path")
    file = folder / str(row["path"])
    if "\0" in str(file) or not file.is_file():
        raise ValueError(f"path is {_show(row['path'])}, expected a file; there is none in {folder}")
    start_s, end_s = _seconds(row, "start"), _seconds(row, "end")
    if end_s is not None and end_s <= (start_s or 0.0):
        raise ValueError(f"end is {row['end']!r}, expected more than the start, {row.get('start', 0)}")
    split = parse_split(str(row["split"])[:N_SHOWN]) if "split" in row else None
    group = str(row["group"]) if "group" in row else None
    return Clip(file, _labels(row.get("labels", [])), start_s or 0.0, end_s, split, group)


def _labels(value: Any) -> tuple[str, ...]:
    names = value.split("|") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"labels is {_show(value)}, expected names")
    stripped = tuple(name.strip() for name in names)
    if len({*stripped}) < len(stripped):
        raise ValueError(f"labels is {_show(value)}, expected each name once")
    return stripped


def _seconds(row: Row, column: str) -> float | None:
    if column not in row:
        return None
    try:
        seconds = float(row[column])
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{column} is {_show(row[column])}, expected seconds, 0 or more")
    return seconds


def _check_repeated(clip: Clip, line: int, lines: dict[tuple, tuple[int, Clip]]) -> None:
    """Refuse a clip that an earlier line has with other facts; the same once more makes it count twice."""
    first, other = lines.setdefault((clip.path, clip.start_s, clip.end_s), (line, clip))
    if other != clip:
        raise ValueError(f"is the clip of line {first} with other labels, split or group")


def _show(value: Any) -> str:
    """A value for a message, cut short."""
    shown = repr(value)
    return shown if len(shown) <= N_SHOWN else f"{shown[:N_SHOWN]}…"
