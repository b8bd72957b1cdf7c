"""Clips with labels, from a folder per class or any clip data set of mirdata.

Place in the flow: data on disk -> a list of `Clip`, which `layouts` reads for data sets by name and
`manifest` from tables, `splits` divides and `loader` makes batches of. No sound is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocnn import audio, files
from audiocnn.labels import UNKNOWN
from audiocnn.ranges import ArgumentError

FOLDER = "folder"  # the layout of a folder per class
SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


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
        digest: of the file's content (`record.compute_digest`), where it was read already.
    """

    path: Path
    labels: tuple[str, ...]
    start_s: float = 0.0
    end_s: float | None = None
    split: str | None = None
    group: str | None = None
    digest: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(label for label in self.labels if label != UNKNOWN))


@dataclass(frozen=True)
class FoundClips:
    """The clips at a path; as a text, one line that says what they are and what was left out.

    Args:
        path: that was read.
        layout: that it was read as.
        clips: that were found.
        notes: what was left out or is unusual, each with its count.
    """

    path: Path
    layout: str
    clips: list[Clip]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        n_files = len({clip.path for clip in self.clips})
        n_labels = len({label for clip in self.clips for label in clip.labels})
        n_without = sum(not clip.labels for clip in self.clips)
        counts = f"{len(self.clips)} clips of {n_files} files, {n_labels} labels"
        counts += f", {n_without} clips without" if n_without else ""
        return "; ".join([f"{self.path}: {counts}, read as {self.layout}", *self.notes])


def parse_split(word: str) -> str:
    """Translate a data set's name of a split: "train" for "Training" and "split01_train".

    Args:
        word: in upper or lower case, with anything before an underscore.

    Returns:
        One of `SPLITS`.

    Raises:
        ArgumentError: another word.
    """
    name = word.lower().rpartition("_")[2]
    if name not in SPLIT_NAMES:
        raise ArgumentError(f"split is {word!r}, expected one of {', '.join(SPLIT_NAMES)}")
    return SPLIT_NAMES[name]


def read_folder(path: Path) -> FoundClips:
    """Read the clips of a folder per class.

    Args:
        path: holds a folder for each class, or folders train, validation and test that do.

    Returns:
        A clip for each audio file, whose label is the name of its folder; a note on each folder without
        audio.

    Raises:
        files.FileError: there is no class with audio in it, or folders of parts lie beside others.
    """
    path, notes = Path(path), []
    folders = _folders(path)
    parts = [folder for folder in folders if folder.name.lower() in SPLIT_NAMES]
    if not parts:
        return FoundClips(path, FOLDER, _classes(path, None, notes), tuple(notes))
    if len(parts) < len(folders):
        others = next(folder.name for folder in folders if folder not in parts)
        raise files.FileError(
            path, f"has the folder {parts[0].name!r} beside {others!r}, expected parts or classes, not both"
        )
    clips = [clip for folder in folders for clip in _classes(folder, parse_split(folder.name), notes)]
    return FoundClips(path, FOLDER, clips, tuple(notes))


def _classes(path: Path, split: str | None, notes: list[str]) -> list[Clip]:
    """The clips of a folder's classes; what is no class is added to the notes."""
    folders, clips, errors = _folders(path), [], []
    if not folders:
        raise files.FileError(path, "holds no folders, expected one for each class, with audio in it")
    for folder in folders:
        try:
            clips += [Clip(file, (folder.name,), split=split) for file in audio.find_recordings(folder)]
        except audio.AudioError as error:
            errors.append(error)
    if not clips:
        raise errors[0]
    notes += [f"no class: {error}" for error in errors]
    return clips


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error


# Attributes of mirdata's tracks that hold the labels, the split and the group.
LABEL_NAMES = ("genre", "genres", "instrument", "instruments", "instrument_full", "tags")
SPLIT_ATTRIBUTES = ("split", "subset")
GROUP_NAMES = ("artist", "song_id", "player_id", "singer_id")


def read_mirdata(name: str, path: Path) -> FoundClips:
    """Read the clips of a data set of mirdata.

    Args:
        name: of the data set. A track's labels are the attribute after a dot (`openmic2018.instruments`),
            else the first of `LABEL_NAMES` that says something; its group is the first of `GROUP_NAMES`.
        path: where the data set lies, unpacked as mirdata unpacks it.

    Returns:
        A clip for each track that has sound and a label.

    Raises:
        ArgumentError: mirdata has no such data set.
        files.FileError: mirdata is not installed, or cannot read the data set; or none of its tracks has
            sound and a label.
    """
    try:
        import mirdata  # pyright: ignore[reportMissingImports], an extra
    except ModuleNotFoundError as error:
        raise files.FileError(path, "needs mirdata: pip install 'audiocnn[mirdata]'") from error
    name, _, attribute = name.partition(".")
    label_names = (attribute,) if attribute else LABEL_NAMES
    if name not in mirdata.list_datasets():
        raise ArgumentError(f"mirdata has no data set {name!r}, expected one of mirdata.list_datasets()")
    try:
        tracks = mirdata.initialize(name, data_home=str(path)).load_tracks()
        found = [_track(track, label_names) for track in tracks.values()]
    except (
        Exception
    ) as error:  # each of its loaders fails in its own way: without its index, with half a table
        raise files.FileError(path, f"mirdata cannot read {name}: {error or type(error).__name__}") from error
    clips = [clip for clip in found if clip]
    without = f"{len(found) - len(clips)} of {len(found)} tracks have no sound or no label"
    if not clips:
        raise files.FileError(path, f"{name}: {without} ({', '.join(label_names)})")
    return FoundClips(path, f"mirdata:{name}", clips, (without,) if len(clips) < len(found) else ())


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
