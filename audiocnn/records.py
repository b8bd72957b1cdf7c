"""What audiocnn wrote, and from what: a record of each output in a hidden folder beside it.

`.audiocnn/song.mid.json` tells from which recording, by which model and with which options song.mid was made,
and what was in it. So an output is made again when any of these differs, is not made again when none does,
and is left alone when somebody else wrote or changed it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from audiocnn import files

FOLDER = ".audiocnn"
MAX_NAME = 255  # bytes of a file's name on the usual file systems

# Of an output: missing or empty; as it was written; written in part, or not yet replaced; not ours.
State = Literal["absent", "whole", "torn", "foreign"]


class Content(NamedTuple):
    """What is in a file.

    Attributes:
        size: in bytes.
        mtime_ns: when it was changed last.
        sha256: hash of the bytes.
    """

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Record:
    """What an output was made from, and what was in it.

    Attributes:
        source: path of the input, relative to the output's folder.
        content: of the input.
        made_by: verb, version, models and options.
        files: the files of the output by their paths relative to its folder: itself, or those in it.
        replaced: likewise of what stood there before.
        companions: names of further outputs that were made with it, which have records of their own.
    """

    source: str
    content: Content
    made_by: Mapping[str, Any]
    files: Mapping[str, Content]
    replaced: Mapping[str, Content]
    companions: Sequence[str] = ()

    def write(self, output: Path) -> None:
        """Write the record of an output.

        Args:
            output: file or folder.

        Raises:
            FileError: the system refuses.
        """
        fields = {name: getattr(self, name) for name in ("source", "made_by", "companions")}
        fields["content"] = self.content._asdict()
        for name in ("files", "replaced"):
            fields[name] = {path: content._asdict() for path, content in getattr(self, name).items()}
        with files.write_atomically(_path(output)) as partial:
            partial.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")

    def compare_source(self, source: Path, folder: Path) -> Literal["same", "changed", "other"]:
        """Compare the input of the record with another.

        Args:
            source: the other input.
            folder: of the output.

        Returns:
            "same" content; a file that has "changed" since; or an "other" file.
        """
        is_here = self.source == relate(source, folder)
        if holds(source, self.content, by_time=is_here):
            return "same"
        return "changed" if is_here else "other"

    def list_changes(self, made_by: Mapping[str, Any]) -> list[str]:
        """List what an output would be made by that it was not made by.

        Args:
            made_by: what it would be made by now.

        Returns:
            The names of what differs: "models", "strength", "onset_threshold".
        """
        before, now = dict(_flatten(self.made_by)), dict(_flatten(normalise(made_by)))
        return [name for name in before | now if before.get(name) != now.get(name)]

    def inspect(self, output: Path) -> State:
        """Compare an output with its record."""
        states = {
            _inspect_file(output.parent / name, content, self.replaced.get(name))
            for name, content in self.files.items()
        }
        return next(state for state in ("foreign", "torn", "whole") if state in states)


def read(output: Path) -> Record | None:
    """Read the record of an output.

    Args:
        output: file or folder.

    Returns:
        The record; None where there is none that can be read.
    """
    path = _path(output)
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["content"] = Content(**fields["content"])
        for name in ("files", "replaced"):
            fields[name] = {path: Content(**content) for path, content in fields[name].items()}
        known = [*map(Path, (*fields["files"], *fields["replaced"]))]
        is_own = all(one.parts[0] == output.name and ".." not in one.parts for one in known)
        fields["companions"] = tuple(map(str, fields.get("companions", ())))
        is_own &= all(Path(one).name == one for one in fields["companions"])
        return Record(**fields) if fields["files"] and is_own else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def inspect(output: Path) -> tuple[State, Record | None]:
    """Say in which state an output is, with its record where there is one.

    Args:
        output: file or folder.

    Raises:
        OSError: the system refuses: the name is too long, for example.
    """
    record = read(output)
    if _is_empty(output):
        return "absent", record
    return ("foreign", None) if record is None else (record.inspect(output), record)


def list_recorded(folder: Path) -> set[str]:
    """List the names of the records in a folder, those that `name_record` gives."""
    try:
        return set(os.listdir(folder / FOLDER))
    except OSError:
        return set()


def name_record(name: str) -> str:
    """Name the record of an output of this name; a hash stands for a name that leaves no room for more."""
    encoded = os.fsencode(name)
    if len(encoded) + len(".json") > MAX_NAME:
        return f"{hashlib.sha256(encoded).hexdigest()}.json"
    return f"{name}.json"


def read_content(path: Path) -> Content:
    """Hash a file.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        return Content(status.st_size, status.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest())


def holds(path: Path, content: Content, by_time: bool = True) -> bool:
    """Say whether a file holds what a record says.

    Args:
        path: the file.
        content: what was in it.
        by_time: whether the same size and time of change are enough; else the bytes are compared.
    """
    try:
        status = path.stat()
        if status.st_size != content.size:
            return False
        if by_time and status.st_mtime_ns == content.mtime_ns:
            return True
        return read_content(path).sha256 == content.sha256
    except (OSError, ValueError):  # ValueError: a name that no file can have, of a damaged record
        return False


def relate(source: Path, folder: Path) -> str:
    """Return the path of a source relative to a folder, whatever links lead there."""
    return os.path.relpath(os.path.realpath(source), os.path.realpath(folder))


def normalise(made_by: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an output is made by as it will be read again from JSON; options may be dataclasses."""
    return json.loads(json.dumps(made_by, default=dataclasses.asdict))


def _flatten(made_by: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in made_by.items():
        if isinstance(value, Mapping):
            yield from _flatten(value)
        else:
            yield name, value


def _path(output: Path) -> Path:
    return output.parent / FOLDER / name_record(output.name)


def _is_empty(path: Path) -> bool:
    """Say whether there is nothing at a path, not even a pipe or link, or nothing in a file or folder."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return not path.is_symlink()
    if stat.S_ISDIR(status.st_mode):
        return not any(path.iterdir())
    return stat.S_ISREG(status.st_mode) and not status.st_size


def _inspect_file(path: Path, content: Content, replaced: Content | None) -> State:
    if holds(path, content):
        return "whole"
    try:
        status = path.stat()
    except (OSError, ValueError):
        return "torn"
    # Whoever edits a file changes its time; a crash that loses its end does not.
    is_torn = not status.st_size or status.st_mtime_ns == content.mtime_ns
    return "torn" if is_torn or (replaced and holds(path, replaced)) else "foreign"
