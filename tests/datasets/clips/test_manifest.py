"""Manifests: what is read and written, and what is refused in which words, with the number of its line."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import files
from audiocnn.datasets.clips.finding import find_clips
from audiocnn.datasets.clips.manifest import read_manifest, write_manifest
from audiocnn.datasets.clips.sources import Clip

RATE = 8_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two sounds."""
    for name in ("dog/a.wav", "dog/deep/b.flac", "cat/a.wav", "cat/c.ogg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, 0.1 * np.sin(np.arange(2400) / 5), RATE)
    return tmp_path


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
        ({"path": "b.wav"}, r"path is 'b.wav', expected a file; there is none in "),
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
    with pytest.raises(files.FileError, match=r"b\.csv: line 2: has 3 fields, expected 2"):
        read_manifest(folder / "b.csv")
    (folder / "b.jsonl").write_text("{\n")
    with pytest.raises(files.FileError, match=r"b\.jsonl: line 1: Expecting property name"):
        read_manifest(folder / "b.jsonl")


LINES = {
    "deep": (b"[" * 100_000, "line 1: is nested too deeply"),
    "deep object": (b'{"path": ' * 100_000, "line 1: is nested too deeply"),
    "utf-16": ('{"path": "cat/a.wav"}'.encode("utf-16"), "line 1: .* expected UTF-8"),
    "latin-1": (b'{"path": "cat/a.wav"}\n{"path": "caf\xe9.wav"}', "line 2: .* expected UTF-8"),
    "twice": (b'{"path": "cat/a.wav", "path": "dog/a.wav"}', "line 1: a column is there twice"),
    "long": (b'{"path": "' + b"x" * 10**6 + b'"}', "line 1: (File name too long|path is 'x{50,60}…)"),
    "nul": (rb'{"path": "cat\u0000.wav"}', r"line 1: path is 'cat\\x00.wav', expected a file"),
    "infinite": (b'{"path": "cat/a.wav", "start": Infinity}', "line 1: start is inf, expected seconds"),
    "huge": (b'{"path": "cat/a.wav", "end": 1' + b"0" * 400 + b"}", "line 1: end is 10.*…, expected seconds"),
    "same label": (
        b'{"path": "cat/a.wav", "labels": "a|a"}',
        "line 1: labels is 'a|a', expected each name once",
    ),
    "no json": (b'{"path": "cat/a.wav"}\n{"path"', "line 2: Expecting"),
}


TABLES = {
    "nul": (b"path,labels\ncat\0.wav,x\n", r"line 2: (path is 'cat\\x00.wav'|line contains NUL)"),
    "wide": (b"path,labels\n" + b"x" * 10**6 + b",x\n", "line 2: (File name too long|path is 'x{50,60}…)"),
    "too wide": (b"path,labels\n" + b"x" * 2 * 10**6 + b",x\n", "line 2: field larger than field limit"),
    "no labels": (b"path\ncat/a.wav\n", "line 1: has no column labels, expected path, labels, start"),
    "no path": (b"file,labels\ncat/a.wav,x\n", "line 1: column 'file', expected path, labels, start"),
    "twice": (b"path,labels,labels\ncat/a.wav,x,y\n", "line 1: a column is there twice"),
    "semicolons": (b"path;labels\ncat/a.wav;x\n", "line 1: column 'path;labels', expected path"),
    "short": (b"path,labels\ncat/a.wav\n", "line 2: has 1 fields, expected 2"),
    "nan": (b"path,labels,start\ncat/a.wav,x,nan\n", "line 2: start is 'nan', expected seconds"),
    "backwards": (b"path,labels,start,end\ncat/a.wav,x,2,1\n", "line 2: end is '1', expected more"),
    "utf-16": ("path,labels\ncat/a.wav,x\n".encode("utf-16"), "line 1: .* expected UTF-8"),
    "other labels": (b"path,labels\ncat/a.wav,x\ncat/a.wav,y\n", "line 3: is the clip of line 2 with other"),
    "two faults": (b"path,labels\nno.wav,x\nnot.wav,y\n", r"line 2: .*\(and 1 more lines\)"),
    "empty": (b"", "line 1: has no column path"),
}
BROKEN = {".jsonl": LINES, ".csv": TABLES}


@pytest.mark.parametrize(
    ("suffix", "fault"), [(suffix, fault) for suffix, faults in BROKEN.items() for fault in faults]
)
def test_faults_are_named_with_their_line(folder: Path, suffix: str, fault: str) -> None:
    content, message = BROKEN[suffix][fault]
    manifest = folder / f"m{suffix}"
    manifest.write_bytes(content)
    with pytest.raises(files.FileError, match=rf"m\{suffix}: {message}") as caught:
        read_manifest(manifest)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(folder))


def test_what_is_peculiar_is_counted(folder: Path) -> None:
    (folder / "lists").mkdir()
    manifest = folder / "lists" / "m.csv"
    manifest.write_text("path,labels\n../cat/a.wav,x\n../cat/a.wav,x\n../cat/c.ogg,\n")
    line = str(find_clips(manifest))
    assert line.startswith(f"{manifest}: 3 clips of 2 files, 1 labels, 1 clips without, read as manifest; ")
    assert "1 clips are listed more than once, and count so often" in line
    assert "3 clips are outside of the folder" in line


def test_what_is_written_is_read_again(folder: Path) -> None:
    clips = [
        Clip(folder / "cat/a.wav", ("a|b", "c\nd"), 0.1, 0.2, "train", "Ann"),
        Clip(folder / "dog/a.wav", (), split="test"),
    ]
    write_manifest(folder / "out" / "split.jsonl", clips)
    assert read_manifest(folder / "out" / "split.jsonl") == clips
