"""The tempo of notes whose tempo is known, and notes moved to its grid."""

import numpy as np
import pytest

from audiocnn import formats
from audiocnn.formats.tempo import find_tempo
from audiocnn.notes import Note

# Onsets in a bar of 4 quarters (3 of a waltz), in quarters.
RHYTHMS = {
    "quarters": (4, [0, 1, 2, 3]),
    "eighths": (4, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]),
    "sixteenths": (1, [0, 0.25, 0.5, 0.75]),
    "eighths and sixteenths": (2, [0, 0.5, 0.75, 1, 1.5]),
    "dotted": (2, [0, 1.5]),
    "syncopated": (4, [0, 0.5, 1.5, 2.5, 3, 3.5]),
    "rests": (4, [0, 0.5, 1, 2, 2.5]),
    "waltz": (3, [0, 1, 1.5, 2]),
    "halves": (4, [0, 2]),
}
IN_THREES = {"swing": (2, [0, 2 / 3, 1, 5 / 3]), "with rests": (4, [0, 2 / 3, 1, 5 / 3, 2, 3, 11 / 3])}
JITTERS_S = (0.0, 0.015)


def play(rhythm: tuple[float, list[float]], tempo: float, jitter_s: float, n_bars: int = 16) -> list[Note]:
    """A rhythm of single notes and chords, louder on the beat, each onset off by a little."""
    length, bar = rhythm
    beats = np.concatenate([np.array(bar) + length * number for number in range(n_bars)])
    rng = np.random.default_rng(round(1000 * tempo))
    onsets_s = 1.3 + beats * 60 / tempo + rng.normal(0, jitter_s, len(beats))
    velocities = np.where(beats % 1 == 0, 85, 70) + rng.integers(-6, 6, len(beats))
    sizes = rng.integers(1, 4, len(beats))
    return [
        Note(float(onset_s), float(onset_s + 0.2), 60 + 4 * pitch, int(velocity))
        for onset_s, velocity, size in zip(onsets_s, velocities, sizes, strict=True)
        for pitch in range(size)
    ]


def is_octave_of(found: float | None, tempo: float) -> bool:
    return found is not None and any(
        found == pytest.approx(tempo * factor, rel=0.02) for factor in (0.5, 1, 2)
    )


@pytest.mark.parametrize("jitter_s", JITTERS_S)
@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_tempo_is_found_to_an_octave(rhythm: str, jitter_s: float) -> None:
    """What is the quarter and what the eighth is a matter of taste."""
    tempi = (45, 60, 84, 120, 144, 168, 210)
    wrong = [
        (tempo, found)
        for tempo in tempi
        if not is_octave_of(found := find_tempo(play(RHYTHMS[rhythm], tempo, jitter_s)), tempo)
    ]
    assert not wrong


@pytest.mark.parametrize("rhythm", IN_THREES)
def test_beats_in_threes(rhythm: str) -> None:
    for tempo in (80, 100, 120, 150):
        assert is_octave_of(find_tempo(play(IN_THREES[rhythm], tempo, 0.005)), tempo), tempo


@pytest.mark.parametrize("tempo", [76, 92, 120, 144])
@pytest.mark.parametrize("n_steps", [2, 3, 4])
def test_even_notes_are_grouped_by_their_accents(tempo: float, n_steps: int) -> None:
    """Triplets and 9/8, which differ from eighths and sixteenths by what is louder alone."""
    rng = np.random.default_rng(0)
    onsets_s = 0.7 + np.arange(48 * n_steps) * 60 / tempo / n_steps + rng.normal(0, 0.008, 48 * n_steps)
    velocities = np.tile([90] + [70] * (n_steps - 1), 48) + rng.integers(0, 10, 48 * n_steps)
    notes = [
        Note(float(onset_s), float(onset_s) + 0.1, 60, int(velocity))
        for onset_s, velocity in zip(onsets_s, velocities, strict=True)
    ]
    assert is_octave_of(find_tempo(notes), tempo)


@pytest.mark.parametrize("seed", range(5))
def test_even_notes_without_accents(seed: int) -> None:
    rng = np.random.default_rng(seed)
    notes = [
        Note(0.7 + i * 30 / 144, 0.8 + i * 30 / 144, int(rng.integers(60, 72)), int(rng.integers(70, 100)))
        for i in range(64)
    ]
    tempo = formats.estimate_tempo(notes)
    assert is_octave_of(tempo, 144)
    onsets_s = [note.onset_s for note in formats.quantise(notes, tempo)]
    np.testing.assert_allclose(np.diff(onsets_s), 30 / 144, rtol=1e-4)


@pytest.mark.parametrize("step", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("tempo", [52, 90, 118, 171, 190])
def test_even_notes_stay_even(tempo: float, step: float) -> None:
    onsets_s = 0.3 + step * 60 / tempo * np.arange(64)
    notes = [Note(onset_s, onset_s + 0.05, 60, 80) for onset_s in onsets_s.tolist()]
    quantised = formats.quantise(notes, formats.estimate_tempo(notes))
    np.testing.assert_allclose(np.diff([note.onset_s for note in quantised]), step * 60 / tempo, rtol=1e-3)


@pytest.mark.parametrize("played", [63.0, 97.3, 120.0, 171.9])
def test_tempo_is_exact(played: float) -> None:
    """So exact that after some minutes the grid of `quantise` is still where the notes are."""
    rng = np.random.default_rng(0)
    steps = np.flatnonzero(rng.uniform(size=800) < np.tile([1.0, 0.2, 0.6, 0.2], 200))
    onsets_s = 3.21 + steps * 15 / played + rng.normal(0, 0.005, len(steps))
    found = formats.estimate_tempo([Note(onset_s, onset_s + 0.1, 60, 100) for onset_s in onsets_s.tolist()])
    octave = 2.0 ** round(np.log2(found / played))
    assert found / octave == pytest.approx(played, rel=5e-5)


def test_tempo_of_a_performance_that_wavers() -> None:
    rng = np.random.default_rng(0)
    lengths_s = 60 / 96 / 2 * (1 + rng.normal(0, 0.03, 120))
    notes = [Note(float(onset_s), float(onset_s) + 0.2, 60) for onset_s in np.cumsum(lengths_s)]
    assert is_octave_of(find_tempo(notes), 96)


@pytest.mark.parametrize(("name", "tempo"), [("menuet_piano", 116), ("greensleeves_flute_guitar", 200)])
def test_tempo_of_the_examples(examples, name: str, tempo: float) -> None:
    """The tempi of data/examples/make.py."""
    assert is_octave_of(find_tempo(formats.read_notes(examples / f"{name}.mid")), tempo)


@pytest.mark.parametrize(
    "notes",
    [
        [],
        [Note(1.0, 2.0, 60)],
        [Note(1.0, 2.0, pitch) for pitch in range(60, 90)],
        [Note(0.5 * i, 0.5 * i + 0.4, 60) for i in range(6)],
        [Note(1.0, 1.1, 60), Note(1e5, 1e5 + 1, 60)] * 3,
    ],
    ids=["none", "one", "one chord", "few", "far apart"],
)
def test_tempo_of_no_rhythm_is_in_doubt(notes: list[Note]) -> None:
    assert find_tempo(notes) is None
    assert formats.estimate_tempo(notes) == 120.0


def test_tempo_of_random_onsets_is_in_doubt() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        onsets_s = rng.uniform(0, rng.uniform(5, 90), rng.integers(4, 200)).tolist()
        notes = [Note(onset_s, onset_s + 0.1, 60, int(rng.integers(40, 100))) for onset_s in onsets_s]
        assert find_tempo(notes) is None, seed


def test_tempo_of_an_accelerando_is_in_doubt() -> None:
    onsets_s = np.cumsum(60 / np.linspace(60, 120, 80)).tolist()
    assert find_tempo([Note(onset_s, onset_s + 0.1, 60) for onset_s in onsets_s]) is None


def test_quantise() -> None:
    notes = [Note(0.03, 0.55, 60, 90), Note(0.53, 0.54, 62), Note(0.79, 1.15, 64), Note(1.28, 2.03, 65)]
    quantised = formats.quantise(
        notes, tempo=120, division=16
    )  # a step is 0.125 s; the music lies 0.03 s late
    assert [(note.onset_s, note.offset_s) for note in quantised] == [
        (0.0, 0.5),
        (0.5, 0.625),
        (0.75, 1.125),
        (1.25, 2.0),
    ]
    assert [(note.midi, note.velocity) for note in quantised] == [(60, 90), (62, 100), (64, 100), (65, 100)]
    assert formats.quantise(quantised, 120, 16) == quantised


def test_quantise_loses_no_note() -> None:
    rng = np.random.default_rng(3)
    notes = [Note(s, s + 0.01, pitch) for s, pitch in zip(rng.uniform(0, 60, 300), range(300), strict=True)]
    quantised = formats.quantise(notes, tempo=97, division=8)
    assert [note.midi for note in quantised] == list(range(300))
    steps = np.array([(note.onset_s, note.offset_s) for note in quantised]) / (240 / 97 / 8)
    assert np.abs(steps - steps.round()).max() < 1e-9
    assert (np.diff(steps, axis=1) >= 1 - 1e-9).all()
    assert formats.quantise([], 120) == []


@pytest.mark.parametrize("tempo", [0, -60, 3.9, 1001, float("nan")])
def test_quantise_refuses_a_tempo_out_of_range(tempo: float) -> None:
    with pytest.raises(ValueError, match=f"tempo is {tempo}, expected 4 to 1000"):
        formats.quantise([Note(0.0, 1.0, 60)], tempo)


@pytest.mark.parametrize("division", [0, -4, float("nan"), 2000])
def test_quantise_refuses_a_division_out_of_range(division: int) -> None:
    with pytest.raises(ValueError, match=f"division is {division}, expected 1 to 1024"):
        formats.quantise([Note(0.0, 1.0, 60)], 120, division)
