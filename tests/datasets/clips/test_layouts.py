"""The layouts, each on a miniature of the data set as its archives unpack, with real sound files of 0.3 s."""

import json
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import files
from audiocnn.datasets.clips.finding import find_clips, recognise_layout
from audiocnn.datasets.clips.layouts import GTZAN_SPLIT, LAYOUTS
from audiocnn.datasets.clips.sources import Clip
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


def fma(folder: Path, size: str) -> None:
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
        partial(fma, size="small"),
        [("000002", ("Hip-Hop",), "train", "11"), ("000141", ("Folk",), "validation", "12")],
    ),
    "fma_medium": (
        partial(fma, size="medium"),
        [
            ("000002", ("Hip-Hop",), "train", "11"),
            ("000141", ("Folk",), "validation", "12"),
            ("001042", ("Rock",), "test", "13"),
        ],
    ),
    "fma_large": (
        partial(fma, size="large"),
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
MINIATURES["fma_full"] = (partial(fma, size="full"), MINIATURES["fma_large"][1])


@pytest.mark.parametrize("name", LAYOUTS)
def test_contract(name: str, tmp_path: Path) -> None:
    make, expected = MINIATURES[name]
    make(tmp_path)
    clips = find_clips(tmp_path, name).clips
    assert [(clip.path.stem, clip.labels, clip.split, clip.group) for clip in clips] == expected
    assert all(clip.path.is_file() for clip in clips)
    assert not find_leaks(split_clips(clips))
    card = LAYOUTS[name]
    assert card.rate in (16_000, 22_050, 44_100)
    assert all((card.what, card.count, card.size, card.licence, card.split, card.source))


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_not_used_is_counted(name: str, tmp_path: Path) -> None:
    MINIATURES[name][0](tmp_path)
    before = find_clips(tmp_path, name)
    n_unused = len({*tmp_path.rglob("*.wav"), *tmp_path.rglob("*.mp3"), *tmp_path.rglob("*.ogg")}) - len(
        {clip.path for clip in before.clips}
    )
    assert ("are not used" in str(before)) == (n_unused > 0)
    for i in range(3):
        sound(tmp_path / "more" / f"{i}.wav")
    found = find_clips(tmp_path, name)
    assert found.clips == before.clips
    assert f"; {n_unused + 3} of {len(before.clips) + n_unused + 3} sound files are not used" in str(found)
    assert "layout=folder takes all" in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_uses_few_files_is_not_guessed(name: str, tmp_path: Path) -> None:
    MINIATURES[name][0](tmp_path)
    n_used = len(find_clips(tmp_path, name).clips)
    if len(find_clips(tmp_path, name).notes) == 0 or n_used > 3:
        assert recognise_layout(tmp_path) == name
    for i in range(20):
        sound(tmp_path / "my own" / f"{i}.wav")
    message = rf"which data set is it\? Of \d+ sound files .*{name} uses {n_used}.*layout=folder"
    with pytest.raises(files.FileError, match=message):
        find_clips(tmp_path)
    assert len(find_clips(tmp_path, name).clips) == n_used
    assert {*find_clips(tmp_path, "folder").clips} >= {
        Clip(tmp_path / "my own" / f"{i}.wav", ("my own",)) for i in range(20)
    }


def test_an_incomplete_data_set_is_not_taken_for_another(tmp_path: Path) -> None:
    """GTZAN without its last track has the sign of its crops alone, which use two tracks in five."""
    for number in range(0, 99, 3):
        sound(tmp_path / "blues" / f"blues.{number:05d}.wav")
    sound(tmp_path / "blues" / "blues.00050.wav")
    with pytest.raises(files.FileError, match="Of 34 sound files gtzan_crops uses 14; say it by layout"):
        find_clips(tmp_path)
    assert str(find_clips(tmp_path, "gtzan")).startswith(f"{tmp_path}: 34 clips of 34 files, 1 labels")
    sound(tmp_path / "blues" / "blues.00099.wav")
    assert recognise_layout(tmp_path) == "gtzan"


TABLES = {
    "fma_small": "fma_metadata/tracks.csv",
    "openmic": "openmic-2018-aggregated-labels.csv",
    "nsynth": "nsynth-train/examples.json",
    "medley_solos": "Medley-solos-DB_metadata.csv",
    "irmas": "IRMAS-TestingData-Part1/Part1/02 - And The Body Will Die-8.txt",
}


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"[" * 100_000, b"a,b\n1"], ids=range(4))
@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables_are_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    MINIATURES[name][0](tmp_path)
    (tmp_path / TABLES[name]).write_bytes(content)
    try:
        find_clips(tmp_path, name)
    except files.FileError as error:
        assert "\n" not in str(error)
        assert f"not readable as {name}" in str(error) or "holds no clips" in str(error)
    else:
        assert name == "irmas" and content == b""  # a testing excerpt without a label


def test_a_folder_of_no_instrument_is_named(tmp_path: Path) -> None:
    irmas(tmp_path)
    sound(tmp_path / "IRMAS-TrainingData" / "xyz" / "[xyz]1__1.wav")
    with pytest.raises(files.FileError, match=r"not readable as irmas .*xyz"):
        find_clips(tmp_path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_wrong_folder(name: str, tmp_path: Path) -> None:
    sound(tmp_path / "some" / "a.wav")
    with pytest.raises(files.FileError, match=str(tmp_path)):
        find_clips(tmp_path, name)


def test_the_fault_filtered_split_is_the_published_one() -> None:
    rows = [line.split("\t") for line in GTZAN_SPLIT.read_text().splitlines()[1:]]
    assert Counter(part for _, part in rows) == {"train": 443, "validation": 197, "test": 290}
    assert len({name for name, _ in rows}) == 930
    genres = Counter(name.partition(".")[0] for name, _ in rows)
    assert len(genres) == 10
    assert max(genres.values()) <= 100


def test_other_paths(tmp_path: Path) -> None:
    sound(tmp_path / "cat" / "a.wav")
    assert [clip.labels for clip in find_clips(tmp_path).clips] == [("cat",)]
    text(tmp_path / "clips.csv", "path,labels", "cat/a.wav,tom|pet")
    assert [clip.labels for clip in find_clips(tmp_path / "clips.csv").clips] == [("tom", "pet")]
    with pytest.raises(ValueError, match=r"layout is 'gtzan', expected none: .*clips\.csv is a file"):
        find_clips(tmp_path / "clips.csv", "gtzan")
    with pytest.raises(
        ValueError, match=r"layout is 'gtsan', expected folder, gtzan, gtzan_crops, .* or mirdata:NAME"
    ):
        find_clips(tmp_path, "gtsan")
