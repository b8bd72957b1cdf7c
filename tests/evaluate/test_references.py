"""Folders of recordings with their notes: what is a reference, what is none, and what is left out."""

import json
from pathlib import Path

import numpy as np
import pytest

from audiocnn import audio, evaluate, files, formats, midi, records
from audiocnn.evaluate import NotesReport
from audiocnn.notes import Note
from tests.formats.test_reading import MADE

HEADER = "onset_s\toffset_s\tmidi\tvelocity\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings with notes, in .tsv, .mid and .jams, one of them a folder deeper, and one without."""
    silence = np.zeros(16_000 * 3, np.float32)
    for name in ("a.wav", "b.flac", "deeper/c.wav", "without.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        audio.save(tmp_path / name, silence, 16_000)
    note = Note(0.0, 1.0, 60, 64)
    (tmp_path / "a.tsv").write_text("onset_s\toffset_s\tmidi\tvelocity\n0.0\t1.0\t60\t64\n")
    formats.write_midi([note], tmp_path / "b.mid")
    formats.write_jams([note, Note(2.0, 3.0, 62)], tmp_path / "deeper" / "c.jams")
    return tmp_path


def evaluate_folder(path: Path, output: Path | None = None) -> NotesReport:
    return evaluate.evaluate_notes(path, lambda recording: [Note(0.0, 1.0, 60, 64)], output)


def test_folder(folder: Path) -> None:
    output = folder / "report" / "scores.json"
    report = evaluate_folder(folder, output)
    assert list(report.scores) == ["a.wav", "b.flac", "deeper/c.wav"]
    assert [score["note"]["recall"] for score in report.scores.values()] == [1.0, 1.0, 0.5]
    assert report.mean is not None
    assert report.mean["note"] == pytest.approx({"precision": 1.0, "recall": 5 / 6, "f1": 8 / 9})
    assert report.unreadable == {}
    assert report.skipped == {"recordings without notes beside them": ["without.wav"]}
    assert json.loads(output.read_text()) == vars(report)


def test_a_reference_without_velocities_has_no_score_of_them(folder: Path) -> None:
    (folder / "a.tsv").write_text("onset_s\toffset_s\tmidi\n0.0\t1.0\t60\n")
    report = evaluate_folder(folder, folder / "scores.json")
    assert report.scores["a.wav"]["note_offset_velocity"] is None
    assert report.scores["deeper/c.wav"]["note_offset_velocity"] is not None
    assert report.counts == {"note": 3, "note_offset": 3, "note_offset_velocity": 2, "frame": 3}
    assert report.mean["note_offset_velocity"]["recall"] == 0.75
    assert json.loads((folder / "scores.json").read_text())["scores"]["a.wav"]["note_offset_velocity"] is None
    assert evaluate_folder(folder / "a.wav").mean["note_offset_velocity"] is None


def test_what_is_left_out_is_reported(folder: Path) -> None:
    (folder / "a.MID").write_text("not read")
    (folder / "alone.jams").write_text("not read")
    assert evaluate_folder(folder).skipped == {
        "recordings without notes beside them": ["without.wav"],
        "files of notes without a recording beside them": ["alone.jams"],
        "files of notes not used, for another stands beside the recording": ["a.MID"],
    }


@pytest.mark.parametrize("name", ["a.mid", "a.jams"])
def test_a_transcription_is_no_reference(folder: Path, name: str) -> None:
    (folder / "a.tsv").unlink()
    formats.write_notes(MADE, folder / f"written.{name[2:]}")
    (folder / f"written.{name[2:]}").rename(folder / name)
    report = evaluate_folder(folder)
    assert list(report.scores) == ["b.flac", "deeper/c.wav"]
    assert report.unreadable == {"a.wav": f"{folder / name}: is no reference: {formats.MARK}"}


def test_a_reference_beside_a_transcription_is_used(folder: Path) -> None:
    (folder / "a.tsv").rename(folder / "a.txt")
    formats.write_notes(MADE, folder / "a.mid")
    formats.write_jams([Note(0.0, 1.0, 60, 64)], folder / "a.jams")
    report = evaluate_folder(folder)
    assert report.scores["a.wav"]["note"]["f1"] == 1.0
    assert list(report.skipped.values()) == [["without.wav"], ["a.mid"]]


def test_what_the_training_data_are_rendered_from_is_a_reference(folder: Path) -> None:
    midi.write_parts([midi.Part(np.array([[0.0, 1.0, 60, 64]]))], folder / "b.mid")
    assert evaluate_folder(folder).scores["b.flac"]["note"]["f1"] == 1.0


@pytest.mark.parametrize(
    ("rows", "remark", "recall"),
    [
        ("0.0\t0.0\t60\t64\n2.0\t3.0\t60\t64\n", "1 notes without a length are taken for 1 ms", 0.5),
        ("", "holds no notes: its scores are 0", 0.0),
    ],
)
def test_odd_references_are_used_and_reported(folder: Path, rows: str, remark: str, recall: float) -> None:
    (folder / "a.tsv").write_text(HEADER + rows)
    with pytest.warns(files.FileWarning, match=f"a.tsv: {remark}"):
        report = evaluate_folder(folder)
    assert report.scores["a.wav"]["note"]["recall"] == recall
    assert len(report.scores) == 3


def test_folder_goes_on_after_bad_files(folder: Path) -> None:
    def transcribe(path: Path) -> list[Note]:
        if path.name == "a.wav":
            raise audio.AudioError(path, "holds no samples")
        raise ZeroDivisionError("of a kind that nobody expected")

    (folder / "b.mid").write_bytes(b"MThd")
    report = evaluate.evaluate_notes(folder, transcribe)
    assert (report.scores, report.mean) == ({}, None)
    assert report.unreadable == {
        "a.wav": f"{folder / 'a.wav'}: holds no samples",
        "b.flac": f"{folder / 'b.mid'}: not readable as MIDI: ends after 4 bytes, within its header of 14",
        "deeper/c.wav": f"{folder / 'deeper/c.wav'}: ZeroDivisionError('of a kind that nobody expected')",
    }


def test_one_recording(folder: Path) -> None:
    assert list(evaluate_folder(folder / "a.wav").scores) == ["a.wav"]


def test_no_notes_to_compare_with(folder: Path) -> None:
    for path in (folder / "without.wav", folder / "without"):
        (folder / "without").mkdir(exist_ok=True)
        audio.save(folder / "without" / "d.wav", np.zeros(100, np.float32), 16_000)
        with pytest.raises(files.FileError, match=r"no recording with notes beside it \(\.tsv"):
            evaluate_folder(path)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("deeper", "is a folder, expected a file"),
        ("a.wav/scores.json", "a.wav is a file, not a folder"),
        ("a.wav", "is one of the inputs, expected another output"),
        ("deeper/../b.mid", "is one of the inputs, expected another output"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(folder: Path, output: str, reason: str) -> None:
    with pytest.raises(files.FileError, match=reason):
        evaluate.evaluate_notes(folder, lambda path: pytest.fail("transcribed"), folder / output)


def test_scores_are_not_lost_where_they_cannot_be_written(folder: Path) -> None:
    def transcribe(path: Path) -> list[Note]:
        (folder / "scores.json").mkdir(exist_ok=True)  # after the check
        return []

    report = evaluate.evaluate_notes(folder, transcribe, folder / "scores.json")
    assert len(report.scores) == 3
    assert report.unreadable == {str(folder / "scores.json"): f"{folder / 'scores.json'}: Is a directory"}


def test_a_record_tells_what_audiocnn_wrote(folder: Path) -> None:
    """Also of files that hold no mark."""
    content = records.read_content(folder / "b.mid")
    source = records.read_content(folder / "b.flac")
    records.Record("b.flac", source, {}, {"b.mid": content}, {}).write(folder / "b.mid")
    with pytest.warns(files.FileWarning, match="1 file is a result of audiocnn"):
        report = evaluate_folder(folder)
    assert report.unreadable["b.flac"].endswith(
        "b.mid: is no reference: audiocnn wrote it, by the record beside it"
    )


def test_notes_after_the_end_of_the_recording_are_told(folder: Path) -> None:
    """As of times in milliseconds, or of another recording."""
    (folder / "a.tsv").write_text(HEADER + "500\t1400\t60\t64\n0.5\t1\t62\t64\n")
    with pytest.warns(files.FileWarning, match=r"1 of its 2 notes begin after the end of .*, at 3\.0 s"):
        evaluate_folder(folder / "a.wav")


@pytest.mark.parametrize(("off_s", "is_told"), [(0.001, True), (0.006, False)])
def test_a_transcription_without_its_mark_is_told(tmp_path: Path, off_s: float, is_told: bool) -> None:
    """As a MIDI file that another program wrote again, without its texts."""
    audio.save(tmp_path / "a.wav", np.zeros(32_000, np.float32), 16_000)
    notes = [Note(0.3 * number, 0.3 * number + 0.2, 60 + number) for number in range(6)]
    midi.write_midi(notes, tmp_path / "a.mid")
    moved = [Note(note.onset_s + off_s, note.offset_s + off_s, note.midi) for note in notes]
    with pytest.warns(files.FileWarning, match=r"a\.mid: its notes begin") if is_told else np.errstate():
        evaluate.evaluate_notes(tmp_path, lambda recording: moved[::-1])
