"""Singing: at the pitch of its notes, when they are sung, with the formants of vowels."""

import numpy as np
import pytest

from audiocnn.synthesis import singing
from audiocnn.synthesis.singing import SAMPLE_RATE


def pitch_hz(waveform: np.ndarray, near_hz: float) -> float:
    """Where the first harmonic is strongest, within three semitones."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    frequencies = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    near = np.abs(np.log2(np.maximum(frequencies, 1) / near_hz)) < 3 / 12
    return np.average(frequencies[near], weights=spectrum[near] ** 2)


@pytest.mark.parametrize("midi", [45, 57, 69])
def test_sings_in_tune(midi: int) -> None:
    for seed in range(3):
        voice = singing.sing(np.array([[0.0, 2.0, midi, 100.0]]), np.random.default_rng(seed))
        middle = voice[SAMPLE_RATE // 2 : 3 * SAMPLE_RATE // 2]
        wanted_hz = 440 * 2 ** ((midi - 69) / 12)
        assert abs(1200 * np.log2(pitch_hz(middle, wanted_hz) / wanted_hz)) < 30, seed


def test_sings_the_highest_of_a_chord_one_note_at_a_time() -> None:
    notes = np.array([[0, 2, 60, 90], [0.01, 2, 67, 90], [1, 3, 64, 90], [1, 1.5, 55, 90.0]])
    np.testing.assert_array_equal(singing.extract_melody(notes), [[0.01, 1, 67, 90], [1, 3, 64, 90]])


def test_is_silent_where_nothing_is_sung_and_repeats_by_seed() -> None:
    notes = np.array([[0.5, 1.0, 62, 100], [2.0, 2.5, 64, 60.0]])
    voice = singing.sing(notes, np.random.default_rng(3))
    np.testing.assert_array_equal(voice, singing.sing(notes, np.random.default_rng(3)))
    assert len(voice) == round(2.8 * SAMPLE_RATE)
    level = np.abs(voice[: round(2.75 * SAMPLE_RATE)]).reshape(-1, SAMPLE_RATE // 20).max(axis=1)
    sung = np.flatnonzero(level > 0.01) / 20
    assert sung.min() >= 0.5 and not ((sung > 1.11) & (sung < 2.0)).any() and sung.max() < 2.65
    assert level[10:20].max() > 1.5 * level[40:50].max()  # the second is sung more softly


def test_vowels_have_their_formants() -> None:
    """A hiss through a vowel is loudest around its formants."""
    hiss = np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    spectrum = np.abs(np.fft.rfft(singing._resonated(hiss, [730.0, 1090.0, 2440.0, 3400.0]))) ** 2
    at = {
        frequency: spectrum[frequency - 40 : frequency + 40].mean()
        for frequency in (300, 730, 1800, 2440, 6000)
    }
    assert at[730] > 4 * at[300] and at[2440] > at[1800] > at[6000]
