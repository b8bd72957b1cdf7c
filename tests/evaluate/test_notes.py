"""The metrics against a worked example and against mir_eval, and folders of recordings."""

import json
import time
from pathlib import Path

import mir_eval
import numpy as np
import pytest

from audiocnn import audio, evaluate, files, formats, units
from audiocnn.notes import Note

GOLDEN = Path(__file__).parents[1] / "golden"


def random_notes(rng: np.random.Generator, n_notes: int, length_s: float, n_pitches: int = 12) -> list[Note]:
    """Notes on a grid of 10 ms, so that many distances are exactly as long as a tolerance."""
    onsets_s = np.round(rng.uniform(0, length_s, n_notes), 2)
    lengths_s = np.round(rng.exponential(0.4, n_notes) + 0.02, 2)
    return [
        Note(float(onset_s), float(onset_s + length_s), int(midi), int(velocity))
        for onset_s, length_s, midi, velocity in zip(
            onsets_s,
            lengths_s,
            21 + rng.integers(0, n_pitches, n_notes),
            rng.integers(1, 128, n_notes),
            strict=True,
        )
    ]


def transcribed(rng: np.random.Generator, notes: list[Note]) -> list[Note]:
    """The notes as a fair transcription would give them: moved, of other velocities, missed, made up."""
    kept = [note for note in notes if rng.uniform() < 0.9]
    moved = [
        Note(
            onset_s := max(round(note.onset_s + rng.normal(0, 0.03), 2), 0.0),
            max(round(note.offset_s + rng.normal(0, 0.08), 2), onset_s + 0.01),
            note.midi,
            int(np.clip(note.velocity * 0.7 + rng.normal(10, 10), 1, 127)),
        )
        for note in kept
    ]
    return moved + random_notes(rng, len(notes) // 10, 5)


def arrays(notes: list[Note]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    intervals = np.array([(note.onset_s, note.offset_s) for note in notes]).reshape(-1, 2)
    pitches = units.midi_to_hz(np.array([note.midi for note in notes], int))
    return intervals, pitches, np.array([note.velocity for note in notes], float)


def frames(notes: list[Note], n_frames: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Times and the pitches in Hz at each of them, as mir_eval.multipitch takes them."""
    times_s = np.arange(n_frames) / 100
    tiny = 1e-8  # of what is left of the grid by rounding
    sounding = [
        {note.midi for note in notes if note.onset_s - tiny <= time_s < note.offset_s - tiny}
        for time_s in times_s
    ]
    return times_s, [units.midi_to_hz(np.array(sorted(pitches), int)) for pitches in sounding]


def score_by_mir_eval(reference: list[Note], estimate: list[Note]) -> dict[str, tuple[float, ...]]:
    """Precision, recall and F1 as mir_eval computes them, over all pitches at once."""
    (r_times, r_pitches, r_velocities), (e_times, e_pitches, e_velocities) = (
        arrays(reference),
        arrays(estimate),
    )
    n_frames = round(100 * max(note.offset_s for note in [*reference, *estimate])) + 1
    plain = mir_eval.transcription.precision_recall_f1_overlap
    loud = mir_eval.transcription_velocity.precision_recall_f1_overlap
    notes = (r_times, r_pitches, e_times, e_pitches)
    found = {
        "note": plain(*notes, offset_ratio=None)[:3],
        "note_offset": plain(*notes)[:3],
        "note_offset_velocity": loud(r_times, r_pitches, r_velocities, e_times, e_pitches, e_velocities)[:3],
    }
    precision, recall, *_ = mir_eval.multipitch.metrics(
        *frames(reference, n_frames), *frames(estimate, n_frames)
    )
    return found | {"frame": (precision, recall, mir_eval.util.f_measure(precision, recall))}


def test_worked_example() -> None:
    counts = json.loads((GOLDEN / "scores.json").read_text())["counts"]
    got = evaluate.score_notes(
        formats.read_notes(GOLDEN / "reference.tsv"), formats.read_notes(GOLDEN / "estimate.csv")
    )
    assert list(got) == list(evaluate.MEASURES) == list(counts)
    for measure, (n_matched, n_reference, n_estimate) in counts.items():
        assert got[measure]["precision"] == pytest.approx(n_matched / n_estimate, abs=1e-12)
        assert got[measure]["recall"] == pytest.approx(n_matched / n_reference, abs=1e-12)
        assert got[measure]["f1"] == pytest.approx(2 * n_matched / (n_reference + n_estimate), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_same_as_mir_eval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Few pitches and many notes: a note has several that it could be matched with.
    reference = random_notes(rng, 60, 5, n_pitches=int(rng.integers(1, 30)))
    estimate = transcribed(rng, reference)
    expected = score_by_mir_eval(reference, estimate)
    for measure, metrics in evaluate.score_notes(reference, estimate).items():
        assert tuple(metrics.values()) == pytest.approx(expected[measure], abs=1e-12), measure


def test_notes_against_themselves() -> None:
    notes = random_notes(np.random.default_rng(0), 100, 60, n_pitches=88)
    notes = [note for note in notes if note.offset_s - note.onset_s > 0.01]
    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert evaluate.score_notes(notes, notes) == dict.fromkeys(evaluate.MEASURES, perfect)


@pytest.mark.parametrize("n_reference", [0, 1])
@pytest.mark.parametrize("n_estimate", [0, 1])
def test_nothing_in_common(n_reference: int, n_estimate: int) -> None:
    got = evaluate.score_notes([Note(0.0, 1.0, 60)] * n_reference, [Note(0.0, 1.0, 61)] * n_estimate)
    assert got == {measure: {"precision": 0.0, "recall": 0.0, "f1": 0.0} for measure in evaluate.MEASURES}


def test_same_pitch_twice_is_one_sound() -> None:
    got = evaluate.score_notes([Note(0.0, 1.0, 60), Note(0.5, 1.0, 60)], [Note(0.0, 1.0, 60)])
    assert got["frame"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert got["note"]["recall"] == 0.5


def test_ten_minutes_in_seconds() -> None:
    rng = np.random.default_rng(0)
    reference = random_notes(rng, 6000, 600, n_pitches=88)
    evaluate.score_notes(reference[:1], reference[:1])  # imports mir_eval
    start = time.process_time()
    evaluate.score_notes(reference, transcribed(rng, reference))
    assert time.process_time() - start < 5  # half a second; minutes if each note looked at all others


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings with notes, in .tsv, .mid and .jams, one of them a folder deeper, and one without."""
    silence = np.zeros(1600, np.float32)
    for name in ("a.wav", "b.flac", "deeper/c.wav", "without.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        audio.save(tmp_path / name, silence, 16_000)
    note = Note(0.0, 1.0, 60, 64)
    (tmp_path / "a.tsv").write_text("onset_s\toffset_s\tmidi\tvelocity\n0.0\t1.0\t60\t64\n")
    (tmp_path / "a.mid").write_text("not looked at: a.tsv goes first")
    formats.write_midi([note], tmp_path / "b.mid")
    formats.write_jams([note, Note(2.0, 3.0, 62)], tmp_path / "deeper" / "c.jams")
    return tmp_path


def test_folder(folder: Path) -> None:
    output = folder / "report" / "scores.json"
    report = evaluate.evaluate_notes(folder, lambda path: [Note(0.0, 1.0, 60, 64)], output)
    assert list(report.scores) == ["a.wav", "b.flac", "deeper/c.wav"]
    assert [score["note"]["recall"] for score in report.scores.values()] == [1.0, 1.0, 0.5]
    assert report.mean is not None
    assert report.mean["note"] == pytest.approx({"precision": 1.0, "recall": 5 / 6, "f1": 8 / 9})
    assert report.unreadable == {}
    assert json.loads(output.read_text()) == vars(report)


def test_folder_goes_on_after_bad_files(folder: Path) -> None:
    def transcribe(path: Path) -> list[Note]:
        if path.name == "a.wav":
            raise audio.AudioError(path, "holds no samples")
        return []

    (folder / "b.mid").write_bytes(b"MThd")
    report = evaluate.evaluate_notes(folder, transcribe)
    assert list(report.scores) == ["deeper/c.wav"]
    assert report.unreadable["a.wav"] == f"{folder / 'a.wav'}: holds no samples"
    assert report.unreadable["b.flac"].startswith(f"{folder / 'b.mid'}: not readable as MIDI")


def test_folder_of_failures_only_has_no_mean(folder: Path) -> None:
    def transcribe(path: Path) -> list[Note]:
        raise audio.AudioError(path, "broken")

    report = evaluate.evaluate_notes(folder, transcribe)
    assert (report.scores, report.mean, len(report.unreadable)) == ({}, None, 3)


def test_one_recording(folder: Path) -> None:
    report = evaluate.evaluate_notes(folder / "a.wav", lambda path: [])
    assert list(report.scores) == ["a.wav"]


def test_no_notes_to_compare_with(tmp_path: Path) -> None:
    audio.save(tmp_path / "a.wav", np.zeros(100, np.float32), 16_000)
    with pytest.raises(files.FileError, match=r"no recording with notes beside it \(\.tsv"):
        evaluate.evaluate_notes(tmp_path, lambda path: [])


@pytest.mark.slow
@pytest.mark.data
def test_guitar(recordings: Path) -> None:
    notes = formats.read_notes(recordings / "guitar_comp.jams")
    expected = score_by_mir_eval(notes, notes[::2])
    for measure, metrics in evaluate.score_notes(notes, notes[::2]).items():
        assert tuple(metrics.values()) == pytest.approx(expected[measure], abs=1e-12), measure
