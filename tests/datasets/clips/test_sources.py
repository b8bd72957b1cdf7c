"""Clips from folders, manifests and mirdata: what is read, and what is refused in which words."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from audiocnn import files
from audiocnn.datasets.clips.sources import Clip, parse_split, read_folder, read_manifest, read_mirdata

RATE = 8_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two sounds."""
    for name in ("dog/a.wav", "dog/deep/b.flac", "cat/a.wav", "cat/c.ogg"):
        sound(tmp_path / name)
    return tmp_path


def sound(path: Path, duration_s: float = 0.3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(round(duration_s * RATE)) / 5), RATE)


def test_a_folder_per_class(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "cat" / "notes.txt").write_text("no sound")
    assert read_folder(folder) == [
        Clip(folder / "cat/a.wav", ("cat",)),
        Clip(folder / "cat/c.ogg", ("cat",)),
        Clip(folder / "dog/a.wav", ("dog",)),
        Clip(folder / "dog/deep/b.flac", ("dog",)),
    ]


def test_parts_above_the_classes(tmp_path: Path) -> None:
    for name in ("Training/dog/a.wav", "val/dog/b.wav", "test/cat/c.wav"):
        sound(tmp_path / name)
    assert [(clip.labels, clip.split) for clip in read_folder(tmp_path)] == [
        (("dog",), "train"),
        (("cat",), "test"),
        (("dog",), "validation"),
    ]


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(files.FileError, match="holds no folders, expected one for each class"):
        read_folder(tmp_path)
    with pytest.raises(files.FileError, match=r"nowhere: No such file or directory"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(files.FileError, match=r"empty: no audio in this folder"):
        read_folder(tmp_path)


EXPECTED = [
    ("cat/a.wav", ("cat",), 0.0, None, None, None),
    ("dog/a.wav", ("dog", "bark"), 0.1, 0.25, "validation", "rex"),
    ("cat/c.ogg", (), 0.0, 0.2, None, None),
]


def test_csv(folder: Path) -> None:
    lines = [
        "path,labels,start,end,split,group",
        "cat/a.wav,cat,,,,",
        "dog/a.wav,dog|bark,0.1,0.25,valid,rex",
        "cat/c.ogg,,,0.2,,",
    ]
    (folder / "clips.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    assert read_manifest(folder / "clips.csv") == [Clip(folder / path, *rest) for path, *rest in EXPECTED]


def test_jsonl(folder: Path) -> None:
    rows = [
        {"path": "cat/a.wav", "labels": "cat"},
        {
            "path": "dog/a.wav",
            "labels": ["dog", "bark"],
            "start": 0.1,
            "end": 0.25,
            "split": "dev",
            "group": "rex",
        },
        {"path": str(folder / "cat/c.ogg"), "labels": [], "end": 0.2},
    ]
    (folder / "clips.jsonl").write_text("\n\n".join(json.dumps(row) for row in rows))
    assert read_manifest(folder / "clips.jsonl") == [Clip(folder / path, *rest) for path, *rest in EXPECTED]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"labels": "x"}, "has no path"),
        ({"path": "b.wav"}, r"path is 'b.wav', expected a file; .*b.wav is none"),
        ({"path": "cat/a.wav", "start": "soon"}, "start is 'soon', expected seconds, 0 or more"),
        ({"path": "cat/a.wav", "start": -1}, "start is -1, expected seconds, 0 or more"),
        ({"path": "cat/a.wav", "end": float("nan")}, "end is nan, expected seconds, 0 or more"),
        ({"path": "cat/a.wav", "start": 2, "end": 1}, "end is 1, expected more than the start, 2"),
        ({"path": "cat/a.wav", "split": "tset"}, "split is 'tset', expected one of train, training, valid"),
        ({"path": "cat/a.wav", "labels": 3}, "labels is 3, expected names"),
        ({"path": "cat/a.wav", "labels": ["a", ""]}, r"labels is \['a', ''\], expected names"),
        (
            {"path": "cat/a.wav", "label": "a"},
            "column 'label', expected path, labels, start, end, split, group",
        ),
        ([1], r"is \[1\], expected an object"),
    ],
)
def test_wrong_rows_are_named_by_their_line(folder: Path, row: object, message: str) -> None:
    manifest = folder / "clips.jsonl"
    manifest.write_text('{"path": "cat/a.wav"}\n\n' + json.dumps(row))
    with pytest.raises(files.FileError, match=rf"clips\.jsonl: line 3: {message}"):
        read_manifest(manifest)


def test_wrong_manifests(folder: Path) -> None:
    (folder / "a.csv").write_text("path,labels\n")
    with pytest.raises(files.FileError, match=r"a\.csv: lists no clips"):
        read_manifest(folder / "a.csv")
    with pytest.raises(files.FileError, match=r"a\.wav: suffix is '.wav', expected .csv or .jsonl"):
        read_manifest(folder / "dog" / "a.wav")
    with pytest.raises(files.FileError, match=r"none\.csv: No such file"):
        read_manifest(folder / "none.csv")
    (folder / "b.csv").write_text("path,labels\ncat/a.wav,x,y\n")
    with pytest.raises(files.FileError, match=r"b\.csv: line 2: column None, expected path"):
        read_manifest(folder / "b.csv")
    (folder / "b.jsonl").write_text("{\n")
    with pytest.raises(files.FileError, match=r"b\.jsonl: line 1: Expecting property name"):
        read_manifest(folder / "b.jsonl")


@pytest.mark.parametrize(
    ("word", "split"),
    [("Training", "train"), ("val", "validation"), ("TEST", "test"), ("split01_test", "test")],
)
def test_split_names(word: str, split: str) -> None:
    assert parse_split(word) == split


TRACKS = {
    "one": SimpleNamespace(audio_path="1.wav", genre="rock", artist="Ann", split="train"),
    "two": SimpleNamespace(
        audio_path="2.wav", genre=None, instruments={"cello": 0.9, "flute": 0.1}, split=""
    ),
    "three": SimpleNamespace(audio_path="3.wav", instrument=["oboe", "horn"], song_id=7, subset="validation"),
    "silent": SimpleNamespace(audio_path=None, genre="rock"),
    "unknown": SimpleNamespace(audio_path="4.wav"),
}


@pytest.fixture
def mirdata(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """mirdata's documented surface: list_datasets, initialize(name, data_home), load_tracks."""

    def initialize(name: str, data_home: str) -> SimpleNamespace:
        return SimpleNamespace(load_tracks=lambda: TRACKS if name == "tiny" else {})

    module = SimpleNamespace(list_datasets=lambda: ["tiny", "void"], initialize=initialize)
    monkeypatch.setitem(sys.modules, "mirdata", module)
    return module


def test_tracks_of_mirdata(mirdata: SimpleNamespace, tmp_path: Path) -> None:
    assert read_mirdata("tiny", tmp_path) == [
        Clip(Path("1.wav"), ("rock",), split="train", group="Ann"),
        Clip(Path("2.wav"), ("cello",)),
        Clip(Path("3.wav"), ("oboe", "horn"), split="validation", group="7"),
    ]


def test_labels_of_mirdata_by_their_attribute(mirdata: SimpleNamespace, tmp_path: Path) -> None:
    assert [clip.labels for clip in read_mirdata("tiny.instruments", tmp_path)] == [("cello",)]
    with pytest.raises(ValueError, match=r"tiny: none of 5 tracks has audio and a label \(mood\)"):
        read_mirdata("tiny.mood", tmp_path)


def test_what_mirdata_does_not_have(mirdata: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mirdata has no data set 'big', expected one of"):
        read_mirdata("big", tmp_path)
    with pytest.raises(ValueError, match="void: none of 0 tracks has audio and a label"):
        read_mirdata("void", tmp_path)


def test_without_mirdata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs mirdata: pip install 'audiocnn\[mirdata\]'"):
        read_mirdata("tiny", tmp_path)


def test_a_folder_named_unknown_holds_what_has_no_label(tmp_path: Path) -> None:
    for name in ("low", "unknown"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.wav").touch()
    assert [(clip.path.parent.name, clip.labels) for clip in read_folder(tmp_path)] == [
        ("low", ("low",)),
        ("unknown", ()),
    ]
