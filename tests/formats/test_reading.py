"""Tables and documents as people write them, what is no note in them, and the mark of a transcription."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from audiocnn import files, formats
from audiocnn.notes import Note
from tests.worked_notes import WORKED

PLAIN = [Note(0.5, 1.0, 60), Note(1.5, 2.25, 62)]
LOUD = [replace(note, velocity=velocity) for note, velocity in zip(PLAIN, (64, 127), strict=True)]
TABLES = {
    "tabs": ("onset_s\toffset_s\tmidi\n0.5\t1\t60\n1.5\t2.25\t62\n", PLAIN),
    "commas": ("onset_s,offset_s,midi,velocity\n0.5,1,60,64\n1.5,2.25,62,127\n", LOUD),
    "semicolons and decimal commas": ("onset;offset;note\n0,5;1,0;60\n1,5;2,25;62\n", PLAIN),
    "spaces": ("OnsetTime OffsetTime MidiPitch\n 0.5  1.0 60\n1.5 2.25   62.0\n", PLAIN),
    "quotes": ('"onset_s","offset_s","midi"\n"0.5","1","60"\n"1.5","2.25","62"\n', PLAIN),
    "other columns, in another order": ("name,midi,offset_s,onset_s\na,60,1,0.5\nb,62,2.25,1.5\n", PLAIN),
    "comments": ("# by hand\n# onset_s offset_s midi\n0.5 1 60\n# a bar later\n\n1.5 2.25 62\n", PLAIN),
    "Windows": ("onset_s,offset_s,midi\r\n0.5,1,60\r\n1.5,2.25,62\r\n", PLAIN),
    "no notes": ("onset_s,offset_s,midi\n", []),
}
BARE = {
    "three columns": ("0.5 1 60\n1.5 2.25 62\n", PLAIN),
    "four columns": ("0.5\t1\t60\t64\n1.5\t2.25\t62\t127\t3\n", LOUD),
}
NO_NOTES = {
    "0,1,440.0": "line 3: the note has the MIDI number 440, expected 0 to 127",
    "0,1,1e9": "line 3: the note has the MIDI number 1000000000, expected 0 to 127",
    "0,1,-1": "line 3: the note has the MIDI number -1, expected 0 to 127",
    "0,1,nan": "line 3: expected numbers, got '0 1 nan'",
    "0,inf,60": "line 3: the note lasts from 0.0 to inf s",
    "-1,1,60": "line 3: the note lasts from -1.0 to 1.0 s, expected 0 or later",
    "2,1,60": "line 3: the note lasts from 2.0 to 1.0 s",
    "0,1": "line 3: expected numbers, got '0 1'",
    "0,1,60,0": "line 3: the note has the velocity 0, expected 1 to 127",
    "0,1,60,200": "line 3: the note has the velocity 200, expected 1 to 127",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("kind", TABLES)
def test_tables(tmp_path: Path, kind: str, encoding: str) -> None:
    text, expected = TABLES[kind]
    (tmp_path / "notes.tsv").write_bytes(text.encode(encoding))
    got = formats.read_annotation(tmp_path / "notes.tsv")
    assert got.notes == expected
    assert got.has_velocities == (expected is LOUD)
    assert not got.transcribed_by


@pytest.mark.parametrize("kind", BARE)
def test_a_guess_about_columns_is_reported(tmp_path: Path, kind: str) -> None:
    text, expected = BARE[kind]
    (tmp_path / "notes.tsv").write_text(text)
    with pytest.warns(
        files.FileWarning, match=r"notes\.tsv: has no header, .* taken for onset_s, offset_s, midi"
    ):
        assert formats.read_notes(tmp_path / "notes.tsv") == expected


def test_rounded_pitches_are_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.tsv").write_text("onset offset note\n0.5 1 60.2\n1.5 2.25 62.0\n")
    with pytest.warns(files.FileWarning, match="1 pitches are rounded to whole MIDI numbers"):
        assert formats.read_notes(tmp_path / "notes.tsv") == PLAIN


def test_comments_of_any_encoding(tmp_path: Path) -> None:
    table = "# von Händel\nonset_s offset_s midi\n0.5 1 60\n1.5 2.25 62\n"
    (tmp_path / "notes.tsv").write_bytes(table.encode("latin-1"))
    assert formats.read_notes(tmp_path / "notes.tsv") == PLAIN


@pytest.mark.parametrize("line", NO_NOTES)
def test_no_note_in_a_table(tmp_path: Path, line: str) -> None:
    (tmp_path / "notes.csv").write_text(f"onset_s,offset_s,midi,velocity\n0,1,60,9\n{line}\n")
    if line.count(",") == 2:
        (tmp_path / "notes.csv").write_text(f"onset_s,offset_s,midi\n0,1,60\n{line}\n")
    with pytest.raises(files.FileError) as error:
        formats.read_notes(tmp_path / "notes.csv")
    assert str(error.value).startswith(f"{tmp_path}/notes.csv: not readable as .csv: {NO_NOTES[line]}")


def test_a_long_table_is_read(tmp_path: Path) -> None:
    lines = "\n".join(f"{i / 10}\t{i / 10 + 0.1}\t{i % 128}" for i in range(20_000))
    (tmp_path / "notes.tsv").write_text(f"onset_s\toffset_s\tmidi\n{lines}\n")
    assert len(formats.read_notes(tmp_path / "notes.tsv")) == 20_000


# Documents


def write_jams(path: Path, *annotations: dict) -> Path:
    path.write_text(json.dumps({"annotations": annotations}))
    return path


def annotate(*data: dict, source: str = "", **more: object) -> dict:
    return {"namespace": "note_midi", "data": data, "annotation_metadata": {"data_source": source}, **more}


FIRST = {"time": 0.5, "duration": 0.5, "value": 60, "confidence": None}
SECOND = {"time": 1.5, "duration": 0.75, "value": 62.2, "confidence": 1.0}


def test_jams_of_several_annotations(tmp_path: Path) -> None:
    beats = {"namespace": "beat", "data": [{"time": 0, "duration": 0, "value": 1, "confidence": None}]}
    path = write_jams(tmp_path / "a.jams", beats, annotate(SECOND, source="2"), annotate(FIRST, source="1"))
    got = formats.read_annotation(path)
    assert (got.notes, got.has_velocities, got.transcribed_by) == (PLAIN, False, "")
    path = write_jams(path, annotate(SECOND, source="Ann"), annotate(FIRST, source="Ann"))
    with pytest.warns(files.FileWarning, match="its 2 annotations of note_midi are taken for parts of one"):
        assert formats.read_notes(path) == PLAIN


def test_jams_of_other_namespaces(tmp_path: Path) -> None:
    path = write_jams(tmp_path / "a.jams", {"namespace": "beat"}, {"namespace": "chord"})
    with pytest.raises(files.FileError, match="no annotation of the namespace note_midi, but of beat, chord"):
        formats.read_notes(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": None}, "note 2 is .*, expected onset_s, offset_s, midi"),
        ({"time": -1}, "note 2 lasts from -1.0 to"),
        ({"duration": float("nan")}, "note 2 lasts from 1.5 to nan s"),
        ({"value": 440}, "note 2 has the MIDI number 440"),
        ({"value": "C4"}, "note 2 is .*, expected"),
    ],
)
def test_no_note_in_a_document(tmp_path: Path, change: dict, reason: str) -> None:
    path = write_jams(tmp_path / "a.jams", annotate(FIRST, {**SECOND, **change}))
    with pytest.raises(files.FileError, match=f"a.jams: not readable as .jams: {reason}"):
        formats.read_notes(path)


@pytest.mark.parametrize("suffix", ["json", "jams"])
@pytest.mark.parametrize(
    "text", ["[" * 100_000, "3", "null", '{"notes": 3, "annotations": [3]}', '{"notes": [3]}']
)
def test_no_document(tmp_path: Path, suffix: str, text: str) -> None:
    (tmp_path / f"notes.{suffix}").write_text(text)
    with pytest.raises(files.FileError, match=f"not readable as .{suffix}: "):
        formats.read_notes(tmp_path / f"notes.{suffix}")


# Written files

MADE = SimpleNamespace(notes=WORKED, duration_s=1.1)
READABLE = [name for name in formats.NOTE_FORMATS if formats.FORMATS[name].read_notes]


@pytest.mark.parametrize("name", READABLE)
def test_a_transcription_says_so(tmp_path: Path, name: str) -> None:
    """Whatever it is called: the mark is in the file."""
    formats.write_notes(MADE, tmp_path / f"notes.{name}")
    other = {"csv": "tsv", "mid": "midi"}.get(name, name)
    (tmp_path / f"notes.{name}").rename(tmp_path / f"reference.{other}")
    assert formats.read_annotation(tmp_path / f"reference.{other}").transcribed_by


def test_notes_written_by_hand_are_no_transcription(tmp_path: Path) -> None:
    for name, write in {
        "mid": formats.write_midi,
        "json": formats.write_json,
        "jams": formats.write_jams,
    }.items():
        write(WORKED, tmp_path / f"notes.{name}")
        assert not formats.read_annotation(tmp_path / f"notes.{name}").transcribed_by


@pytest.mark.parametrize(
    "wrong",
    [
        {"onset_s": float("nan")},
        {"offset_s": float("inf")},
        {"onset_s": -1.0},
        {"midi": 128},
        {"velocity": 0},
        {"confidence": float("nan")},
        {"bend": (float("nan"),)},
    ],
)
@pytest.mark.parametrize("name", READABLE)
def test_what_is_no_note_is_not_written(tmp_path: Path, name: str, wrong: dict) -> None:
    made = SimpleNamespace(notes=[WORKED[0], replace(WORKED[1], **wrong)], duration_s=1.0)
    with pytest.raises(ValueError, match=r"note 2 (lasts|has)"):
        formats.write_notes(made, tmp_path / f"notes.{name}", tempo=120)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("stem", ["a b", "ü, 'x'", "ピアノ", "-x", "x.y", "%s"])
def test_names_of_files(tmp_path: Path, name: str, stem: str) -> None:
    formats.write_notes(MADE, tmp_path / f"{stem}.{name}")
    assert len(formats.read_notes(tmp_path / f"{stem}.{name}")) == 3
