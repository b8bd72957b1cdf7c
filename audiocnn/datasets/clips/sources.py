"""Clips with labels, from a folder per class, a manifest, or any clip data set of mirdata.

Place in the flow: data on disk -> a list of `Clip`, which `layouts` reads for data sets by name, `splits`
divides and `loader` makes batches of. No sound is read here.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocnn import audio, files
from audiocnn.labels import UNKNOWN

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
COLUMNS = ("path", "labels", "start", "end", "split", "group")


@dataclass(frozen=True)
class Clip:
    """A stretch of a sound file and its labels.

    Args:
        path: of the file.
        labels: those that hold; none at all is a sound that is none of the labels, and so is UNKNOWN.
        start_s: from the start of the file.
        end_s: None is the end of the file.
        split: one of `SPLITS`, where the data set says it.
        group: unit that a split must not divide, such as the artist; None where unknown.
    """

    path: Path
    labels: tuple[str, ...]
    start_s: float = 0.0
    end_s: float | None = None
    split: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(label for label in self.labels if label != UNKNOWN))


def parse_split(word: str) -> str:
    """Translate a data set's name of a split: "train" for "Training" and "split01_train".

    Args:
        word: in upper or lower case, with anything before an underscore.

    Returns:
        One of `SPLITS`.

    Raises:
        ValueError: another word.
    """
    name = word.lower().rpartition("_")[2]
    if name not in SPLIT_NAMES:
        raise ValueError(f"split is {word!r}, expected one of {', '.join(SPLIT_NAMES)}")
    return SPLIT_NAMES[name]


def read_folder(path: Path) -> list[Clip]:
    """Read the clips of a folder per class.

    Args:
        path: holds a folder for each class, or folders train, validation and test that do.

    Returns:
        A clip for each audio file, whose label is the name of its folder.

    Raises:
        files.FileError: there is no class with audio in it.
    """
    path = Path(path)
    folders = _folders(path)
    if folders and all(folder.name.lower() in SPLIT_NAMES for folder in folders):
        return [clip for folder in folders for clip in _classes(folder, parse_split(folder.name))]
    return _classes(path, None)


def _classes(path: Path, split: str | None) -> list[Clip]:
    folders = _folders(path)
    if not folders:
        raise files.FileError(path, "holds no folders, expected one for each class, with audio in it")
    return [
        Clip(file, (folder.name,), split=split)
        for folder in folders
        for file in audio.find_recordings(folder)
    ]


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error


def read_manifest(path: Path) -> list[Clip]:
    """Read the clips that a table lists, one a line.

    Columns: path (relative to the manifest), labels (separated by |, or in JSON a list); and where they
    are wanted start and end in seconds, split, group.

    Args:
        path: .csv with a line of column names, or .jsonl.

    Returns:
        A clip for each line.

    Raises:
        files.FileError: a value is invalid; the message names the line.
    """
    path = Path(path)
    found = []
    for line, row in _rows(path):
        try:
            found.append(_clip(path.parent, row))
        except ValueError as error:
            raise files.FileError(path, f"line {line}: {error}") from error
    if not found:
        raise files.FileError(path, "lists no clips")
    return found


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each row of a manifest with the number of its line."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            if path.suffix.lower() == ".csv":
                reader = csv.DictReader(file)
                for row in reader:
                    yield reader.line_num, row
            elif path.suffix.lower() == ".jsonl":
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield number, _object(path, number, line)
            else:
                raise files.FileError(path, f"suffix is {path.suffix!r}, expected .csv or .jsonl")
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise files.FileError(path, f"line {number}: {error}") from error
    if not isinstance(row, dict):
        raise files.FileError(path, f"line {number}: is {line.strip()[:40]}, expected an object {{...}}")
    return row


def _clip(folder: Path, row: Mapping[str, Any]) -> Clip:
    """The clip of a row; empty fields are as columns that are not there."""
    if unknown := [column for column in row if column not in COLUMNS]:
        raise ValueError(f"column {unknown[0]!r}, expected {', '.join(COLUMNS)}")
    row = {column: value for column, value in row.items() if value not in (None, "")}
    if "path" not in row:
        raise ValueError("has no path")
    file = folder / str(row["path"])
    if not file.is_file():
        raise ValueError(f"path is {row['path']!r}, expected a file; {file} is none")
    start_s, end_s = _seconds(row, "start"), _seconds(row, "end")
    if end_s is not None and end_s <= (start_s or 0.0):
        raise ValueError(f"end is {row['end']!r}, expected more than the start, {row.get('start', 0)}")
    split = parse_split(str(row["split"])) if "split" in row else None
    group = str(row["group"]) if "group" in row else None
    return Clip(file, _labels(row.get("labels", [])), start_s or 0.0, end_s, split, group)


def _labels(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split("|")
    if not isinstance(value, list) or not all(isinstance(label, str) and label.strip() for label in value):
        raise ValueError(f"labels is {value!r}, expected names")
    return tuple(label.strip() for label in value)


def _seconds(row: Mapping[str, Any], column: str) -> float | None:
    if column not in row:
        return None
    try:
        seconds = float(row[column])
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{column} is {row[column]!r}, expected seconds, 0 or more")
    return seconds


# Attributes of mirdata's tracks that hold the labels, the split and the group.
LABEL_NAMES = ("genre", "genres", "instrument", "instruments", "instrument_full", "tags")
SPLIT_ATTRIBUTES = ("split", "subset")
GROUP_NAMES = ("artist", "song_id", "player_id", "singer_id")


def read_mirdata(name: str, path: Path) -> list[Clip]:
    """Read the clips of a data set of mirdata.

    Args:
        name: of the data set. A track's labels are the attribute after a dot (`openmic2018.instruments`),
            else the first of `LABEL_NAMES` that says something; its group is the first of `GROUP_NAMES`.
        path: where the data set lies, unpacked as mirdata unpacks it.

    Returns:
        A clip for each track that has a label.

    Raises:
        ModuleNotFoundError: mirdata is not installed.
        ValueError: mirdata has no such data set, or none of its tracks has sound and a label.
    """
    try:
        import mirdata  # pyright: ignore[reportMissingImports], an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("needs mirdata: pip install 'audiocnn[mirdata]'") from error
    name, _, attribute = name.partition(".")
    label_names = (attribute,) if attribute else LABEL_NAMES
    if name not in mirdata.list_datasets():
        raise ValueError(f"mirdata has no data set {name!r}, expected one of mirdata.list_datasets()")
    tracks = mirdata.initialize(name, data_home=str(path)).load_tracks()
    found = [_track(track, label_names) for track in tracks.values()]
    if not any(found):
        raise ValueError(
            f"{name}: none of {len(found)} tracks has audio and a label ({', '.join(label_names)})"
        )
    return [clip for clip in found if clip]


def _track(track: Any, label_names: tuple[str, ...]) -> Clip | None:
    path, labels = getattr(track, "audio_path", None), _first(track, label_names)
    if not path or not labels:
        return None
    if isinstance(labels, Mapping):  # confidences
        labels = [label for label, confidence in labels.items() if confidence > 0.5]
    names = (labels,) if isinstance(labels, str) else tuple(map(str, labels))
    split, group = _first(track, SPLIT_ATTRIBUTES), _first(track, GROUP_NAMES)
    return Clip(
        Path(path),
        names,
        split=None if split is None else parse_split(split),
        group=None if group is None else str(group),
    )


def _first(track: Any, names: tuple[str, ...]) -> Any:
    """The first of a track's attributes that says something."""
    values = (getattr(track, name, None) for name in names)
    return next((value for value in values if value not in (None, "", [])), None)
