"""The layouts, each on a miniature of the data set as its archives unpack, with real sound files of 0.3 s."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import files
from audiocnn.datasets.clips.layouts import GTZAN_SPLIT, LAYOUTS, read_clips, recognise_layout
from audiocnn.datasets.clips.splits import find_leaks, split_clips

RATE = 8_000


def sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(2400) / 5), RATE)


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def gtzan(folder: Path) -> None:
    for name in ("blues.00000", "blues.00012", "blues.00029", "blues.00099", "pop.12345"):
        sound(folder / "genres" / name.partition(".")[0] / f"{name}.wav")


def gtzan_crops(folder: Path) -> None:
    for number in (5, 9, 10, 40, 41, 50, 51):
        sound(folder / "blues" / f"blues.{number:05d}.wav")


def fma(folder: Path) -> None:
    text(
        folder / "fma_metadata" / "tracks.csv",
        ",album,artist,set,set,track,track",
        ",id,id,split,subset,genre_top,title",
        "track_id,,,,,,",
        '2,1,11,training,small,Hip-Hop,"Food, again"',
        "141,1,12,validation,small,Folk,x",
        "1042,1,13,test,medium,Rock,x",
        "155001,1,14,training,large,,x",
        "155002,1,15,training,large,Jazz,x",
    )
    for size in ("small", "medium", "large", "full"):
        for number in ("000002", "000141", "001042", "155002"):
            sound(folder / f"fma_{size}" / number[:3] / f"{number}.mp3")


def irmas(folder: Path) -> None:
    training = folder / "IRMAS-TrainingData"
    for name in (
        "cel/[cel][nod][cla]0008__1",
        "cel/[cel][nod][cla]0008__2",
        "voi/[voi][dru][pop_roc]0112__3",
    ):
        sound(training / f"{name}.wav")
    testing = folder / "IRMAS-TestingData-Part1" / "Part1" / "02 - And The Body Will Die-8.wav"
    sound(testing)
    text(testing.with_suffix(".txt"), "gel\t", "voi\t")


def openmic(folder: Path) -> None:
    text(
        folder / "openmic-2018-aggregated-labels.csv",
        "sample_key,instrument,relevance,num_responses",
        "000046_3840,clarinet,0.17,3",
        "000046_3840,flute,0.9,3",
        "000046_3840,voice,1.0,3",
        "000178_3840,piano,0.4,3",
    )
    text(folder / "partitions" / "split01_train.csv", "000046_3840")
    text(folder / "partitions" / "split01_test.csv", "000178_3840")
    for key in ("000046_3840", "000178_3840"):
        sound(folder / "audio" / "000" / f"{key}.ogg")


def nsynth(folder: Path) -> None:
    for part, instrument in (
        ("train", "bass_synthetic_033"),
        ("valid", "flute_acoustic_000"),
        ("test", "flute_acoustic_000"),
    ):
        family = instrument.partition("_")[0]
        name = f"{instrument}-022-050"
        note = {"note_str": name, "instrument_str": instrument, "instrument_family_str": family}
        text(folder / f"nsynth-{part}" / "examples.json", json.dumps({name: note}))
        sound(folder / f"nsynth-{part}" / "audio" / f"{name}.wav")


def medley_solos(folder: Path) -> None:
    rows = [("training", "violin", 7, 3), ("validation", "flute", 3, 210), ("test", "flute", 3, 211)]
    lines = [f"{part},{name},{number},{song},uuid{song}" for part, name, number, song in rows]
    text(folder / "Medley-solos-DB_metadata.csv", "subset,instrument,instrument_id,song_id,uuid4", *lines)
    for part, _, number, song in rows:
        sound(folder / "Medley-solos-DB" / f"Medley-solos-DB_{part}-{number}_uuid{song}.wav")


# layout -> what makes its miniature, and (file, labels, split, group) of each clip
MINIATURES = {
    "gtzan": (
        gtzan,
        [
            ("blues.00000", ("blues",), "validation", None),
            ("blues.00012", ("blues",), "test", None),
            ("blues.00029", ("blues",), "train", None),
            ("blues.00099", ("blues",), "test", None),
        ],
    ),
    "gtzan_crops": (
        gtzan_crops,
        [
            ("blues.00010", ("blues",), "train", None),
            ("blues.00040", ("blues",), "train", None),
            ("blues.00041", ("blues",), "validation", None),
            ("blues.00050", ("blues",), "validation", None),
        ],
    ),
    "fma_small": (
        fma,
        [("000002", ("Hip-Hop",), "train", "11"), ("000141", ("Folk",), "validation", "12")],
    ),
    "fma_medium": (
        fma,
        [
            ("000002", ("Hip-Hop",), "train", "11"),
            ("000141", ("Folk",), "validation", "12"),
            ("001042", ("Rock",), "test", "13"),
        ],
    ),
    "fma_large": (
        fma,
        [
            ("000002", ("Hip-Hop",), "train", "11"),
            ("000141", ("Folk",), "validation", "12"),
            ("001042", ("Rock",), "test", "13"),
            ("155002", ("Jazz",), "train", "15"),
        ],
    ),
    "irmas": (
        irmas,
        [
            ("[cel][nod][cla]0008__1", ("cello",), "train", "train 0008"),
            ("[cel][nod][cla]0008__2", ("cello",), "train", "train 0008"),
            ("[voi][dru][pop_roc]0112__3", ("voice",), "train", "train 0112"),
            (
                "02 - And The Body Will Die-8",
                ("electric guitar", "voice"),
                "test",
                "test 02 - And The Body Will Die",
            ),
        ],
    ),
    "openmic": (
        openmic,
        [("000046_3840", ("flute", "voice"), "train", "000046"), ("000178_3840", (), "test", "000178")],
    ),
    "nsynth": (
        nsynth,
        [
            ("bass_synthetic_033-022-050", ("bass",), "train", "bass_synthetic_033"),
            ("flute_acoustic_000-022-050", ("flute",), "validation", "flute_acoustic_000"),
            ("flute_acoustic_000-022-050", ("flute",), "test", "flute_acoustic_000"),
        ],
    ),
    "medley_solos": (
        medley_solos,
        [
            ("Medley-solos-DB_training-7_uuid3", ("violin",), "train", "3"),
            ("Medley-solos-DB_validation-3_uuid210", ("flute",), "validation", "210"),
            ("Medley-solos-DB_test-3_uuid211", ("flute",), "test", "211"),
        ],
    ),
}
MINIATURES["fma_full"] = MINIATURES["fma_large"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_contract(name: str, tmp_path: Path) -> None:
    make, expected = MINIATURES[name]
    make(tmp_path)
    clips = read_clips(tmp_path, name)
    assert [(clip.path.stem, clip.labels, clip.split, clip.group) for clip in clips] == expected
    assert all(clip.path.is_file() for clip in clips)
    assert not find_leaks(split_clips(clips))
    card = LAYOUTS[name]
    assert card.rate in (16_000, 22_050, 44_100)
    assert all((card.what, card.count, card.size, card.licence, card.split, card.source))
    assert recognise_layout(tmp_path) == (name if not name.startswith("fma") else "fma_small")


@pytest.mark.parametrize("name", LAYOUTS)
def test_wrong_folder(name: str, tmp_path: Path) -> None:
    sound(tmp_path / "some" / "a.wav")
    with pytest.raises(files.FileError, match=str(tmp_path)):
        read_clips(tmp_path, name)


def test_the_fault_filtered_split_is_the_published_one() -> None:
    rows = [line.split("\t") for line in GTZAN_SPLIT.read_text().splitlines()[1:]]
    assert Counter(part for _, part in rows) == {"train": 443, "validation": 197, "test": 290}
    assert len({name for name, _ in rows}) == 930
    genres = Counter(name.partition(".")[0] for name, _ in rows)
    assert len(genres) == 10
    assert max(genres.values()) <= 100


def test_other_paths(tmp_path: Path) -> None:
    sound(tmp_path / "cat" / "a.wav")
    assert [clip.labels for clip in read_clips(tmp_path)] == [("cat",)]
    text(tmp_path / "clips.csv", "path,labels", "cat/a.wav,tom|pet")
    assert [clip.labels for clip in read_clips(tmp_path / "clips.csv")] == [("tom", "pet")]
    with pytest.raises(
        ValueError, match=r"layout is 'gtsan', expected gtzan, gtzan_crops, .* or mirdata:NAME"
    ):
        read_clips(tmp_path, "gtsan")
