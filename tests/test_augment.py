"""Augmentation: every example repeats with its seed, and stays within what the docstrings say."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfilt

from audiocnn.augment import MaskPicture, RandomRecording, coloured_noise, equaliser, one_pole, room

RATE = 16_000
PLAIN = {"room_p": 0.0, "equaliser_p": 0.0, "noise_p": 0.0, "saturation_p": 0.0}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decay_s(impulse_response: np.ndarray) -> float:
    """Reverberation time by Schroeder's integration, from the fall from -5 to -25 dB of the tail."""
    left = np.square(impulse_response[1:])[::-1].cumsum()[::-1]
    level_db = 10 * np.log10(left / left[0])
    start, end = np.searchsorted(-level_db, [5, 25])
    return 3 * (end - start) / RATE


@pytest.mark.parametrize("seed", range(8))
def test_room(seed: int) -> None:
    response = room(2 * RATE, RATE, rng(seed))
    assert response[0] == 1
    assert not response[1 : int(0.002 * RATE)].any()
    assert response[int(0.025 * RATE) :].all()
    ratio_db = -10 * np.log10(np.square(response[1:]).sum())
    assert -8 <= ratio_db <= 18
    assert 0.04 < decay_s(response) < 1.7


def test_rooms_keep_low_frequencies_longer() -> None:
    responses = np.array([room(2 * RATE, RATE, rng(seed)) for seed in range(8)])
    low = sosfilt(butter(4, 400, fs=RATE, output="sos"), responses)
    high = sosfilt(butter(4, 5000, "highpass", fs=RATE, output="sos"), responses)
    shorter = [decay_s(above) / decay_s(below) for above, below in zip(high, low, strict=True)]
    assert np.median(shorter) < 0.95


def test_one_pole() -> None:
    response = one_pole(np.eye(1, 4000)[0], cutoff_hz=200, sample_rate=RATE)
    assert response.sum() == pytest.approx(1)  # steady signals pass
    assert response[:3].tolist() == pytest.approx(
        [1 - np.exp(-np.pi / 40), *((1 - np.exp(-np.pi / 40)) * np.exp(-np.pi / 40 * np.arange(1, 3)))]
    )
    at_cutoff = np.abs(response @ np.exp(-2j * np.pi * 200 / RATE * np.arange(4000)))
    assert 20 * np.log10(at_cutoff) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_equaliser(seed: int) -> None:
    """A positive, smooth gain at every frequency, also at 0 Hz."""
    gain = equaliser(np.fft.rfftfreq(RATE, 1 / RATE), rng(seed))
    assert gain.shape == (RATE // 2 + 1,)
    assert np.isfinite(gain).all()
    assert (gain > 0).all()
    steps_db = np.abs(np.diff(20 * np.log10(gain[20:])))
    assert steps_db.max() < 3
    assert np.ptp(20 * np.log10(gain[100:4000])) > 1  # dB: one hears it


def test_coloured_noise() -> None:
    slopes = []
    for seed in range(8):
        noise = coloured_noise(RATE, rng(seed))
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
    record = RandomRecording(room_p=1, equaliser_p=1, noise_p=1, saturation_p=1, gain_db=(-12.0, -6.0))
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
    "effect", [{"room_p": 1.0}, {"equaliser_p": 1.0}, {"noise_p": 1.0}, {"saturation_p": 1.0}]
)
def test_each_effect_is_heard(effect: dict) -> None:
    waveform = rng(1).standard_normal(RATE).astype(np.float32)
    plain = RandomRecording(**PLAIN, gain_db=(0.0, 0.0))(waveform, RATE, RATE, rng(2))
    changed = RandomRecording(**{**PLAIN, **effect}, gain_db=(0.0, 0.0))(waveform, RATE, RATE, rng(2))
    assert 0.001 < np.abs(changed - plain).max() < 2
    assert np.corrcoef(changed, plain)[0, 1] > 0.3


def test_silence_stays_finite() -> None:
    record = RandomRecording(room_p=1, equaliser_p=1, noise_p=1, saturation_p=1)
    assert np.isfinite(record(np.zeros(RATE, np.float32), RATE, RATE, rng())).all()


@pytest.mark.parametrize("semitones", [-2, 1, 12])
def test_varispeed_shifts_pitch(semitones: int) -> None:
    """440 Hz over more samples than are given back sounds higher, as a tape that runs faster."""
    n_read = round(RATE * 2 ** (semitones / 12))
    tone = np.sin(2 * np.pi * 440 / RATE * np.arange(n_read)).astype(np.float32)
    out = RandomRecording(**PLAIN)(tone, RATE, RATE, rng())
    spectrum = np.abs(np.fft.rfft(out * np.hanning(RATE)))  # one bin a Hz
    assert spectrum.argmax() == round(440 * n_read / RATE)


# Masks


def test_masks_only_while_training() -> None:
    pictures = torch.rand(3, 1, 40, 50)
    assert MaskPicture(p=1).eval()(pictures) is pictures
    torch.testing.assert_close(MaskPicture(p=0)(pictures), pictures)


def test_masks_are_bands_of_the_lowest_value() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(20, 1, 60, 50)
    kept = pictures.clone()
    masked = MaskPicture(p=1, bins=18, frames=8)(pictures)
    torch.testing.assert_close(pictures, kept)
    for picture, before in zip(masked[:, 0], pictures[:, 0], strict=True):
        covered = picture != before
        covered |= before == before.min()
        rows, columns = covered.all(dim=1).nonzero().flatten(), covered.all(dim=0).nonzero().flatten()
        for lines, widest in ((rows, 18), (columns, 8)):
            assert 1 <= len(lines) <= widest
            assert lines[-1] - lines[0] == len(lines) - 1
        covered[rows], covered[:, columns] = False, False
        assert covered.sum() <= 1  # nothing else changed
        assert (picture[rows] == before.min()).all()
        assert (picture[:, columns] == before.min()).all()


def test_masks_repeat_with_torchs_seed() -> None:
    pictures = torch.rand(4, 1, 40, 50)
    torch.manual_seed(5)
    first = MaskPicture(p=0.5)(pictures)
    torch.manual_seed(5)
    torch.testing.assert_close(MaskPicture(p=0.5)(pictures), first)


def test_how_often_masks_are_applied() -> None:
    torch.manual_seed(1)
    pictures = torch.rand(400, 1, 40, 50)
    changed = (MaskPicture(p=0.3)(pictures) != pictures).flatten(1).any(dim=1)
    assert changed.float().mean().item() == pytest.approx(1 - 0.7**2, abs=0.08)
