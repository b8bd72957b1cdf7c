"""Scores to notes: worked examples, the inverse of the targets, and the same notes in chunks as whole."""

import numpy as np
import pytest

from audiocnn.notes import (
    BEND_STEP_S,
    LOWEST_MIDI,
    MIN_ONSETLESS_FRAMES,
    N_PITCHES,
    DecodingOptions,
    Note,
    NoteDecoder,
    decode,
    encode,
)

FRAME_S = 0.032
C4 = 60 - LOWEST_MIDI  # its row


def scores(**rows: list[float]) -> dict[str, np.ndarray]:
    """Scores with these rows for C4 and zeros elsewhere."""
    n_frames = len(next(iter(rows.values())))
    names = ("onset", "frame", "offset", "velocity", *(["bend"] if "bend" in rows else []))
    arrays = {name: np.zeros((N_PITCHES, n_frames), np.float32) for name in names}
    for name, values in rows.items():
        arrays[name][C4] = values
    return arrays


def approx(*values: float):
    return pytest.approx(list(values), abs=1e-6)


# decode


def test_decode_a_note() -> None:
    found = decode(
        scores(
            onset=[0, 0, 0.5, 0.9, 0.6, 0, 0, 0, 0, 0],
            frame=[0, 0, 0, 0.5, 0.9, 0.8, 0.4, 0.39, 0, 0],
            velocity=[0.1, 0.1, 0.2, 0.25, 0.9, 0, 0, 0, 0, 0],
        ),
        frame_s=1.0,
    )
    # The parabola-like top of 0.5, 0.9, 0.6 lies (0.6 - 0.5) / (2 * (0.9 - 0.5)) of a frame late.
    (note,) = found
    assert (note.onset_s, note.confidence) == pytest.approx((3.125, 0.9))
    assert (note.offset_s, note.midi, note.velocity, note.bend) == (7.0, 60, 32, ())


@pytest.mark.parametrize(
    ("offset", "end"),
    [([0, 0, 0, 0, 0.6, 0.8, 0.4, 0, 0], 4.75), ([0, 0, 0, 0, 0.3, 0.49, 0.4, 0, 0], 7.0)],
    ids=["peak", "below the threshold"],
)
def test_decode_ends_at_a_peak_of_offset(offset, end: float) -> None:
    found = decode(
        scores(onset=[0, 1, 0, 0, 0, 0, 0, 0, 0], frame=[0] + [1] * 6 + [0] * 2, offset=offset), 1.0
    )
    assert [note.offset_s for note in found] == approx(end)


def test_decode_repeated_notes() -> None:
    """A new onset ends the note before it, at the new onset's own time."""
    found = decode(scores(onset=[0, 1, 0, 0, 0, 0.6, 0.8, 0.4, 0, 0], frame=[0, *[1] * 8, 0]), 1.0)
    assert [(note.onset_s, note.offset_s) for note in found] == [
        (1.0, pytest.approx(5.75)),
        (pytest.approx(5.75), 9.0),
    ]


@pytest.mark.parametrize(
    ("onset", "starts"),
    [
        ([0, 0.9, 0.1, 0.8, 0, 0, 0, 0], [1]),  # two frames apart is no new onset
        ([0, 0.9, 0.1, 0.1, 0.8, 0, 0, 0], [1, 4]),
        ([0, 0.9, 0.1, 0.8, 0.1, 0.7, 0, 0], [1, 5]),
        ([0, 0.9, 0.9, 0, 0, 0, 0, 0], [1]),  # the first of equals
        ([0, 0.9, 0.9, 0.9, 0.9, 0.9, 0, 0], [1]),
        ([0, 0.39, 0, 0, 0.4, 0, 0, 0], [4]),
        ([0.9, 0, 0, 0, 0, 0, 0.9, 0.3], [0, 6]),
    ],
)
def test_decode_onsets(onset, starts) -> None:
    found = decode(scores(onset=onset, frame=[1] * 8), 1.0)
    assert [round(note.onset_s - 0.1) for note in found] == starts


def test_decode_waits_for_the_frame_score_to_rise() -> None:
    late = decode(scores(onset=[0, 1, 0, 0, 0, 0, 0], frame=[0, 0, 0, 1, 1, 0, 0]), 1.0)
    assert [(note.onset_s, note.offset_s) for note in late] == [(1, 5)]
    never = decode(scores(onset=[0, 1, 0, 0, 0, 0, 0], frame=[0.0] * 7), 1.0)
    assert [(note.onset_s, note.offset_s) for note in never] == [(1, 3)]


def test_decode_ends_with_the_scores() -> None:
    found = decode(scores(onset=[0, 1, 0, 0], frame=[0, 1, 1, 1]), 1.0)
    assert [(note.onset_s, note.offset_s) for note in found] == [(1, 4)]


def test_decode_bend_from_the_onset_on() -> None:
    found = decode(
        scores(onset=[0, 1, 0, 0, 0, 0], frame=[0, 1, 1, 1, 0, 0], bend=[9, 0.1, 0.2, 0.6, 9, 9]),
        2 * BEND_STEP_S,
    )
    assert list(found[0].bend) == approx(0.1, 0.15, 0.2, 0.4, 0.6, 0.6)


def test_decode_sorts_by_onset_then_pitch() -> None:
    arrays = encode([Note(20, 30, 80), Note(5, 50, 70), Note(5, 12, 40), Note(9, 20, 21)], 60, 1.0)
    assert [note.midi for note in decode(arrays, 1.0)] == [40, 70, 21, 80]


@pytest.mark.parametrize("n_frames", [0, 1, 2, 500])
def test_silence_has_no_notes(n_frames: int) -> None:
    assert decode(scores(onset=[0.0] * n_frames), FRAME_S) == []
    assert NoteDecoder(FRAME_S).flush() == []


# Options


def test_thresholds() -> None:
    arrays = scores(
        onset=[0, 0.6, 0, 0, 0, 0, 0.9, 0, 0, 0, 0], frame=[0, 0.7, 0.7, 0.5, 0.5, 0.1, 0.9, 0.9, 0.2, 0, 0]
    )

    def spans(**options: float) -> list[tuple[float, float]]:
        return [(note.onset_s, note.offset_s) for note in decode(arrays, 1.0, DecodingOptions(**options))]

    assert spans() == [(1, 5), (6, 8)]
    assert spans(onset_threshold=0.61) == [(6, 8)]
    assert spans(frame_threshold=0.6) == [(1, 3), (6, 8)]
    assert spans(frame_threshold=0.1) == [(1, 6), (6, 9)]


@pytest.mark.parametrize(("minimum_note_ms", "kept"), [(0, [2, 4]), (19, [2, 4]), (21, [4]), (41, [])])
def test_minimum_note_length(minimum_note_ms: float, kept: list[int]) -> None:
    arrays = scores(onset=[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0], frame=[0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0])
    found = decode(arrays, 0.01, DecodingOptions(minimum_note_ms=minimum_note_ms))
    assert [round((note.offset_s - note.onset_s) / 0.01) for note in found] == kept


def test_pitch_limits() -> None:
    arrays = encode([Note(1, 8, midi) for midi in (21, 59, 60, 61, 108)], 12, 1.0)
    found = decode(arrays, 1.0, DecodingOptions(lowest_pitch=59, highest_pitch=60))
    assert [note.midi for note in found] == [59, 60]
    assert [note.midi for note in decode(arrays, 1.0)] == [21, 59, 60, 61, 108]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"onset_threshold": 0.0}, "onset_threshold is 0.0, expected more than 0 and at most 1"),
        ({"frame_threshold": 1.5}, "frame_threshold is 1.5, expected more than 0 and at most 1"),
        ({"offset_threshold": float("nan")}, "offset_threshold is nan, expected more than 0 and at most 1"),
        ({"minimum_note_ms": -1.0}, "minimum_note_ms is -1.0, expected 0 or more"),
        ({"lowest_pitch": 70, "highest_pitch": 60}, "pitches are 70 to 60, expected a range within 0 to 127"),
        ({"highest_pitch": 128}, "pitches are 21 to 128, expected a range within 0 to 127"),
    ],
)
def test_options_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DecodingOptions(**options)


# The inverse of encode


def random_notes(rng: np.random.Generator, n_frames: int) -> list[Note]:
    """Notes of five frames or more on every pitch; some follow the last one at once."""
    notes = []
    for midi in range(LOWEST_MIDI, LOWEST_MIDI + N_PITCHES):
        time = rng.uniform(1, 60)
        while (end := time + rng.uniform(5, 80)) < n_frames - 1:
            bend = (float(np.float32(rng.uniform(-1, 1))),)
            notes.append(Note(time * FRAME_S, end * FRAME_S, midi, int(rng.integers(1, 128)), bend=bend))
            time = end + rng.choice([0, rng.uniform(1, 60)])
    return sorted(notes, key=lambda note: (note.onset_s, note.midi))


def test_decode_inverts_encode() -> None:
    notes = random_notes(np.random.default_rng(0), 1000)
    assert len(notes) > 1000
    found = decode(encode(notes, 1000, FRAME_S), FRAME_S)
    assert [(note.midi, note.velocity) for note in found] == [(note.midi, note.velocity) for note in notes]
    for ours, truth in zip(found, notes, strict=True):
        assert ours.onset_s == pytest.approx(truth.onset_s, abs=1e-6)
        assert ours.offset_s == pytest.approx(truth.offset_s, abs=1e-6)
        frame = truth.onset_s / FRAME_S
        assert ours.confidence == pytest.approx(1 - abs(frame - round(frame)) / 2.5, abs=1e-5)
        assert set(ours.bend) == set(truth.bend)
        assert abs(len(ours.bend) * BEND_STEP_S - (truth.offset_s - truth.onset_s)) < FRAME_S + BEND_STEP_S


@pytest.mark.parametrize("onset", [0.0, 0.2, 0.5, 0.7])
def test_decode_inverts_encode_at_the_edges(onset: float) -> None:
    """Also where a neighbour of the peak is missing; a note that goes on ends with the scores."""
    for offset, expected in ((18.8, 18.8), (19.0, 19.0), (40.0, 20.0)):
        (note,) = decode(encode([Note(onset, offset, 60)], 20, 1.0), 1.0)
        assert (note.onset_s, note.offset_s) == pytest.approx((onset, expected), abs=1e-6)


def test_note_that_began_before_starts_at_0() -> None:
    (note,) = decode(encode([Note(-0.4, 9.0, 60)], 20, 1.0), 1.0)
    assert (note.onset_s, note.offset_s) == (0, 9)


# In chunks


def random_scores(rng: np.random.Generator, n_frames: int) -> dict[str, np.ndarray]:
    """Scores with peaks, plateaus and gaps everywhere."""
    arrays = {name: rng.random((N_PITCHES, n_frames)) for name in ("onset", "frame", "offset", "velocity")}
    arrays["onset"] = np.round(arrays["onset"] ** 3, 1)
    arrays["frame"] = np.sqrt(arrays["frame"])
    arrays["offset"] **= 3
    arrays["bend"] = rng.normal(size=(N_PITCHES, n_frames))
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@pytest.mark.parametrize("seed", range(3))
def test_chunks_give_the_notes_of_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = random_scores(rng, 120)
    whole = decode(arrays, FRAME_S)
    assert len(whole) > 500
    decoder, found, start = NoteDecoder(FRAME_S), [], 0
    for _ in range(2):  # after a flush it begins anew
        found, start = [], 0
        while start < 120:
            size = int(rng.choice([0, 1, 1, 2, 3, 7, 20]))
            chunk = {name: array[:, start : start + size] for name, array in arrays.items()}
            found += decoder.push(chunk)
            start += size
        found += decoder.flush()
        assert sorted(found, key=lambda note: (note.onset_s, note.midi)) == whole


def test_notes_come_as_soon_as_their_end_is_known() -> None:
    arrays = encode([Note(2.0, 6.0, 60), Note(3.0, 30.0, 64)], 12, 1.0)
    decoder, came, sounding = NoteDecoder(1.0), {}, {}
    for frame in range(12):
        notes = decoder.push({name: array[:, frame : frame + 1] for name, array in arrays.items()})
        came |= {note.midi: frame for note in notes}
        sounding[frame] = [(note.midi, note.onset_s, note.offset_s) for note in decoder.active_notes]
        assert all(type(note.midi) is int for note in notes + decoder.active_notes)
    assert came == {60: 7}  # one frame after its end
    assert sounding[2] == []
    assert sounding[3] == [(60, 2.0, 3.0)]
    assert sounding[4] == [(60, 2.0, 4.0), (64, 3.0, 4.0)]
    assert sounding[11] == [(64, 3.0, 11.0)]
    assert [(note.midi, note.offset_s) for note in decoder.flush()] == [(64, 12.0)]
    assert decoder.active_notes == []


def test_onsetless_note() -> None:
    """A pitch that sounds for MIN_ONSETLESS_FRAMES is a note from the first of them, if asked for."""
    scores = {
        name: np.zeros((N_PITCHES, 40), np.float32) for name in ("onset", "frame", "offset", "velocity")
    }
    scores["frame"][39, 10:30] = 0.9
    scores["velocity"][39] = 0.5
    assert decode(scores, 0.01) == []
    (note,) = decode(scores, 0.01, DecodingOptions(onsetless_threshold=0.8))
    assert (note.midi, note.velocity) == (60, 64)
    assert note.confidence == pytest.approx(0.9)
    assert (note.onset_s, note.offset_s) == pytest.approx((0.10, 0.30))
    scores["frame"][39, 10 + MIN_ONSETLESS_FRAMES - 1 :] = 0
    assert decode(scores, 0.01, DecodingOptions(onsetless_threshold=0.8)) == []


def test_without_onsetless_notes_by_none_or_a_threshold_that_no_score_exceeds() -> None:
    scores = {name: np.ones((N_PITCHES, 40), np.float32) for name in ("frame", "velocity")}
    scores |= {name: np.zeros((N_PITCHES, 40), np.float32) for name in ("onset", "offset")}
    assert len(decode(scores, 0.01, DecodingOptions(onsetless_threshold=0.99))) == N_PITCHES
    assert decode(scores, 0.01, DecodingOptions(onsetless_threshold=1.0)) == []
    assert decode(scores, 0.01, DecodingOptions(onsetless_threshold=None)) == []


def test_what_rings_on_after_an_offset_is_no_new_note() -> None:
    scores = {
        name: np.zeros((N_PITCHES, 40), np.float32) for name in ("onset", "frame", "offset", "velocity")
    }
    scores["frame"][39, 5:35] = 0.9
    scores["onset"][39, 5] = 0.9
    scores["offset"][39, 15] = 0.9
    (note,) = decode(scores, 0.01, DecodingOptions(onsetless_threshold=0.8))
    assert note.offset_s == pytest.approx(0.15)


@pytest.mark.parametrize("seed", range(3))
def test_onsetless_notes_are_the_same_in_chunks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ("onset", "frame", "offset", "velocity", "bend")
    scores = {
        name: np.clip(np.cumsum(rng.normal(0, 0.15, (N_PITCHES, 300)), axis=1) % 2 - 0.5, 0, 1).astype("f4")
        for name in names
    }
    decoding = DecodingOptions(onset_threshold=0.8, onsetless_threshold=0.6)
    whole = decode(scores, 0.032, decoding)
    decoder, notes, start = NoteDecoder(0.032, decoding), [], 0
    while start < 300:
        end = start + int(rng.integers(1, 40))
        notes += decoder.push({name: array[:, start:end] for name, array in scores.items()})
        start = end
    notes += decoder.flush()
    assert sorted(notes, key=lambda note: (note.onset_s, note.midi)) == whole
    assert len(whole) > len(decode(scores, 0.032, DecodingOptions(onset_threshold=0.8)))
