"""Parts: read, written, and played otherwise, against worked examples."""

from pathlib import Path

import numpy as np
import pretty_midi
import pytest

from audiocnn import midi
from audiocnn.midi import Part


def table(*rows: tuple[float, ...]) -> np.ndarray:
    """Notes of velocity 80 where none is given."""
    return np.array([(*row, 80)[:4] for row in rows], dtype=float)


def part(*rows: tuple[float, ...], pedal: tuple = (), program: int = 0) -> Part:
    return Part(table(*rows), np.array(pedal, dtype=float).reshape(-1, 2), program)


def test_written_parts_are_read_again_to_a_twentieth_of_a_millisecond(tmp_path: Path) -> None:
    first = part((0.1234, 0.5678, 60, 33), (0.2, 1.75, 72, 127), pedal=((0.3, 0.9), (1.0, 1.5)), program=24)
    drums = Part(table((0.25, 0.3, 36)), is_drum=True)
    midi.write([first, drums], tmp_path / "song.mid")
    again, beat = midi.read(tmp_path / "song.mid")
    np.testing.assert_allclose(again.notes, first.notes, atol=5e-5)
    np.testing.assert_allclose(again.pedal, first.pedal, atol=5e-5)
    assert (again.program, again.is_drum, beat.is_drum) == (24, False, True)


def test_a_pedal_never_let_go_ends_with_the_last_note(tmp_path: Path) -> None:
    file = pretty_midi.PrettyMIDI(resolution=480)
    piano = pretty_midi.Instrument(0)
    piano.notes = [pretty_midi.Note(70, 60, 0.0, 2.0)]
    piano.control_changes = [
        pretty_midi.ControlChange(64, value, time) for value, time in ((63, 0.5), (64, 1.0))
    ]
    file.instruments.append(piano)
    file.write(str(tmp_path / "song.mid"))
    np.testing.assert_allclose(midi.read(tmp_path / "song.mid")[0].pedal, [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("pedal", "offset_s"),
    [
        ((0.5, 2.0), 2.0),  # down when the key is let go
        ((1.0, 2.0), 2.0),  # down just then
        ((0.2, 1.0), 1.0),  # up just then
        ((1.1, 2.0), 1.0),  # too late
    ],
)
def test_pedal_carries_a_note_on(pedal: tuple[float, float], offset_s: float) -> None:
    np.testing.assert_array_equal(
        midi.sustain(table((0, 1, 60)), np.array([pedal])), table((0, offset_s, 60))
    )


def test_a_note_carried_on_ends_where_its_key_is_struck_again() -> None:
    notes = midi.sustain(table((0, 1, 60), (1.5, 1.8, 60), (0.2, 0.4, 64)), np.array([[0.3, 3.0]]))
    np.testing.assert_array_equal(notes, table((0, 1.5, 60), (0.2, 3.0, 64), (1.5, 3.0, 60)))


def test_merging_leaves_one_note_of_a_pitch_at_a_time() -> None:
    first = table((0, 1, 60, 50), (2, 3, 60))
    second = table((0.02, 1.5, 60, 90), (2.5, 2.8, 60), (0, 1, 61))
    merged = table((0, 1.5, 60, 90), (0, 1, 61), (2, 2.5, 60), (2.5, 2.8, 60))
    np.testing.assert_array_equal(midi.merge([first, second]), merged)


def test_excerpt_begins_at_its_start_and_cuts_at_its_end() -> None:
    song = [part((1, 2, 60), (3, 9, 62), (6, 7, 64), pedal=((1, 3.5), (5.5, 8))), part((9, 10, 40))]
    (cut,) = midi.excerpt(song, 2.5, 3.0)
    np.testing.assert_array_equal(cut.notes, table((0.5, 3.0, 62)))
    np.testing.assert_array_equal(cut.pedal, [[0, 1.0]])
    np.testing.assert_array_equal(song[0].notes[0], [1, 2, 60, 80])


def test_transposing_drops_what_leaves_the_keys() -> None:
    np.testing.assert_array_equal(midi.transpose(part((0, 1, 105), (0, 1, 60)), 5).notes, table((0, 1, 65)))
    np.testing.assert_array_equal(midi.transpose(part((0, 1, 103)), 5).notes, table((0, 1, 108)))


def test_stretch_and_delay_move_notes_and_pedal_alike() -> None:
    moved = midi.delay(midi.stretch(part((1, 2, 60), pedal=((1, 3),)), 1.5), 0.25)
    np.testing.assert_array_equal(moved.notes, table((1.75, 3.25, 60)))
    np.testing.assert_array_equal(moved.pedal, [[1.75, 4.75]])


def test_articulation_scales_what_is_held_but_never_to_nothing() -> None:
    short = midi.articulate(part((1, 3, 60), (1, 1.03, 62)), 0.5)
    np.testing.assert_allclose(short.notes, table((1, 2, 60), (1, 1 + midi.SHORTEST_S, 62)))


def test_humanising_nothing_only_sets_the_level() -> None:
    notes = midi.humanise(part((0, 1, 60, 70), (1, 2, 60, 90)), np.random.default_rng(0), 0, 50, 0).notes
    np.testing.assert_array_equal(notes, table((0, 1, 60, 40), (1, 2, 60, 60)))


def test_humanising_is_repeatable_and_of_the_size_asked_for() -> None:
    flat = part(*((0.5 * i, 0.5 * i + 0.4, 60 + i % 12, 90) for i in range(2000)))
    first, again = (midi.humanise(flat, np.random.default_rng(3), 0.01, 64, 10).notes for _ in range(2))
    np.testing.assert_array_equal(first, again)
    moved = first[1:, 0] - flat.notes[1:, 0]
    assert np.std(moved) == pytest.approx(0.01, rel=0.05)
    assert np.mean(first[:, 3]) == pytest.approx(64, abs=1)
    assert np.std(first[:, 3]) == pytest.approx(10 * np.hypot(0.7, 0.7 / np.sqrt(2)), rel=0.1)
    assert (first[:, 1] - first[:, 0]).min() >= midi.SHORTEST_S


def test_random_pedal_is_down_in_order_and_within_the_music() -> None:
    notes = table(*((0.25 * i, 0.25 * i + 0.2, 60) for i in range(200)))
    pedal = midi.random_pedal(notes, np.random.default_rng(0))
    times = pedal.reshape(-1)
    assert len(pedal) > 10
    assert (np.diff(times) > 0).all()
    assert times[0] > 0
    assert times[-1] < notes[-1, 1] + 0.05
