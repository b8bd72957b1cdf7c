"""Parts played otherwise, against worked examples."""

import numpy as np
import pytest

from audiocnn.midi import Part
from audiocnn.synthesis import performance


def table(*rows: tuple[float, ...]) -> np.ndarray:
    """Notes of velocity 80 where none is given."""
    return np.array([(*row, 80)[:4] for row in rows], dtype=float)


def part(*rows: tuple[float, ...], pedal: tuple = (), program: int = 0) -> Part:
    return Part(table(*rows), np.array(pedal, dtype=float).reshape(-1, 2), program)


def test_excerpt_begins_at_its_start_and_cuts_at_its_end() -> None:
    song = [part((1, 2, 60), (3, 9, 62), (6, 7, 64), pedal=((1, 3.5), (5.5, 8))), part((9, 10, 40))]
    (cut,) = performance.excerpt(song, 2.5, 3.0)
    np.testing.assert_array_equal(cut.notes, table((0.5, 3.0, 62)))
    np.testing.assert_array_equal(cut.pedal, [[0, 1.0]])
    np.testing.assert_array_equal(song[0].notes[0], [1, 2, 60, 80])


def test_transposing_drops_what_leaves_the_keys() -> None:
    np.testing.assert_array_equal(
        performance.transpose(part((0, 1, 105), (0, 1, 60)), 5).notes, table((0, 1, 65))
    )
    np.testing.assert_array_equal(performance.transpose(part((0, 1, 103)), 5).notes, table((0, 1, 108)))


def test_stretch_and_delay_move_notes_and_pedal_alike() -> None:
    moved = performance.delay(performance.stretch(part((1, 2, 60), pedal=((1, 3),)), 1.5), 0.25)
    np.testing.assert_array_equal(moved.notes, table((1.75, 3.25, 60)))
    np.testing.assert_array_equal(moved.pedal, [[1.75, 4.75]])


def test_articulation_scales_what_is_held_but_never_to_nothing() -> None:
    short = performance.articulate(part((1, 3, 60), (1, 1.03, 62)), 0.5)
    np.testing.assert_allclose(short.notes, table((1, 2, 60), (1, 1 + performance.MIN_NOTE_S, 62)))


def test_humanising_nothing_only_sets_the_level() -> None:
    notes = performance.humanise(
        part((0, 1, 60, 70), (1, 2, 60, 90)), np.random.default_rng(0), 0, 50, 0
    ).notes
    np.testing.assert_array_equal(notes, table((0, 1, 60, 40), (1, 2, 60, 60)))


def test_humanising_is_repeatable_and_of_the_size_asked_for() -> None:
    flat = part(*((0.5 * i, 0.5 * i + 0.4, 60 + i % 12, 90) for i in range(2000)))
    first, again = (
        performance.humanise(flat, np.random.default_rng(3), 0.01, 64, 10).notes for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    moved = first[1:, 0] - flat.notes[1:, 0]
    assert np.std(moved) == pytest.approx(0.01, rel=0.05)
    assert np.mean(first[:, 3]) == pytest.approx(64, abs=1)
    assert np.std(first[:, 3]) == pytest.approx(10 * np.hypot(0.7, 0.7 / np.sqrt(2)), rel=0.1)
    assert (first[:, 1] - first[:, 0]).min() >= performance.MIN_NOTE_S


def test_random_pedal_is_down_in_order_and_within_the_music() -> None:
    notes = table(*((0.25 * i, 0.25 * i + 0.2, 60) for i in range(200)))
    pedal = performance.random_pedal(notes, np.random.default_rng(0))
    times = pedal.reshape(-1)
    assert len(pedal) > 10
    assert (np.diff(times) > 0).all()
    assert times[0] > 0
    assert times[-1] < notes[-1, 1] + 0.05
