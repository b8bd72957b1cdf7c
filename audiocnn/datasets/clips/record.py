"""The split that a training drew, by the content of its files: it is known again wherever they lie.

Place in the flow: `loader` draws a split and hands this record of it to the checkpoint; a model file keeps it
(`models.file`), so that `audiocnn evaluate` can leave out what a model was trained on. A record holds, for
each part, the digests of its files.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from audiocnn import files
from audiocnn.datasets.clips.sources import SPLITS, Clip

N_DIGITS = 16  # of a digest, 64 bits: a million files have two of the same by a chance of 3e-8

Record = Mapping[str, Sequence[str]]  # part -> digests


def compute_digest(path: Path) -> str:
    """Compute a digest of a file's content.

    Args:
        path: of the file.

    Returns:
        `N_DIGITS` hexadecimal digits of its SHA-256.

    Raises:
        files.FileError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:N_DIGITS]
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error


def record_split(clips: Iterable[Clip]) -> dict[str, list[str]]:
    """Record the split of clips.

    Args:
        clips: with their split and digest.

    Returns:
        The digests of each part's files, sorted; a file with clips in two parts is in the first of `SPLITS`.
    """
    part_of: dict[Path, tuple[str, str]] = {}
    for clip in sorted(clips, key=lambda clip: SPLITS.index(clip.split or SPLITS[0])):
        if clip.digest:
            part_of.setdefault(clip.path, (clip.split or SPLITS[0], clip.digest))
    return {part: sorted(digest for own, digest in part_of.values() if own == part) for part in SPLITS}


def apply_records(clips: Sequence[Clip], records: Sequence[Record]) -> list[Clip]:
    """Give clips the split that trainings drew.

    Args:
        clips: with their digests.
        records: of trainings; where they differ, the first of `SPLITS` holds.

    Returns:
        The clips; those that are in no record keep the split that they have.
    """
    parts = [_find_parts(clips, record) for record in records]
    found = {
        path: min((part[path] for part in parts if path in part), key=SPLITS.index)
        for path in {path for part in parts for path in part}
    }
    return [replace(clip, split=found.get(clip.path, clip.split)) for clip in clips]


def merge_records(records: Sequence[Record]) -> dict[str, list[str]]:
    """Merge the records of trainings whose weights are averaged.

    Args:
        records: of the trainings.

    Returns:
        The digests of all, each in one part: the first of `SPLITS` that one of the records has it in.
    """
    part_of: dict[str, str] = {}
    for part in SPLITS:
        for record in records:
            for digest in record.get(part, ()):
                part_of.setdefault(digest, part)
    return {part: sorted(digest for digest, own in part_of.items() if own == part) for part in SPLITS}


def _find_parts(clips: Sequence[Clip], record: Record) -> dict[Path, str]:
    """The part of each file in a record; of copies, as many are in each part as were, others in the first."""
    places: dict[str, deque[str]] = defaultdict(deque)
    for part in SPLITS:
        for digest in record.get(part, ()):
            places[digest].append(part)
    found: dict[Path, str] = {}
    firsts = {digest: parts[0] for digest, parts in places.items()}
    for path, digest in sorted({(clip.path, clip.digest) for clip in clips if clip.digest in places}):
        found[path] = places[digest].popleft() if places[digest] else firsts[digest]
    return found


def add_digests(clips: Sequence[Clip]) -> list[Clip]:
    """Give clips the digests of their files.

    Args:
        clips: of files.

    Returns:
        The clips; those of a file that cannot be read stay without.
    """
    digests: dict[Path, str | None] = {}
    for path in {clip.path for clip in clips}:
        with contextlib.suppress(files.FileError):  # reported where its sound is read
            digests[path] = compute_digest(path)
    return [replace(clip, digest=digests.get(clip.path)) for clip in clips]
