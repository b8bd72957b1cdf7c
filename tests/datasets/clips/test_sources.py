"""Clips from folders and mirdata: what is read, and what is refused in which words."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from audiocnn import files
from audiocnn.datasets.clips.sources import Clip, parse_split, read_folder, read_mirdata

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
    assert read_folder(folder).clips == [
        Clip(folder / "cat/a.wav", ("cat",)),
        Clip(folder / "cat/c.ogg", ("cat",)),
        Clip(folder / "dog/a.wav", ("dog",)),
        Clip(folder / "dog/deep/b.flac", ("dog",)),
    ]


def test_parts_above_the_classes(tmp_path: Path) -> None:
    for name in ("Training/dog/a.wav", "val/dog/b.wav", "test/cat/c.wav"):
        sound(tmp_path / name)
    assert [(clip.labels, clip.split) for clip in read_folder(tmp_path).clips] == [
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
    found = read_mirdata("tiny", tmp_path)
    assert found.clips == [
        Clip(Path("1.wav"), ("rock",), split="train", group="Ann"),
        Clip(Path("2.wav"), ("cello",)),
        Clip(Path("3.wav"), ("oboe", "horn"), split="validation", group="7"),
    ]
    assert str(found).endswith("read as mirdata:tiny; 2 of 5 tracks have no sound or no label")


def test_labels_of_mirdata_by_their_attribute(mirdata: SimpleNamespace, tmp_path: Path) -> None:
    assert [clip.labels for clip in read_mirdata("tiny.instruments", tmp_path).clips] == [("cello",)]
    with pytest.raises(files.FileError, match=r"tiny: 5 of 5 tracks have no sound or no label \(mood\)"):
        read_mirdata("tiny.mood", tmp_path)


def test_what_mirdata_does_not_have(mirdata: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mirdata has no data set 'big', expected one of"):
        read_mirdata("big", tmp_path)
    with pytest.raises(files.FileError, match="void: 0 of 0 tracks have no sound or no label"):
        read_mirdata("void", tmp_path)


def test_mirdata_without_its_index(
    mirdata: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def initialize(name: str, data_home: str) -> SimpleNamespace:
        raise FileNotFoundError("index not found.\nPlease download()")

    monkeypatch.setattr(mirdata, "initialize", initialize)
    with pytest.raises(files.FileError) as caught:
        read_mirdata("tiny", tmp_path)
    assert str(caught.value) == f"{tmp_path}: mirdata cannot read tiny: index not found. Please download()"


def test_without_mirdata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(files.FileError, match=r"needs mirdata: pip install 'audiocnn\[mirdata\]'"):
        read_mirdata("tiny", tmp_path)


def test_folders_of_parts_and_classes_are_not_mixed(folder: Path) -> None:
    sound(folder / "test" / "a.wav")
    with pytest.raises(
        files.FileError, match="has the folder 'test' beside 'cat', expected parts or classes"
    ):
        read_folder(folder)


def test_a_folder_without_audio_is_no_class(folder: Path) -> None:
    (folder / "report").mkdir()
    found = read_folder(folder)
    assert len(found.clips) == 4
    assert f"no class: {folder}/report: no audio in this folder" in str(found)


@pytest.mark.parametrize("name", ["two words", "Ærø,ß", "a|b", "line\nbreak", "[red]", "<b>", "$x$", "a.b"])
def test_any_name_of_a_class(tmp_path: Path, name: str) -> None:
    sound(tmp_path / name / "a.wav")
    assert read_folder(tmp_path).clips == [Clip(tmp_path / name / "a.wav", (name,))]


def test_a_folder_named_unknown_holds_what_has_no_label(tmp_path: Path) -> None:
    for name in ("low", "unknown"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.wav").touch()
    assert [(clip.path.parent.name, clip.labels) for clip in read_folder(tmp_path).clips] == [
        ("low", ("low",)),
        ("unknown", ()),
    ]
