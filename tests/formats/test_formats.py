"""Every format against a worked file and through a round trip, damaged files, and the table of formats."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jams
import numpy as np
import pretty_midi
import pytest

from audiocnn import files, formats
from audiocnn.notes import Note
from tests.worked_notes import WORKED, plain, random_notes, times

GOLDEN = Path(__file__).parents[1] / "golden"
# Tables and documents


@pytest.mark.parametrize(("suffix", "write"), [("csv", formats.write_csv), ("json", formats.write_json)])
def test_worked_file(tmp_path: Path, suffix: str, write) -> None:
    write(WORKED, tmp_path / f"got.{suffix}")
    assert (tmp_path / f"got.{suffix}").read_text() == (GOLDEN / f"worked.{suffix}").read_text()


@pytest.mark.parametrize("notes", [[], WORKED, random_notes(0)], ids=["none", "worked", "random"])
def test_csv_and_json_come_back_exactly(tmp_path: Path, notes: list[Note]) -> None:
    formats.write_json(notes, tmp_path / "notes.json")
    formats.write_csv(notes, tmp_path / "notes.csv")
    assert formats.read_notes(tmp_path / "notes.json") == notes
    assert formats.read_notes(tmp_path / "notes.csv") == [replace(note, bend=()) for note in notes]


@pytest.mark.filterwarnings("ignore:Passing a schema:DeprecationWarning")  # of jams to jsonschema
@pytest.mark.parametrize("notes", [[], WORKED, random_notes(0)], ids=["none", "worked", "random"])
def test_jams_is_valid_and_comes_back(tmp_path: Path, notes: list[Note]) -> None:
    formats.write_jams(notes, tmp_path / "notes.jams", duration_s=70.0)
    document = jams.load(str(tmp_path / "notes.jams"), validate=True, strict=True)
    assert document.file_metadata.duration == 70.0
    (annotation,) = document.annotations
    assert annotation.namespace == "note_midi"
    assert annotation.sandbox.velocity == [note.velocity for note in notes]
    got = formats.read_notes(tmp_path / "notes.jams")
    assert times(got) == pytest.approx(times(notes), abs=1e-12)
    assert [(note.onset_s, *plain([note]), note.confidence, note.bend) for note in got] == [
        (note.onset_s, *plain([note]), note.confidence, note.bend) for note in notes
    ]


@pytest.mark.filterwarnings("ignore:Passing a schema:DeprecationWarning")
def test_jams_of_a_transcription_is_valid(tmp_path: Path) -> None:
    formats.write_notes(SimpleNamespace(notes=WORKED, duration_s=1.1), tmp_path / "notes.jams")
    (annotation,) = jams.load(str(tmp_path / "notes.jams"), validate=True, strict=True).annotations
    assert annotation.annotation_metadata.annotation_tools == formats.MARK


def test_jams_of_unknown_length_ends_with_its_notes(tmp_path: Path) -> None:
    formats.write_jams(WORKED, tmp_path / "notes.jams")
    assert json.loads((tmp_path / "notes.jams").read_text())["file_metadata"]["duration"] == 1.1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maps.txt", [Note(0.500004, 1.918478, 38), Note(0.770264, 0.903006, 74)]),
        ("matched.tsv", [Note(0.500004, 1.918478, 38, 53)]),
        ("two_strings.jams", [Note(0.25, 0.75, 51, 100, 0.5), Note(0.75, 1.25, 44, 100, 1.0)]),
    ],
)
def test_files_of_others(name: str, expected: list[Note]) -> None:
    assert formats.read_notes(GOLDEN / name) == expected


@pytest.mark.data
def test_guitarset(recordings: Path) -> None:
    notes = formats.read_notes(recordings / "guitar_comp.jams")
    assert len(notes) == 133
    assert times(notes)[0] == pytest.approx([0.048816, 0.472580], abs=1e-6)
    assert {note.midi for note in notes} <= set(range(40, 80))
    # GuitarSet names its recordings by their tempo: 00_BN1-129-Eb_comp.
    assert formats.estimate_tempo(notes) == pytest.approx(129, rel=0.001)


# Files that are no notes


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.mid", b"", "empty.mid: is empty"),
        ("text.mid", b"this is no MIDI file at all", "not readable as MIDI: begins with b'this'"),
        ("empty.csv", b"", "empty.csv: is empty"),
        ("lacks.tsv", b"onset_s\tmidi\n1\t60\n", "the header has no column offset_s: 'onset_s"),
        ("word.csv", b"onset_s,offset_s,midi\n0,1,60\n0,1,C4\n", "line 3: expected numbers, got '0 1 C4'"),
        ("short.csv", b"onset_s,offset_s,midi\n0,1\n", "line 2: expected numbers, got '0 1'"),
        ("binary.csv", b"\xfd\x00\x81", "not readable as .csv: the header has no column onset_s"),
        ("binary.tsv", b"\xff\xfe\x00\x81", "not readable as .tsv: the header has no column onset_s"),
        ("text.tsv", b"once upon\na time\n", "the header has no column onset_s: 'once upon'"),
        (
            "ends.csv",
            b"onset_s,offset_s,midi\n2,1,60\n",
            "line 2: the note lasts from 2.0 to 1.0 s, expected",
        ),
        ("nan.csv", b"onset_s,offset_s,midi\n0,nan,60\n", "line 2: the note lasts from 0.0 to nan s"),
        ("inf.csv", b"onset_s,offset_s,midi\n0,1,inf\n", "line 2: expected numbers"),
        ("high.csv", b"onset_s,offset_s,midi\n0,1,128\n", "MIDI number 128, expected 0 to 127"),
        (
            "loud.tsv",
            b"onset_s\toffset_s\tmidi\tvelocity\n0\t1\t60\t128\n",
            "velocity 128, expected 1 to 127",
        ),
        ("cut.json", b'{"notes": [{"onset', "not readable as .json: Unterminated string"),
        ("other.json", b'{"bars": 3}', "not readable as .json: lacks 'notes'"),
        ("chords.jams", b'{"annotations": []}', "holds no annotation of the namespace note_midi"),
        ("song.mp3", b"", "not a format of notes, expected one of .mid .midi .tsv .csv .txt .json .jams"),
    ],
)
def test_damaged_file(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(files.FileError) as error:
        formats.read_notes(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(files.FileError, match=r"none\.csv: No such file or directory"):
        formats.read_notes(tmp_path / "none.csv")


@pytest.mark.parametrize("suffix", ["mid", "csv", "json", "jams"])
def test_truncated_file_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    formats.write_notes(SimpleNamespace(notes=WORKED, duration_s=1.1), tmp_path / f"whole.{suffix}")
    whole = (tmp_path / f"whole.{suffix}").read_bytes()
    with warnings.catch_warnings(action="ignore", category=files.FileWarning):
        for length in range(0, len(whole), 3):
            (tmp_path / f"cut.{suffix}").write_bytes(whole[:length])
            try:
                assert len(formats.read_notes(tmp_path / f"cut.{suffix}")) <= len(WORKED)
            except files.FileError as error:
                assert str(error).startswith(f"{tmp_path / f'cut.{suffix}'}: ")


# Scores


def test_scores_come_back(tmp_path: Path) -> None:
    scores = {"onset": np.eye(88, 200, dtype=np.float32), "frame": np.zeros((88, 200), np.float32)}
    formats.write_npz(scores, tmp_path / "scores.npz", frame_s=0.016)
    with np.load(tmp_path / "scores.npz") as got:
        assert set(got) == {"onset", "frame", "midi", "times_s"}
        np.testing.assert_array_equal(got["onset"], scores["onset"])
        assert got["midi"].tolist() == list(range(21, 109))
        assert got["times_s"] == pytest.approx(np.arange(200) * 0.016)


def test_scores_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    made = SimpleNamespace(scores={"onset": np.full((88, 3), np.nan)}, frame_s=0.016)
    with pytest.raises(files.FileError, match="scores that are not finite"):
        formats.write_notes(made, tmp_path / "scores.npz")
    assert list(tmp_path.iterdir()) == []


# The table of formats


def test_every_format_of_notes(a4: Path, tmp_path: Path) -> None:
    scores = {"onset": np.zeros((88, 10), np.float32)}
    made = SimpleNamespace(
        notes=WORKED, scores=scores, frame_s=0.016, source=a4, duration_s=2.0, tuning_cents=0.0
    )
    for name in formats.NOTE_FORMATS:
        formats.write_notes(made, tmp_path / f"out.{name}", tempo=90.0, pitch_bend=True)
    assert {path.name for path in tmp_path.glob("out.*")} == {f"out.{name}" for name in formats.NOTE_FORMATS}
    assert pretty_midi.PrettyMIDI(str(tmp_path / "out.mid")).get_tempo_changes()[1] == pytest.approx([90.0])


def test_format_is_the_suffix_or_named(tmp_path: Path) -> None:
    made = SimpleNamespace(notes=WORKED)
    formats.write_notes(made, tmp_path / "a.CSV")
    formats.write_notes(made, tmp_path / "b.txt", "csv")
    assert (tmp_path / "a.CSV").read_text() == (tmp_path / "b.txt").read_text()
    for name, format in (("c.txt", "txt"), ("c.mp3", "mp3"), ("c", "missing")):
        message = f"{name}: format is {format}, expected one of mid csv json jams npz png wav"
        with pytest.raises(files.FileError, match=message):
            formats.write_notes(made, tmp_path / name)
    with pytest.raises(files.FileError, match=r"x\.mid: format is mid, expected one of csv json png"):
        formats.write_labels(None, tmp_path / "x.mid")


@pytest.mark.parametrize(
    ("name", "what"), [("npz", "raw scores"), ("png", "recording"), ("wav", "recording")]
)
def test_formats_say_what_they_need(tmp_path: Path, name: str, what: str) -> None:
    made = SimpleNamespace(
        notes=WORKED, scores={}, tuning_cents=0.0, frame_s=0.016, source=None, duration_s=2.0
    )
    with pytest.raises(files.FileError, match=f"out.{name}: needs the {what}"):
        formats.write_notes(made, tmp_path / f"out.{name}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mid", "csv", "json", "jams", "npz", "png", "wav"])
def test_nothing_half_written(a4: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    made = SimpleNamespace(
        notes=WORKED,
        scores={"onset": np.zeros((88, 9))},
        frame_s=0.1,
        source=a4,
        duration_s=2.0,
        tuning_cents=0.0,
    )
    with pytest.raises(files.FileError, match="file is a file, not a folder"):
        formats.write_notes(made, tmp_path / "file" / f"out.{name}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a4.wav", "file"]
