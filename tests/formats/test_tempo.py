"""The tempo of notes whose tempo is known, and notes moved to its grid."""

import librosa
import numpy as np
import pytest

from audiocnn import formats
from audiocnn.formats import tempo
from audiocnn.notes import Note


@pytest.mark.parametrize("played", [63.0, 97.3, 120.0, 171.9])
def test_tempo_is_found(played: float) -> None:
    rng = np.random.default_rng(0)
    steps = np.flatnonzero(rng.uniform(size=800) < np.tile([1.0, 0.2, 0.6, 0.2], 200))  # quarters most often
    onsets_s = 3.21 + steps * 15 / played + rng.normal(0, 0.005, len(steps))
    notes = [Note(onset_s, onset_s + 0.1, 60, 100) for onset_s in onsets_s.tolist()]
    found = formats.estimate_tempo(notes)
    octave = 2.0 ** round(
        np.log2(found / played)
    )  # what is the quarter and what the eighth is a matter of taste
    assert found / octave == pytest.approx(played, rel=2e-4)


@pytest.mark.parametrize("longest_s", [1.0, 30.0, 300.0])
def test_coarse_tempo_is_that_of_librosa(longest_s: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        envelope = np.bincount(rng.integers(0, round(longest_s * tempo.RATE), 100), rng.uniform(size=100))
        lags = np.zeros(8 * tempo.RATE)
        found = librosa.autocorrelate(envelope, max_size=len(lags))
        lags[: len(found)] = found / found[0]
        expected = librosa.feature.tempo(tg=lags[:, None], sr=tempo.RATE, hop_length=1)
        assert tempo._estimate_coarsely(envelope) == pytest.approx(float(expected[0]))


@pytest.mark.parametrize(
    "notes", [[], [Note(1.0, 2.0, 60)], [Note(1.0, 2.0, pitch) for pitch in (60, 64, 67)]]
)
def test_tempo_of_no_rhythm(notes: list[Note]) -> None:
    assert formats.estimate_tempo(notes) == 120.0


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
