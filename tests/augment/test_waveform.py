"""Waveforms: every example repeats with its seed, and stays within what the docstrings say."""

import numpy as np
import pytest
from scipy.signal import butter, find_peaks, sosfilt

from audiocnn.augment import (
    RandomClip,
    RandomRecording,
    add_noise,
    draw_crop,
    draw_equaliser,
    draw_impulse_response,
    draw_noise,
    filter_low_pass,
    shift_pitch,
    stretch_time,
)

RATE = 16_000
PLAIN = {"impulse_response_p": 0.0, "equaliser_p": 0.0, "noise_p": 0.0, "saturation_p": 0.0}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decay_s(impulse_response: np.ndarray) -> float:
    """Reverberation time by Schroeder's integration, from the fall from -5 to -25 dB of the tail."""
    left = np.square(impulse_response[1:])[::-1].cumsum()[::-1]
    level_db = 10 * np.log10(left / left[0])
    start, end = np.searchsorted(-level_db, [5, 25])
    return 3 * (end - start) / RATE


@pytest.mark.parametrize("seed", range(8))
def test_impulse_response(seed: int) -> None:
    response = draw_impulse_response(2 * RATE, RATE, rng(seed))
    assert response[0] == 1
    assert not response[1 : int(0.002 * RATE)].any()
    assert response[int(0.025 * RATE) :].all()
    ratio_db = -10 * np.log10(np.square(response[1:]).sum())
    assert -8 <= ratio_db <= 18
    assert 0.04 < decay_s(response) < 1.7


def test_impulse_responses_keep_low_frequencies_longer() -> None:
    responses = np.array([draw_impulse_response(2 * RATE, RATE, rng(seed)) for seed in range(8)])
    low = sosfilt(butter(4, 400, fs=RATE, output="sos"), responses)
    high = sosfilt(butter(4, 5000, "highpass", fs=RATE, output="sos"), responses)
    shorter = [decay_s(above) / decay_s(below) for above, below in zip(high, low, strict=True)]
    assert np.median(shorter) < 0.95


def test_low_pass() -> None:
    response = filter_low_pass(np.eye(1, 4000)[0], cutoff_hz=200, sample_rate=RATE)
    assert response.sum() == pytest.approx(1)  # steady signals pass
    assert response[:3].tolist() == pytest.approx(
        [1 - np.exp(-np.pi / 40), *((1 - np.exp(-np.pi / 40)) * np.exp(-np.pi / 40 * np.arange(1, 3)))]
    )
    at_cutoff = np.abs(response @ np.exp(-2j * np.pi * 200 / RATE * np.arange(4000)))
    assert 20 * np.log10(at_cutoff) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_equaliser(seed: int) -> None:
    """A positive, smooth gain at every frequency, also at 0 Hz."""
    gain = draw_equaliser(np.fft.rfftfreq(RATE, 1 / RATE), rng(seed))
    assert gain.shape == (RATE // 2 + 1,)
    assert np.isfinite(gain).all()
    assert (gain > 0).all()
    steps_db = np.abs(np.diff(20 * np.log10(gain[20:])))
    assert steps_db.max() < 3
    assert np.ptp(20 * np.log10(gain[100:4000])) > 1  # dB: it is audible


def test_coloured_noise() -> None:
    slopes = []
    for seed in range(8):
        noise = draw_noise(RATE, rng(seed))
        assert np.mean(noise**2) == pytest.approx(1)
        power = np.square(np.abs(np.fft.rfft(noise)))
        low, high = power[100:200].mean(), power[6400:].mean()
        slopes.append(10 * np.log10(low / high) / np.log2(7200 / 150))  # dB an octave
    assert min(slopes) > -0.5
    assert max(slopes) < 6.6
    assert max(slopes) - min(slopes) > 2


@pytest.mark.parametrize("n_samples", [RATE, RATE + 500, RATE - 500])
@pytest.mark.parametrize("seed", [0, 1])
def test_random_recording(n_samples: int, seed: int) -> None:
    record = RandomRecording(
        impulse_response_p=1, equaliser_p=1, noise_p=1, saturation_p=1, gain_db=(-12.0, -6.0)
    )
    waveform = rng(9).standard_normal(RATE).astype(np.float32)
    out = record(waveform, n_samples, RATE, rng(seed))
    assert out.shape == (n_samples,)
    assert out.dtype == np.float32
    assert -12 - 1e-4 <= 20 * np.log10(np.abs(out).max()) <= -6 + 1e-4
    np.testing.assert_array_equal(out, record(waveform, n_samples, RATE, rng(seed)))
    assert np.abs(out - record(waveform, n_samples, RATE, rng(seed + 1))).max() > 0.01


def test_without_effects_only_the_level_changes() -> None:
    waveform = rng(1).standard_normal(RATE).astype(np.float32)
    out = RandomRecording(**PLAIN, gain_db=(-20.0, -20.0))(waveform, RATE, RATE, rng())
    np.testing.assert_allclose(out, 0.1 * waveform / np.abs(waveform).max(), atol=1e-6)


@pytest.mark.parametrize(
    "effect", [{"impulse_response_p": 1.0}, {"equaliser_p": 1.0}, {"noise_p": 1.0}, {"saturation_p": 1.0}]
)
def test_each_effect_changes_the_waveform(effect: dict) -> None:
    waveform = rng(1).standard_normal(RATE).astype(np.float32)
    plain = RandomRecording(**PLAIN, gain_db=(0.0, 0.0))(waveform, RATE, RATE, rng(2))
    changed = RandomRecording(**{**PLAIN, **effect}, gain_db=(0.0, 0.0))(waveform, RATE, RATE, rng(2))
    assert 0.001 < np.abs(changed - plain).max() < 2
    assert np.corrcoef(changed, plain)[0, 1] > 0.3


def test_silence_stays_finite() -> None:
    record = RandomRecording(impulse_response_p=1, equaliser_p=1, noise_p=1, saturation_p=1)
    assert np.isfinite(record(np.zeros(RATE, np.float32), RATE, RATE, rng())).all()


@pytest.mark.parametrize("semitones", [-2, 1, 12])
def test_varispeed_shifts_pitch(semitones: int) -> None:
    """440 Hz over more samples than are given back sounds higher, as a tape that runs faster."""
    n_read = round(RATE * 2 ** (semitones / 12))
    tone = np.sin(2 * np.pi * 440 / RATE * np.arange(n_read)).astype(np.float32)
    out = RandomRecording(**PLAIN)(tone, RATE, RATE, rng())
    spectrum = np.abs(np.fft.rfft(out * np.hanning(RATE)))  # one bin a Hz
    assert spectrum.argmax() == round(440 * n_read / RATE)


# One effect at a time


def tone(frequency_hz: float, n_samples: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz / RATE * np.arange(n_samples)).astype(np.float32)


def loudest_hz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return spectrum.argmax() * RATE / len(waveform)


@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 40.0])
@pytest.mark.parametrize("level", [1.0, 0.01])
def test_noise_has_the_ratio_asked_for(snr_db: float, level: float) -> None:
    waveform = level * tone(300)
    noise = add_noise(waveform, snr_db, rng()) - waveform
    ratio_db = 10 * np.log10(np.mean(waveform**2) / np.mean(noise**2))
    assert ratio_db == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("semitones", [-12, -3, 0.5, 7, 12])
def test_pitch_shifts_and_tempo_stays(semitones: float) -> None:
    """Of two tones at once, and of one that begins in time."""
    chord = tone(440) + 0.5 * tone(620)
    shifted = shift_pitch(np.concatenate([chord, np.zeros(RATE, np.float32), tone(880)]), semitones, RATE)
    assert shifted.shape == (3 * RATE,)
    assert shifted.dtype == np.float32
    ratio = 2 ** (semitones / 12)
    assert loudest_hz(shifted[:RATE]) == pytest.approx(440 * ratio, abs=1)
    above = np.fft.rfft(shifted[:RATE] * np.hanning(RATE))
    above[: round(530 * ratio)] = 0
    assert np.abs(above).argmax() == pytest.approx(620 * ratio, abs=1)
    assert loudest_hz(shifted[2 * RATE :]) == pytest.approx(880 * ratio, abs=1)
    rest_s = np.flatnonzero(np.abs(shifted[RATE + 2000 :]) > 0.35)[0] / RATE
    assert 1 + 2000 / RATE + rest_s == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_stretching_moves_onsets_apart_and_keeps_pitch(factor: float) -> None:
    onsets, struck = [4000, 16_000, 28_000], np.zeros(3 * RATE, np.float32)
    for onset in onsets:
        struck[onset : onset + 8000] = tone(440, 8000) * np.exp(-np.arange(8000) / 800)
    stretched = stretch_time(struck, factor, RATE)
    assert stretched.shape == (round(3 * RATE * factor),)
    assert loudest_hz(stretched) == pytest.approx(440, abs=1)
    energy = np.convolve(np.square(stretched), np.hanning(800), "same")
    peaks, _ = find_peaks(energy, height=energy.max() / 4, distance=4000)
    assert np.diff(peaks) / RATE == pytest.approx(factor * np.diff(onsets) / RATE, abs=0.005)


def test_stretching_by_nothing_changes_nothing() -> None:
    waveform = rng().standard_normal(RATE).astype(np.float32)
    np.testing.assert_allclose(stretch_time(waveform, 1.0, RATE), waveform, atol=1e-6)
    np.testing.assert_allclose(shift_pitch(waveform, 0.0, RATE), waveform, atol=1e-6)


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_stretched_tones_keep_their_level(factor: float) -> None:
    stretched = stretch_time(tone(55) + tone(440), factor, RATE)[1000:-1000]
    assert np.sqrt(np.mean(stretched**2)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("n_samples", [1, 100, 3000])
def test_short_sounds_and_silence_are_stretched_too(n_samples: int) -> None:
    assert stretch_time(np.ones(n_samples, np.float32), 1.5, RATE).shape == (round(1.5 * n_samples),)
    assert not shift_pitch(np.zeros(n_samples, np.float32), 3, RATE).any()


def test_crop() -> None:
    waveform = np.arange(10.0)
    crops = {tuple(draw_crop(waveform, 4, rng(seed))) for seed in range(100)}
    assert crops == {tuple(range(start, start + 4)) for start in range(7)}
    assert draw_crop(waveform, 12, rng()).tolist() == [0, 0, *range(10)]
    assert draw_crop(waveform, 10, rng()).tolist() == waveform.tolist()


# Clips

STILL = {"polarity_p": 0.0, "stretch_p": 0.0, "pitch_p": 0.0}
FLAT = RandomRecording(**PLAIN, gain_db=(0.0, 0.0))


def test_a_clip_without_effects_stays() -> None:
    waveform = tone(440)
    out = RandomClip(**STILL, record=FLAT)(waveform, RATE, RATE, rng())
    np.testing.assert_allclose(out, waveform, atol=1e-5)


def test_polarity() -> None:
    waveform = tone(440)
    turned = RandomClip(**{**STILL, "polarity_p": 1.0}, record=FLAT)
    np.testing.assert_allclose(turned(waveform, RATE, RATE, rng()), -waveform, atol=1e-5)
    often = RandomClip(**{**STILL, "polarity_p": 0.3}, record=FLAT)
    n_turned = sum(often(waveform[:100], 100, RATE, rng(seed))[9] * waveform[9] < 0 for seed in range(500))
    assert n_turned / 500 == pytest.approx(0.3, abs=0.06)


def test_a_clip_in_another_key() -> None:
    higher = RandomClip(**{**STILL, "pitch_p": 1.0}, semitones=(12.0, 12.0), record=FLAT)
    assert loudest_hz(higher(tone(440), RATE, RATE, rng())) == pytest.approx(880, abs=1)
    any_of_two = RandomClip(**{**STILL, "pitch_p": 1.0}, semitones=(-2.0, 2.0), record=FLAT)
    found = [loudest_hz(any_of_two(tone(440), RATE, RATE, rng(seed))) for seed in range(40)]
    semitones = 12 * np.log2(np.array(found) / 440)
    assert (semitones.min(), semitones.max()) == pytest.approx((-2, 2), abs=0.3)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_a_clip_at_another_pace(factor: float) -> None:
    """Four seconds, of which the caller drops the first: what is left sounds to its end."""
    paced = RandomClip(**{**STILL, "stretch_p": 1.0}, stretch=(factor, factor), record=FLAT)
    out = paced(tone(440, 4 * RATE), 4 * RATE, RATE, rng())
    assert out.shape == (4 * RATE,)
    assert loudest_hz(out[RATE:]) == pytest.approx(440, abs=1)
    level = np.sqrt(np.square(out[RATE:]).reshape(-1, 400).mean(1))
    assert level[:-4].min() > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_repeats_a_clip_bitwise(seed: int) -> None:
    waveform = rng(9).standard_normal(RATE).astype(np.float32)
    change = RandomClip(stretch_p=1.0, pitch_p=1.0)
    out = change(waveform, RATE + 100, RATE, rng(seed))
    assert out.shape == (RATE + 100,)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, change(waveform, RATE + 100, RATE, rng(seed)))
    assert np.abs(out - change(waveform, RATE + 100, RATE, rng(seed + 1))).max() > 0.01
