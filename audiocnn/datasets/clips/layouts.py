"""Clip data sets by name, as they lie on disk when their archives are unpacked.

A row of `LAYOUTS` is a data set's card and the function that reads it; `finding` recognises which it is.
Another package adds one by an entry point, in its pyproject.toml
`[project.entry-points."audiocnn.layouts"]` and below it `my_songs = "my_package.data:MY_SONGS"`, a `Layout`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path

from audiocnn import audio, files
from audiocnn.datasets.clips.sources import Clip, parse_split


@dataclass(frozen=True)
class Layout:
    """A data set's card.

    Args:
        read: its folder -> clips.
        sign: path or pattern by which the data set's folder is recognised.
        what: description of its clips.
        count: number of clips.
        rate: sample rate of its files, in Hz.
        size: on disk.
        licence: of the files.
        split: the split that is used, and its origin.
        source: where to get it.
    """

    read: Callable[[Path], list[Clip]]
    sign: str
    what: str
    count: str
    rate: int
    size: str
    licence: str
    split: str
    source: str


@cache
def list_layouts() -> dict[str, Layout]:
    """List the data sets by name: `LAYOUTS`, then those of installed packages."""
    announced = {entry.name: entry.load() for entry in entry_points(group="audiocnn.layouts")}
    return {**announced, **LAYOUTS}


# GTZAN, whole and as the crops of a few tracks. A name is GENRE.NUMBER.

GTZAN_SPLIT = Path(__file__).with_name("gtzan_fault_filtered.tsv")
CROPS = {"train": range(10, 41), "validation": range(41, 51)}  # below 10: kept for the final measurement


def read_gtzan(path: Path) -> list[Clip]:
    """Read GTZAN with the artist- and fault-filtered split; the 70 tracks that are not in it are left out.

    Args:
        path: folder of the unpacked data set.

    Returns:
        A clip for each track.
    """
    splits = {row["track"]: row["split"] for row in _table(GTZAN_SPLIT, "\t")}
    return [
        Clip(file, (genre,), split=splits[name])
        for name, genre, _, file in _gtzan_files(path)
        if name in splits
    ]


def read_gtzan_crops(path: Path) -> list[Clip]:
    """Read GTZAN's crops: tracks 10 to 40 of each genre to train on, 41 to 50 to validate on; no others.

    Args:
        path: folder of the unpacked data set.

    Returns:
        A clip for each track.
    """
    return [
        Clip(file, (genre,), split=split)
        for _, genre, number, file in _gtzan_files(path)
        for split, numbers in CROPS.items()
        if number in numbers
    ]


def _gtzan_files(path: Path) -> Iterator[tuple[str, str, int, Path]]:
    """Name, genre, number and file of each track."""
    for file in audio.find_recordings(path):
        if match := re.fullmatch(r"([a-z]+)\.(\d{5})", file.stem):
            yield file.stem, match[1], int(match[2]), file


# FMA. Its table has two lines of names above its columns.

FMA_COLUMNS = (("artist", "id"), ("set", "split"), ("set", "subset"), ("track", "genre_top"))
FMA_SUBSETS = {
    "small": {"small"},
    "medium": {"small", "medium"},
    "large": {"small", "medium", "large"},
    "full": {"small", "medium", "large"},
}


def read_fma(path: Path, size: str) -> list[Clip]:
    """Read the tracks of fma_SIZE that have a top genre, by fma_metadata/tracks.csv beside it.

    Args:
        path: folder of the unpacked data set.
        size: one of `FMA_SUBSETS`.

    Returns:
        A clip for each track.
    """
    with open(_file(path, "fma_metadata/tracks.csv"), newline="", encoding="utf-8") as table:
        reader = csv.reader(table)
        columns = list(zip(next(reader), next(reader), strict=True))
        at = {name: columns.index(name) for name in FMA_COLUMNS}
        rows = [[row[0], *(row[at[name]] for name in FMA_COLUMNS)] for row in reader if row[0].isdigit()]
    return [
        Clip(
            path / f"fma_{size}" / f"{int(track):06d}"[:3] / f"{int(track):06d}.mp3",
            (genre,),
            split=parse_split(split),
            group=artist,
        )
        for track, artist, split, subset, genre in rows
        if subset in FMA_SUBSETS[size] and genre
    ]


# IRMAS. Training excerpts of one recording are [cel][nod][cla]0008__1.wav, 0008__2.wav ...; a testing excerpt
# SONG-3.wav has its labels in SONG-3.txt.

IRMAS_LABELS = {
    "cel": "cello",
    "cla": "clarinet",
    "flu": "flute",
    "gac": "acoustic guitar",
    "gel": "electric guitar",
    "org": "organ",
    "pia": "piano",
    "sax": "saxophone",
    "tru": "trumpet",
    "vio": "violin",
    "voi": "voice",
}


def read_irmas(path: Path) -> list[Clip]:
    """Read IRMAS: training excerpts with one label, testing excerpts with one or more.

    Args:
        path: folder of the unpacked data set.

    Returns:
        A clip for each excerpt.
    """
    found = []
    for file in audio.find_recordings(path / "IRMAS-TrainingData"):
        recording = file.stem.rpartition("]")[2].partition("__")[0]
        found.append(Clip(file, (IRMAS_LABELS[file.parent.name],), split="train", group=f"train {recording}"))
    for file in sorted(path.glob("IRMAS-TestingData-Part*/**/*.wav")):
        labels = file.with_suffix(".txt").read_text().split()
        recording = re.sub(r"-\d+$", "", file.stem)
        names = tuple(IRMAS_LABELS[label] for label in labels)
        found.append(Clip(file, names, split="test", group=f"test {recording}"))
    return found


def read_openmic(path: Path) -> list[Clip]:
    """Read OpenMIC: clips with the instruments of a relevance above a half; those not asked for are absent.

    Args:
        path: folder of the unpacked data set.

    Returns:
        A clip for each clip.
    """
    labels: dict[str, list[str]] = {}
    for row in _table(_file(path, "openmic-2018-aggregated-labels.csv")):
        present = labels.setdefault(row["sample_key"], [])
        if float(row["relevance"]) > 0.5:
            present.append(row["instrument"])
    return [
        Clip(path / "audio" / key[:3] / f"{key}.ogg", tuple(labels[key]), split=split, group=key[:6])
        for split in ("train", "test")
        for key in _file(path, f"partitions/split01_{split}.csv").read_text().split()
    ]


def read_nsynth(path: Path) -> list[Clip]:
    """Read NSynth: notes whose label is the family of their instrument and whose group is the instrument.

    Args:
        path: folder of the unpacked data set.

    Returns:
        A clip for each note.
    """
    return [
        Clip(
            path / folder / "audio" / f"{name}.wav",
            (note["instrument_family_str"],),
            split=parse_split(folder.removeprefix("nsynth-")),
            group=note["instrument_str"],
        )
        for folder in ("nsynth-train", "nsynth-valid", "nsynth-test")
        if (path / folder).is_dir()
        for name, note in json.loads(_file(path, f"{folder}/examples.json").read_text()).items()
    ]


def read_medley_solos(path: Path) -> list[Clip]:
    """Read Medley-solos-DB: excerpts of solos whose group is the song.

    Args:
        path: folder of the unpacked data set.

    Returns:
        A clip for each excerpt.
    """
    tables = path.glob("**/Medley-solos-DB_metadata.csv")
    table = next(tables, None) or _file(path, "Medley-solos-DB_metadata.csv")
    sounds = {file.name: file for file in path.glob("**/Medley-solos-DB_*.wav")}
    found = []
    for row in _table(table):
        name = f"Medley-solos-DB_{row['subset']}-{row['instrument_id']}_{row['uuid4']}.wav"
        file, song = sounds.get(name, table.parent / name), row["song_id"]
        found.append(Clip(file, (row["instrument"],), split=parse_split(row["subset"]), group=song))
    return found


def _table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _file(path: Path, name: str) -> Path:
    if not (path / name).is_file():
        raise files.FileError(path, f"has no {name}")
    return path / name


def _fma(size: str, count: str, gigabytes: str) -> Layout:
    return Layout(
        read=partial(read_fma, size=size),
        sign=f"fma_{size}",
        what="music of independent artists, mp3, by its top genre" + (", whole" if size == "full" else ""),
        count=count,
        rate=44_100,
        size=gigabytes,
        licence="each track its own Creative Commons licence; table CC BY 4.0",
        split="the authors': 80, 10 and 10 %, artists kept whole",
        source="github.com/mdeff/fma: fma_metadata.zip and fma_" + size + ".zip, unpacked side by side",
    )


LAYOUTS = {
    "gtzan": Layout(
        read=read_gtzan,
        sign="**/blues/blues.00099.*",
        what="10 genres, 30 s a track, mono",
        count="1000 tracks, of which 930 are used",
        rate=22_050,
        size="1.2 GB",
        licence="none stated",
        split="443, 197 and 290 tracks without faults, artists kept whole (Kereliuk, Sturm and Larsen 2015)",
        source="genres.tar.gz of Tzanetakis and Cook 2002",
    ),
    "gtzan_crops": Layout(
        read=read_gtzan_crops,
        sign="**/blues/blues.00050.*",
        what="GTZAN, one crop of 2.1 to 3 s a track, mono",
        count="410 tracks",
        rate=22_050,
        size="46 MB",
        licence="none stated",
        split="tracks 00010 to 00040 of each genre train, 00041 to 00050 validation; artists are not known",
        source="see data/README.md",
    ),
    "fma_small": _fma("small", "8,000 tracks of 30 s, 8 genres", "7.2 GiB"),
    "fma_medium": _fma("medium", "25,000 tracks of 30 s, 16 genres", "22 GiB"),
    "fma_large": _fma("large", "106,574 tracks of 30 s, of which those with a top genre are used", "93 GiB"),
    "fma_full": _fma("full", "106,574 tracks, of which those with a top genre are used", "879 GiB"),
    "irmas": Layout(
        read=read_irmas,
        sign="IRMAS-TrainingData",
        what="11 instruments: 3 s with one of them in front; testing 5 to 20 s with one or more, stereo",
        count="6,705 training and 2,874 testing excerpts",
        rate=44_100,
        size="10 GB",
        licence="CC BY-NC-SA 3.0",
        split="the authors' training and testing; validation is cut from training, recordings kept whole",
        source="zenodo.org/records/1290750: IRMAS-TrainingData.zip, IRMAS-TestingData-Part{1,2,3}.zip",
    ),
    "openmic": Layout(
        read=read_openmic,
        sign="openmic-2018-aggregated-labels.csv",
        what="OpenMIC-2018: 20 instruments, 10 s, one or more a clip, not all of them asked for in each clip",
        count="20,000 clips",
        rate=44_100,
        size="2.6 GB",
        licence="CC BY 4.0",
        split="the authors' split01, train and test; validation is cut from train, tracks kept whole",
        source="zenodo.org/records/1432913: openmic-2018-v1.0.0.tgz",
    ),
    "nsynth": Layout(
        read=read_nsynth,
        sign="nsynth-*/examples.json",
        what="single notes of 11 families of instruments, 4 s, mono",
        count="289,205, 12,678 and 4,096 notes of 1,006 instruments",
        rate=16_000,
        size="30 GB",
        licence="CC BY 4.0",
        split="the authors': no instrument of train is in another part; validation and test share theirs",
        source="magenta.tensorflow.org/datasets/nsynth: nsynth-{train,valid,test}.jsonwav.tar.gz",
    ),
    "medley_solos": Layout(
        read=read_medley_solos,
        sign="**/Medley-solos-DB_metadata.csv",
        what="Medley-solos-DB: 8 instruments playing alone, 3 s, mono",
        count="21,571 excerpts",
        rate=44_100,
        size="5.6 GB",
        licence="CC BY 4.0",
        split="the authors': training and validation from MedleyDB by song, test from solosDB",
        source="zenodo.org/records/3464194: Medley-solos-DB.tar.gz, Medley-solos-DB_metadata.csv",
    ),
}
