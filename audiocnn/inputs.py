"""Finding the files of a kind in folders: nothing is passed over without a word.

What is no input is counted (files of other kinds, hidden ones, results of audiocnn itself), what cannot be
read is named. Links to folders are followed; a folder is searched once, however many links lead to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from audiocnn import files, records


@dataclass
class Found:
    """The input files at a path.

    Attributes:
        kind: what they are: "audio".
        paths: the files, sorted.
        n_others: files of other kinds.
        n_results: files and folders that audiocnn wrote.
        n_hidden: hidden files and folders.
        unreadable: subfolders, links, pipes and the like that could not be read.
    """

    kind: str
    paths: list[Path] = field(default_factory=list)
    n_others: int = 0
    n_results: int = 0
    n_hidden: int = 0
    unreadable: list[files.FileError] = field(default_factory=list)

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)

    def describe_skipped(self) -> str:
        """Describe what is no input: "12 files are no audio, 3 are hidden: skipped"; nothing: ""."""
        counts = {
            (f"no {self.kind}", f"no {self.kind}"): self.n_others,
            ("a result of audiocnn", "results of audiocnn"): self.n_results,
            ("hidden", "hidden"): self.n_hidden,
        }
        texts = [f"{n} is {one}" if n == 1 else f"{n} are {many}" for (one, many), n in counts.items() if n]
        if texts:
            texts[0] = texts[0].replace(" is ", " file is ", 1).replace(" are ", " files are ", 1)
        return f"{', '.join(texts)}: skipped" if texts else ""


def find_files(
    path: str | os.PathLike,
    suffixes: Collection[str],
    kind: str,
    error: Callable[[Path, object], files.FileError] = files.FileError,
) -> Found:
    """Find the files of a kind in a folder and the folders in it.

    Args:
        path: a folder; or a file, which is found whatever its name.
        suffixes: of the files, in lower case.
        kind: what they are, "audio", for messages.
        error: the error to raise.

    Returns:
        The files, with what was passed over.

    Raises:
        FileError: there is no such path, it is neither a file nor a folder, the folder cannot be read, or
            there is no such file in it.
    """
    path = Path(path)
    try:
        if not files.is_folder(path, path.stat(), error):
            return Found(kind, [path])
        os.scandir(path).close()
    except (OSError, ValueError) as reason:  # ValueError: a name with a null character
        raise error(path, _describe_failure(path, reason)) from reason
    found = Found(kind)
    _search(path, suffixes, found)
    found.paths.sort()
    if not found.paths:
        found.n_others = 0  # which this says already
        reasons = [f"no {kind} in this folder ({', '.join(sorted(suffixes))})", found.describe_skipped()]
        raise error(path, "; ".join(filter(None, [*reasons, *map(str, found.unreadable)])))
    return found


def _describe_failure(path: Path, error: Exception) -> str:
    """Describe why the system refused a path; of a link that leads nowhere, where it leads."""
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return f"links to {path.readlink()}, which does not exist"
    return files.describe_error(error) if isinstance(error, OSError) else str(error)


def _search(folder: Path, suffixes: Collection[str], found: Found) -> None:
    """Search a folder: real folders first, so that files have their own names, then those linked to."""
    folders, links, seen = [folder], [], set()
    while folders or links:
        one = folders.pop() if folders else links.pop()
        try:
            number = one.stat()
            if (number.st_dev, number.st_ino) in seen:
                continue
            seen.add((number.st_dev, number.st_ino))
            with os.scandir(one) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            found.unreadable.append(files.FileError(one, _describe_failure(one, error)))
            continue
        ours = records.list_recorded(one)
        for entry in entries:
            path = one / entry.name
            if entry.name == records.FOLDER:
                continue
            if entry.name.startswith("."):
                found.n_hidden += 1
            elif records.name_record(entry.name) in ours and _is_result(path):
                found.n_results += 1
            elif is_folder := _sort(path, suffixes, found):
                (links if entry.is_symlink() else folders).append(is_folder)


def _is_result(path: Path) -> bool:
    """Say whether what has a record is what audiocnn wrote, or somebody else's in its place."""
    try:
        return path.is_dir() or records.inspect(path)[0] != "foreign"
    except OSError:  # which its sorting names
        return False


def _sort(path: Path, suffixes: Collection[str], found: Found) -> Path | None:
    """Add a file to what is found; return a folder that is still to be searched."""
    try:
        if files.is_folder(path, path.stat(), files.FileError):
            if path.is_symlink() and path.resolve() in path.parent.resolve().joinpath("x").parents:
                raise files.FileError(path, "links to a folder that it lies in")
            return path
    except files.FileError as error:
        found.unreadable.append(error)
    except OSError as error:
        found.unreadable.append(files.FileError(path, _describe_failure(path, error)))
    else:
        if path.suffix.lower() in suffixes:
            found.paths.append(path)
        else:
            found.n_others += 1
    return None
