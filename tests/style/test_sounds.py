"""stylize_sound: as long, at its rate, with the content's harmony and the style's statistics, seamless."""

from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch

from audiocnn.frontends.griffin_lim import Spectra, find_max_magnitude
from audiocnn.style import sounds
from audiocnn.style.sounds import SOUND, _blocks, _fades, crossfade, stylize_sound

RATE = 16_000
FAST = replace(SOUND, iterations=30)


def chords(duration_s: float = 3.0) -> np.ndarray:
    """Three chords of buzzing tones in stereo, with a little noise, (2, samples)."""
    time_s = np.arange(round(duration_s * RATE)) / RATE
    roots = np.array([48, 53, 55])[(3 * time_s / duration_s).astype(int)]
    phases = [440 * 2 ** ((roots + step - 69) / 12) * time_s for step in (0, 4, 7, 12)]
    noise = np.random.default_rng(1).standard_normal(len(time_s))
    left = 0.1 * np.sum([phase % 1 - 0.5 for phase in phases], axis=0) + 1e-3 * noise
    return np.stack([left, 0.5 * left[::-1]]).astype(np.float32)


def clicks(duration_s: float = 3.0) -> np.ndarray:
    """Bursts of noise, eight a second."""
    rng = np.random.default_rng(0)
    time_s = np.arange(round(duration_s * RATE)) / RATE
    return (0.3 * rng.standard_normal(len(time_s)) * np.exp(-60 * (time_s % 0.125))).astype(np.float32)


def test_the_content_comes_back_at_strength_0() -> None:
    result, rate = stylize_sound((chords(), RATE), (clicks(), RATE), strength=0.0)
    assert rate == RATE
    np.testing.assert_allclose(result, chords(), atol=1e-4)


def test_the_style_comes_nearer_and_the_harmony_stays() -> None:
    steps = []
    result, _ = stylize_sound((chords(), RATE), (clicks(), RATE), options=FAST, progress=steps.append)
    assert result.shape == chords().shape and np.isfinite(result).all()
    assert steps[-1].loss < 0.4 * steps[0].loss
    assert [step.done for step in steps] == [*range(1, 61)] and steps[-1].total == 60
    chromas = [
        librosa.feature.chroma_stft(y=sound[0], sr=RATE, n_fft=4096, tuning=0).ravel()
        for sound in (chords(), result)
    ]
    assert np.corrcoef(*chromas)[0, 1] > 0.6


def test_the_default_takes_four_fifths_of_the_style_loss() -> None:
    """Of what is painted; finding a sound for it gives a little back."""
    without = replace(SOUND, content_weight=0.0, iterations=1)
    content, style = (chords()[:1], RATE), (clicks(), RATE)

    def style_loss(sound: tuple[np.ndarray, int]) -> float:
        steps = []
        stylize_sound(sound, style, options=without, progress=steps.append)
        return steps[0].loss

    before = style_loss(content)
    painted = []
    result = stylize_sound(content, style, progress=lambda step: painted.append(step.loss))
    assert painted[-1] < 0.2 * before  # with the content's
    assert style_loss(result) < 0.3 * before


def test_the_same_seed_gives_the_same_sound() -> None:
    short = (chords(0.5)[0], RATE)
    first, again, other = (
        stylize_sound(short, (clicks(0.5), RATE), options=replace(FAST, iterations=3, seed=seed))[0]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_blocks_have_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sound that goes on as it is, each quarter of a second is as loud."""
    monkeypatch.setattr(sounds, "BLOCK_S", 2.5)
    monkeypatch.setattr(sounds, "OVERLAP_S", 0.5)
    time_s = np.arange(6 * RATE) / RATE
    held = 0.1 * np.sum([hz * time_s % 1 - 0.5 for hz in (131, 165, 196, 262)], axis=0)
    held += 1e-3 * np.random.default_rng(1).standard_normal(len(held))
    result, _ = stylize_sound((held, RATE), (clicks(), RATE), options=FAST)
    levels = 10 * np.log10((result[0].reshape(24, -1) ** 2).mean(1))[2:-2]
    assert np.abs(levels - np.median(levels)).max() < 0.5


def test_a_crossfade_is_as_loud_as_what_it_joins() -> None:
    rng = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 16_000, generator=rng)
    for after in (one, other, 0.5 * one + 0.87 * other):
        levels = crossfade(one, after).view(10, -1).square().mean(1)
        torch.testing.assert_close(levels, torch.ones(10), atol=0.12, rtol=0)  # 0.5 dB
    torch.testing.assert_close(crossfade(one, one), one)


def test_blocks_and_their_fades_cover_each_frame_once() -> None:
    for n_frames in (1, 99, 100, 101, 181, 1000):
        blocks = _blocks(n_frames, 100, 20)
        total = torch.zeros(n_frames)
        for (begin, end), fade in zip(blocks, _fades(blocks), strict=True):
            total[begin:end] += fade
        torch.testing.assert_close(total, torch.ones(n_frames))
        assert blocks[0][0] == 0 and blocks[-1][1] == n_frames


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
def test_windows_last_as_long_at_any_rate(rate: int) -> None:
    assert 0.03 < Spectra(rate, 1.0).n_fft / rate < 0.066


def test_magnitudes_and_phases_give_the_waveform() -> None:
    waveform = torch.from_numpy(chords()[0])
    spectra = Spectra(RATE, find_max_magnitude(waveform, RATE))
    spectrum = spectra.stft(waveform)
    spectrogram = spectra.spectrogram(spectrum)
    assert spectrogram.max().item() == pytest.approx(1) and spectrogram.min() >= 0
    magnitudes = spectra.magnitudes(spectrogram)
    result = spectra.reconstruct(magnitudes, spectrum, len(waveform), 0)
    torch.testing.assert_close(result, waveform, atol=1e-4, rtol=0)
    # From no phases at all Griffin-Lim finds some: what is heard has the magnitudes that were asked for.
    found = spectra.reconstruct(magnitudes, torch.zeros_like(spectrum), len(waveform), 60)
    apart = spectra.stft(found).abs() - magnitudes
    assert apart.square().sum() < 0.05 * magnitudes.square().sum()


def test_files_of_other_rates_and_short_ones(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "content.wav", chords(0.3).T, RATE)
    soundfile.write(tmp_path / "style.flac", clicks(0.2), 22_050)
    result, rate = stylize_sound(tmp_path / "content.wav", tmp_path / "style.flac", options=FAST)
    assert result.shape == (2, round(0.3 * RATE)) and rate == RATE
    one, _ = stylize_sound((np.zeros(1, np.float32), RATE), tmp_path / "style.flac", options=FAST)
    assert one.shape == (1, 1) and np.isfinite(one).all()
    soundfile.write(tmp_path / "one.wav", [0.5], RATE)
    short = replace(FAST, iterations=1)
    result, _ = stylize_sound(tmp_path / "content.wav", tmp_path / "one.wav", options=short)
    assert result.shape == (2, round(0.3 * RATE)) and np.isfinite(result).all()


def test_wrong_arguments() -> None:
    sound = (chords(0.2), RATE)
    with pytest.raises(ValueError, match="2 weights given, expected 1, one for each style"):
        stylize_sound(sound, sound, weights=[1.0, 2.0])
    with pytest.raises(ValueError, match="coarsest is 32, expected None: spectrograms are not rescaled"):
        stylize_sound(sound, sound, options=replace(SOUND, coarsest=32))
    with pytest.raises(ValueError, match=r"style_scale is 0\.5, expected None: spectrograms are not"):
        stylize_sound(sound, sound, options=replace(SOUND, style_scale=0.5))
    with pytest.raises(ValueError, match="backbone is 'vgg', of 3, expected a backbone of 1 channel"):
        stylize_sound(sound, sound, backbone="vgg")
    with pytest.raises(ValueError, match=r"strength is 1\.5, expected a number from 0 to 1"):
        stylize_sound(sound, sound, strength=1.5)
