"""A path -> the clips there, and one line on what they are and what was left out.

Place in the flow: the first step of every verb that reads clips. A file is a manifest, a folder the data set
whose layout it has (`layouts`), else a folder per class (`sources`). What is recognised uses most of the
folder's sound files: nothing is dropped by a wrong guess.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

from audiocnn import audio, files, inputs
from audiocnn.datasets.clips import shards
from audiocnn.datasets.clips.layouts import list_layouts
from audiocnn.datasets.clips.manifest import read_manifest
from audiocnn.datasets.clips.sources import FOLDER, Clip, FoundClips, read_folder, read_mirdata
from audiocnn.ranges import ArgumentError

MIRDATA = "mirdata:"  # before the name of a data set that mirdata reads


def find_clips(path: str | Path, layout: str | None = None) -> FoundClips:
    """Find the clips at a path.

    Args:
        path: a manifest where it is a file, else the folder of a data set, else a folder per class.
        layout: one of `list_layouts`, mirdata:NAME (see `read_mirdata`), or folder for a folder per class;
            recognised when None.

    Returns:
        The clips, with their split and group where the data set says them; and what was left out.

    Raises:
        ArgumentError: there is no such layout, or it is given for a manifest.
        files.FileError: the path holds no such data set, shards, or it is not clear what.
    """
    path = Path(path)
    if (path / shards.INDEX).is_file():
        way = f"audiocnn test --config CONFIG --ckpt_path last --data.path {shlex.quote(str(path))}"
        raise files.FileError(path, f"holds shards, which `{way}` reads; expected the clips that they hold")
    if layout is not None and layout.startswith(MIRDATA):
        return _with_notes(read_mirdata(layout.removeprefix(MIRDATA), path))
    layouts = list_layouts()
    if layout not in (None, FOLDER, *layouts):
        raise ArgumentError(f"layout is {layout!r}, expected {FOLDER}, {', '.join(layouts)} or {MIRDATA}NAME")
    if path.is_file():
        if layout is not None:
            raise ArgumentError(f"layout is {layout!r}, expected none: {path} is a file, a manifest")
        return _with_notes(FoundClips(path, "manifest", read_manifest(path)))
    layout = layout or recognise_layout(path)
    if layout == FOLDER:
        return _with_notes(read_folder(path))
    found = FoundClips(path, layout, _read(layout, path))
    if not found.clips:
        raise files.FileError(path, f"holds no clips of {layout}, expected {layouts[layout].sign}")
    return _with_notes(found)


def recognise_layout(path: Path) -> str:
    """Recognise a data set by the content of its folder.

    Args:
        path: a folder.

    Returns:
        The layout whose sign is there and which uses more than half of the folder's sound files; `FOLDER`
        where no sign is there.

    Raises:
        files.FileError: no or more than one layout uses so many.
    """
    signs = [name for name, layout in list_layouts().items() if any(path.glob(layout.sign))]
    if not signs:
        return FOLDER
    sounds = {*_find_sounds(path)}
    used = {name: len(sounds & {clip.path for clip in _read(name, path)}) for name in signs}
    fitting = [name for name, count in used.items() if 2 * count > len(sounds)]
    if len(fitting) != 1:
        counts = ", ".join(f"{name} uses {count}" for name, count in used.items())
        way = (
            f"layout={signs[0]} or another of `audiocnn data list`, or layout={FOLDER} for a folder per class"
        )
        question = f"which data set is it? Of {len(sounds)} sound files {counts}; say it by {way}"
        raise files.FileError(path, question)
    return fitting[0]


def _read(layout: str, path: Path) -> list[Clip]:
    try:
        return list_layouts()[layout].read(path)
    except files.FileError as error:
        raise files.FileError(path, f"not readable as {layout}: {error}; see layout={FOLDER}") from error
    except Exception as error:  # a damaged table may raise anything
        reason = f"{type(error).__name__}: {error}"
        raise files.FileError(path, f"not readable as {layout} ({reason}); see layout={FOLDER}") from error


def _find_sounds(path: Path) -> inputs.Found:
    try:
        return audio.find_recordings(path)
    except audio.AudioError:  # there are none
        return inputs.Found("audio")


def _with_notes(found: FoundClips) -> FoundClips:
    """Add what a user may not expect: files that are not used, and what is peculiar about the clips."""
    clips, folder = found.clips, found.path if found.path.is_dir() else found.path.parent
    sounds = inputs.Found("audio") if found.path.is_file() else _find_sounds(found.path)
    unused = {*sounds} - {clip.path for clip in clips}
    way = "" if found.layout == FOLDER else f" (layout={FOLDER} takes all, a folder for each class)"
    counts = {
        f"of {len(sounds.paths)} sound files are not used{way}": len(unused),
        "clips are listed more than once, and count so often": len(clips) - len({*clips}),
        "clips are outside of the folder": sum(not _is_below(clip.path, folder) for clip in clips),
    }
    notes = [f"{count} {what}" for what, count in counts.items() if count]
    if found.layout == FOLDER and (skipped := sounds.describe_skipped()):
        notes.append(skipped)
    notes += [f"not readable: {error}" for error in sounds.unreadable]
    return replace(found, notes=(*found.notes, *notes))


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))
