"""The metrics against a worked example and against mir_eval."""

import json
import time
from pathlib import Path

import mir_eval
import numpy as np
import pytest

from audiocnn import evaluate, formats, units
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
        assert metrics is not None
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


def test_without_velocities() -> None:
    notes = [Note(0.0, 1.0, 60)]
    got = evaluate.score_notes(notes, notes, has_velocities=False)
    assert got.pop("note_offset_velocity") is None
    assert all(metrics == {"precision": 1.0, "recall": 1.0, "f1": 1.0} for metrics in got.values())


def test_notes_without_length() -> None:
    """mir_eval refuses them; they match by their onsets all the same, and sound in no frame."""
    short = [Note(0.5, 0.5, 60), Note(1.0, 1.0, 60)]
    got = evaluate.score_notes(short, [Note(0.51, 0.51, 60), Note(1.2, 1.2, 60)])
    assert [metrics and metrics["recall"] for metrics in got.values()] == [0.5, 0.5, 0.5, 0.0]


def test_notes_days_apart_take_no_more_time() -> None:
    notes = [Note(0.0, 1.0, 60), Note(1e6, 1e6 + 1, 60), Note(1e12, 2e12, 61)]
    for metrics in evaluate.score_notes(notes, notes).values():
        assert metrics == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_many_notes_of_a_pitch() -> None:
    """Only those near each other are compared: all with all would be a gigabyte."""
    reference = [Note(float(i), i + 0.5, 60) for i in range(10_000)]
    got = evaluate.score_notes(reference, [Note(i + 0.5, i + 0.9, 60) for i in range(10_000)])
    assert got["note"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


@pytest.mark.slow
@pytest.mark.data
def test_guitar(recordings: Path) -> None:
    notes = formats.read_notes(recordings / "guitar_comp.jams")
    expected = score_by_mir_eval(notes, notes[::2])
    for measure, metrics in evaluate.score_notes(notes, notes[::2]).items():
        assert tuple(metrics.values()) == pytest.approx(expected[measure], abs=1e-12), measure
