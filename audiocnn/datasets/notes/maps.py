"""MAPS piano recordings -> a cache of 16 kHz recordings with their notes.

Rate: 16 kHz mono. Count: 121 recordings without the reserved ones where the FLAC copies of the public
repository jongwook/onsets-and-frames are read (100 train, 21 validation); the whole set's single notes and
chords are not read.
Split rule: by piano. AkPnCGdD is validation; the Disklavier recordings ENSTDkAm and ENSTDkCl are the test set
of the literature and are left out, and so is every composition that is played in them; the rest is train.
Labels: onset and offset with the pedal, from the .tsv beside a recording, else from its .mid, else .txt.
Licence: CC BY-NC-SA (Emiya, Badeau and David 2010).
"""

from pathlib import Path

import numpy as np
from rich.progress import track

from audiocnn import audio, files, midi
from audiocnn.datasets import preparing
from audiocnn.datasets.notes import cache

TEST_PIANOS = ("ENSTDkAm", "ENSTDkCl")
VALIDATION_PIANO = "AkPnCGdD"
PREFIX = "MAPS_MUS-"
UNKNOWN_VELOCITY = 64  # the .txt annotations have none


def prepare_maps(source: Path, out: Path) -> int:
    """Write the recordings of MAPS to a cache, without those that are there already.

    Args:
        source: folder of MAPS, searched recursively.
        out: folder of the cache; gets the folders train and validation.

    Returns:
        The number of recordings written.

    Raises:
        FileError: the source holds no recording that may be used; or recordings failed, which the message
            names.
    """
    found = find_maps(Path(source))
    split = split_by_piano(found)
    counts = f"{len(split)} of {len(found)} recordings are used"
    print(f"{source}: {counts}; other ones and their pieces are reserved")
    if not split:
        raise files.FileError(
            source, f"no MAPS recordings (found no {PREFIX}*.flac or .wav that may be used)"
        )
    todo = [(path, Path(out, part, path.stem)) for path, part in split.items()]
    todo = [(path, stem) for path, stem in todo if not cache.recording_exists(stem)]
    reasons = []
    for path, stem in track(todo, "MAPS", disable=not todo):
        try:
            waveform, notes = audio.load(path, cache.SAMPLE_RATE), read_labels(path)
        except files.FileError as error:
            reasons.append(str(error))
        else:
            cache.write_recording(stem, waveform, notes)
    preparing.raise_failures(out, reasons, len(todo))
    return len(todo)


def find_maps(source: Path) -> list[Path]:
    """Find the music recordings under a folder.

    Args:
        source: folder of MAPS.

    Returns:
        The recordings, sorted by name.
    """
    found = [path for path in source.rglob(f"{PREFIX}*") if path.suffix in (".flac", ".wav")]
    return sorted(found, key=lambda path: path.name)


def parse_name(path: Path) -> tuple[str, str]:
    """Return the composition and the piano: ("bach_846", "AkPnBcht") for MAPS_MUS-bach_846_AkPnBcht.wav.

    Args:
        path: of a recording.
    """
    work, _, piano = path.stem.removeprefix(PREFIX).rpartition("_")
    return work, piano


def split_by_piano(paths: list[Path]) -> dict[Path, str]:
    """Split recordings by their piano.

    Args:
        paths: of recordings.

    Returns:
        "train" or "validation" for each recording that may be used.
    """
    reserved = {work for work, piano in map(parse_name, paths) if piano in TEST_PIANOS}
    split = {}
    for path in paths:
        work, piano = parse_name(path)
        if piano not in TEST_PIANOS and work not in reserved:
            split[path] = "validation" if piano == VALIDATION_PIANO else "train"
    return split


def read_labels(path: Path) -> np.ndarray:
    """Read the notes of a recording, offsets with the pedal.

    Args:
        path: of the recording.

    Returns:
        (notes, 4) as in `midi.Part`.

    Raises:
        files.FileError: the labels are missing or damaged.
    """
    if path.with_suffix(".tsv").exists():
        return _read_table(path.with_suffix(".tsv"), n_header=0, n_columns=4)
    if path.with_suffix(".mid").exists():
        parts = midi.read_parts(path.with_suffix(".mid"))
        return midi.merge_notes([midi.sustain(part.notes, part.pedal) for part in parts])
    rows = _read_table(path.with_suffix(".txt"), n_header=1, n_columns=3)
    return np.column_stack([rows, np.full(len(rows), UNKNOWN_VELOCITY)])


def _read_table(path: Path, n_header: int, n_columns: int) -> np.ndarray:
    try:
        lines = path.read_text(encoding="utf-8").replace(",", "\t").splitlines()[n_header:]
        rows = [line.split()[:n_columns] for line in lines if line.strip() and not line.startswith("#")]
        return np.array(rows, float).reshape(-1, n_columns)
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    except ValueError as error:
        raise files.FileError(path, f"no table of {n_columns} numbers a line ({error})") from error
