"""MAPS piano recordings -> a cache of 16 kHz recordings with their notes.

Rate: 16 kHz mono. Count: 121 recordings without the reserved ones where the FLAC copies of the public
repository jongwook/onsets-and-frames are read (100 train, 21 validation); the whole set's single notes and
chords are not read.
Split rule: by piano. AkPnCGdD is validation; the Disklavier recordings ENSTDkAm and ENSTDkCl are the test set
of the literature and are left out, and so is every piece that is played in them; the rest is train.
Labels: onset and offset with the pedal, from the .tsv beside a recording, else from its .mid, else .txt.
Licence: CC BY-NC-SA (Emiya, Badeau and David 2010).
"""

from pathlib import Path

import numpy as np
from rich.progress import track

from audiocnn import audio, midi
from audiocnn.datasets.notes import cache

TEST_PIANOS = ("ENSTDkAm", "ENSTDkCl")
VALIDATION_PIANO = "AkPnCGdD"
PREFIX = "MAPS_MUS-"
UNKNOWN_VELOCITY = 64  # the .txt annotations have none


def prepare(source: Path, out: Path) -> int:
    """Returns the number of recordings written to OUT/{train,validation}; those already there are skipped.

    Args:
        source: the folder of MAPS, searched for its recordings.
        out: the cache, a folder.

    Raises:
        ValueError: source holds no recording that may be used.
    """
    split = split_by_piano(recordings(Path(source)))
    if not split:
        raise ValueError(f"{source}: no MAPS recordings (found no {PREFIX}*.flac or .wav that may be used)")
    todo = [(path, Path(out, part, path.stem)) for path, part in split.items()]
    todo = [(path, stem) for path, stem in todo if not cache.exists(stem)]
    for path, stem in track(todo, "MAPS", disable=not todo):
        cache.write(stem, audio.load(path, cache.SAMPLE_RATE), read_notes(path))
    return len(todo)


def recordings(source: Path) -> list[Path]:
    """Returns the music recordings under a folder, sorted by name."""
    found = [path for path in source.rglob(f"{PREFIX}*") if path.suffix in (".flac", ".wav")]
    return sorted(found, key=lambda path: path.name)


def piece_and_piano(path: Path) -> tuple[str, str]:
    """Returns ("bach_846", "AkPnBcht") for MAPS_MUS-bach_846_AkPnBcht.wav."""
    piece, _, piano = path.stem.removeprefix(PREFIX).rpartition("_")
    return piece, piano


def split_by_piano(paths: list[Path]) -> dict[Path, str]:
    """Returns "train" or "validation" for each recording that may be used, by its piano."""
    reserved = {piece for piece, piano in map(piece_and_piano, paths) if piano in TEST_PIANOS}
    split = {}
    for path in paths:
        piece, piano = piece_and_piano(path)
        if piano not in TEST_PIANOS and piece not in reserved:
            split[path] = "validation" if piano == VALIDATION_PIANO else "train"
    return split


def read_notes(path: Path) -> np.ndarray:
    """Returns the notes of a recording, offsets with the pedal: (notes, 4) as in `midi.Part`."""
    if path.with_suffix(".tsv").exists():
        text = path.with_suffix(".tsv").read_text().replace(",", "\t")
        return np.loadtxt(text.splitlines(), ndmin=2)[:, :4]
    if path.with_suffix(".mid").exists():
        parts = midi.read_parts(path.with_suffix(".mid"))
        return midi.merge_notes([midi.sustain(part.notes, part.pedal) for part in parts])
    rows = np.loadtxt(path.with_suffix(".txt"), skiprows=1, ndmin=2)[:, :3]
    return np.column_stack([rows, np.full(len(rows), UNKNOWN_VELOCITY)])
