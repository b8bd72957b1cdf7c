"""Notes to targets: worked examples. (Back again: test_decoding.py.)"""

import numpy as np
import pytest

from audiocnn.notes import BEND_STEP_S, LOWEST_MIDI, N_PITCHES, Note, encode

FRAME_S = 0.032
C4 = 60 - LOWEST_MIDI  # its row


def row(notes: list[Note], name: str, n_frames: int = 10) -> list[float]:
    """A target of C4 for notes whose times are in frames; the other rows must be empty."""
    target = encode(notes, n_frames, frame_s=1.0)[name]
    assert target.shape == (N_PITCHES, n_frames)
    assert target.dtype == np.float32
    assert not np.delete(target, C4, axis=0).any()
    return target[C4].tolist()


def approx(*values: float):
    return pytest.approx(list(values), abs=1e-6)


def test_encode_a_note() -> None:
    notes = [Note(3.25, 7.0, 60, velocity=64, bend=(0.5,))]
    assert row(notes, "onset") == approx(0, 0.1, 0.5, 0.9, 0.7, 0.3, 0, 0, 0, 0)
    assert row(notes, "offset") == approx(0, 0, 0, 0, 0, 0.2, 0.6, 1, 0.6, 0.2)
    assert row(notes, "frame") == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    assert row(notes, "velocity") == approx(0, *[64 / 127] * 5, 0, 0, 0, 0)
    assert row(notes, "bend") == [0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0, 0, 0]


def test_encode_seconds() -> None:
    onset = encode([Note(0.064, 1.0, 60)], 6, FRAME_S)["onset"][C4]
    assert onset.tolist() == approx(0.2, 0.6, 1, 0.6, 0.2, 0)


def test_encode_repeated_notes() -> None:
    """Triangles that overlap keep the higher value; a note that ends where the next begins leaves no gap."""
    notes = [Note(1.0, 5.0, 60), Note(5.0, 8.0, 60)]
    assert row(notes, "onset") == approx(0.6, 1, 0.6, 0.2, 0.6, 1, 0.6, 0.2, 0, 0)
    assert row(notes, "frame") == [0, 1, 1, 1, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("note", "onset", "frame", "offset"),
    [
        (Note(-2.0, 3.0, 60), [0.2, 0, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0.2, 0.6, 1, 0.6]),
        (Note(-9.0, -4.0, 60), [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
        (Note(3.0, 99.0, 60), [0, 0.2, 0.6, 1, 0.6], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]),
        (Note(6.0, 7.0, 60), [0, 0, 0, 0, 0.2], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
        (Note(1.0, 1.1, 60), [0.6, 1, 0.6, 0.2, 0], [0, 1, 0, 0, 0], [0.56, 0.96, 0.64, 0.24, 0]),
    ],
    ids=["began before", "ended before", "ends later", "begins later", "shorter than a frame"],
)
def test_encode_at_the_edges(note: Note, onset, frame, offset) -> None:
    assert row([note], "onset", 5) == approx(*onset)
    assert row([note], "frame", 5) == frame
    assert row([note], "offset", 5) == approx(*offset)


def test_encode_bend_step_by_step() -> None:
    """From the onset on, the bend is interpolated every BEND_STEP_S and holds its last value."""
    notes = [Note(0.04, 0.14, 60, bend=(0.0, 0.1, 0.4))]
    bend = encode(notes, 9, frame_s=BEND_STEP_S)["bend"][C4]
    assert bend.tolist() == approx(0, 0, 0, 0.1, 0.4, 0.4, 0.4, 0, 0)
    between = encode(notes, 18, frame_s=BEND_STEP_S / 2)["bend"][C4]
    assert between[:9].tolist() == approx(0, 0, 0, 0, 0, 0.05, 0.1, 0.25, 0.4)


def test_encode_leaves_out_what_the_piano_has_not() -> None:
    for target in encode([Note(1, 3, 20), Note(1, 3, 109)], 5, 1.0).values():
        assert not target.any()
    lowest, highest = encode([Note(1, 3, 21), Note(1, 3, 108)], 5, 1.0)["frame"][[0, -1]]
    assert lowest.tolist() == highest.tolist() == [0, 1, 1, 0, 0]
