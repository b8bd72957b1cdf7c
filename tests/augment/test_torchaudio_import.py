"""torchaudio is importable beside any torch, and what is here in its place does what it does."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from audiocnn.augment import SpecAugment, add_noise, stretch_time
from audiocnn.augment.torchaudio_import import import_torchaudio
from audiocnn.frontends.mel import create_mel_filters


def test_importable_in_a_new_process_with_and_without_its_extension() -> None:
    program = (
        "from audiocnn.augment.torchaudio_import import import_torchaudio; import torch; "
        "functional, transforms = map(import_torchaudio, ('functional', 'transforms')); "
        "print(tuple(transforms.Spectrogram(64)(torch.zeros(1, 128)).shape), functional.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "(1, 33, 5) torchaudio.functional"


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"torchaudio\.nothing"):
        import_torchaudio("nothing")


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "fmin"), [(16_000, 2048, 128, 30.0), (8000, 512, 20, 0.0)]
)
def test_mel_filters_are_torchaudios(sample_rate: int, n_fft: int, n_mels: int, fmin: float) -> None:
    theirs = import_torchaudio("functional").melscale_fbanks(
        n_fft // 2 + 1, fmin, sample_rate / 2, n_mels, sample_rate, norm="slaney", mel_scale="slaney"
    )
    ours = create_mel_filters(sample_rate, n_fft, n_mels, fmin, sample_rate / 2)
    torch.testing.assert_close(ours, theirs.T, atol=1e-6, rtol=0)


def test_masks_are_torchaudios() -> None:
    """With p = 1 and a lowest value of 0, those of FrequencyMasking, then TimeMasking."""
    spectrograms = torch.rand(3, 1, 40, 50)
    spectrograms[..., 0, 0] = 0
    transforms = import_torchaudio("transforms")
    torch.manual_seed(0)
    ours = SpecAugment(p=1.0, bins=10, frames=8)(spectrograms)
    torch.manual_seed(0)
    expected = transforms.FrequencyMasking(11, iid_masks=True)(spectrograms)
    torch.rand(3)  # which spectrograms are masked
    expected = transforms.TimeMasking(9, iid_masks=True)(expected)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("snr_db", [-5.0, 20.0])
def test_noise_is_torchaudios(snr_db: float) -> None:
    waveform = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    noisy = add_noise(waveform, snr_db, np.random.default_rng(1))
    noise = torch.from_numpy(noisy - waveform)
    expected = import_torchaudio("functional").add_noise(
        torch.from_numpy(waveform), noise, torch.tensor(snr_db)
    )
    torch.testing.assert_close(torch.from_numpy(noisy), expected, atol=1e-4, rtol=0)


def test_time_stretch_keeps_onsets_sharper_than_torchaudios() -> None:
    """Why WSOLA is here beside torchaudio's phase vocoder: the energy more than 10 ms before an onset."""
    rate, functional = 16_000, import_torchaudio("functional")
    time_s = np.arange(rate) / rate
    tone = (np.sin(2 * np.pi * 330 * time_s) * np.exp(-8 * time_s)).astype(np.float32)
    struck = np.concatenate([np.zeros(rate, np.float32), tone])
    window, advance = torch.hann_window(1024), torch.linspace(0, torch.pi * 256, 513)[:, None]
    spectrum = torch.stft(torch.from_numpy(struck), 1024, 256, window=window, return_complex=True)
    theirs = torch.istft(functional.phase_vocoder(spectrum, 0.8, advance), 1024, 256, window=window).numpy()

    def energy_before(waveform: np.ndarray) -> float:
        onset = round(1.25 * rate)
        return float((waveform[: onset - 160] ** 2).sum() / (waveform**2).sum())

    assert energy_before(stretch_time(struck, 1.25, rate)) < 0.3 * energy_before(theirs)
