"""Saliency maps and spectrograms as sound."""

import pytest
import torch

from audiocnn.explain.sonify import (
    crop_waveform,
    filter_waveform,
    invert_spectrogram,
    normalise_level,
    resample_to_stft,
)
from audiocnn.frontends.base import FrontEnd
from audiocnn.frontends.cqt import Cqt
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.stft import Stft
from audiocnn.frontends.waveform import Waveform

RATE = 16_000
MEL = LogMel(RATE, n_mels=64, top_db=70.0)


def tones(*frequencies_hz: float, n_samples: int = RATE) -> torch.Tensor:
    times_s = torch.arange(n_samples) / RATE
    return sum(
        (0.1 * torch.sin(2 * torch.pi * hz * times_s) for hz in frequencies_hz), torch.zeros(n_samples)
    )


def level(waveform: torch.Tensor, hz: float) -> float:
    """The amplitude of a sine in the middle of a waveform."""
    middle = waveform[len(waveform) // 4 : 3 * len(waveform) // 4]
    times_s = torch.arange(len(middle)) / RATE
    return float((middle * torch.exp(-2j * torch.pi * hz * times_s)).mean().abs() * 2)


def test_gains_of_one_give_the_recording_back() -> None:
    waveform = torch.randn(RATE + 123)
    n_frames = MEL(waveform[None]).shape[-1]
    torch.testing.assert_close(
        filter_waveform(waveform, torch.ones(64, n_frames), MEL), waveform, atol=1e-5, rtol=0
    )
    assert filter_waveform(waveform, torch.zeros(64, n_frames), MEL).abs().max() == 0


def test_gains_of_high_bins_leave_the_high_tone() -> None:
    waveform = tones(300, 3000)
    gains = (MEL.bins_hz > 1000).float()[:, None].expand(-1, 32)
    left = filter_waveform(waveform, gains, MEL)
    assert level(left, 3000) == pytest.approx(0.1, rel=0.02)
    assert level(left, 300) < 1e-3


def test_gains_of_late_frames_leave_the_end() -> None:
    waveform = tones(1000)
    gains = torch.zeros(64, 32)
    gains[:, 16:] = 1
    left = filter_waveform(waveform, gains, MEL)
    assert left[: 13 * 512].abs().max() < 1e-3
    torch.testing.assert_close(left[18 * 512 :], waveform[18 * 512 :], atol=1e-3, rtol=0)


def test_values_at_other_frequencies_and_times() -> None:
    front_end = Stft(RATE, n_fft=512, hop_length=128)  # half the window and hop of Spectra
    gains = front_end.bins_hz[:, None] + torch.arange(9.0) * 128
    found = resample_to_stft(gains, front_end, 5)
    expected = torch.linspace(0, RATE / 2, 513)[:, None] + torch.arange(5.0) * 256
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-5)


@pytest.mark.parametrize(
    "front_end",
    [
        MEL,
        LogMel(RATE, n_mels=128, fmin=30.0),
        Stft(RATE, n_fft=1024, hop_length=256),
        Cqt(RATE, hop_length=512, fmin=55.0, n_bins=216, bins_per_octave=36, max_length=4096, floor=1e-4),
    ],
)
def test_the_sound_of_an_inverted_spectrogram_has_its_frequencies(front_end: FrontEnd) -> None:
    waveform = tones(440, 1760, n_samples=2 * RATE)
    spectrogram = front_end(waveform[None])[0, 0]
    sound = invert_spectrogram(spectrogram, front_end)
    assert len(sound) == spectrogram.shape[1] * front_end.hop_length
    assert sound.square().mean().sqrt() == pytest.approx(0.1, rel=1e-3)
    spectrum = torch.fft.rfft(sound).abs()
    hz = torch.fft.rfftfreq(len(sound), 1 / RATE)
    near = ((hz / 440).log2().abs() < 1 / 6) | ((hz / 1760).log2().abs() < 1 / 6)
    assert spectrum[near].square().sum() > 0.9 * spectrum.square().sum()


def test_the_spectrogram_of_a_waveform_is_its_sound() -> None:
    waveform = tones(440)
    torch.testing.assert_close(invert_spectrogram(waveform[None], Waveform(RATE)), normalise_level(waveform))


def test_levels() -> None:
    assert normalise_level(torch.zeros(9)).tolist() == [0] * 9
    click = torch.zeros(10_000)
    click[5] = 0.01
    assert normalise_level(click).max() == 1


def test_a_crop_is_those_seconds_and_frequencies() -> None:
    waveform = tones(300, 3000, n_samples=2 * RATE)
    high = int((MEL.bins_hz > 1000).nonzero()[0])
    crop = (slice(high, 64), slice(10, 42))
    sound = crop_waveform(waveform, crop, MEL)
    assert len(sound) == 32 * 512
    assert level(sound, 3000) == pytest.approx(0.1, rel=0.02)
    assert level(sound, 300) < 1e-3
    assert torch.equal(crop_waveform(waveform, crop[1:], MEL), waveform[10 * 512 : 42 * 512])
