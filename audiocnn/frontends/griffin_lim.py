"""Sound <-> spectrograms that style transfer paints: magnitudes of a spectrogram, and phases to hear them by.

Conventions: waveforms are (samples,), float32; spectrograms (1, 1, bins, frames) from 0, `RANGE_DB` below what is
loudest, to 1, in even steps of decibels near the top. Bins reach up to half of the sample rate.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

WINDOW_S = 0.046  # about as long as 2048 samples at 44.1 kHz
HOPS = 4  # in a window
RANGE_DB = 60.0
MOMENTUM = 0.99


def window_of(sample_rate: int) -> int:
    """Samples of a window: the power of two that is nearest to `WINDOW_S`."""
    return 2 ** round(math.log2(WINDOW_S * sample_rate))


class Spectra:
    """Waveforms of one sample rate as spectrograms, and back.

    Args:
        loudest: the magnitude that is 1.
    """

    def __init__(self, sample_rate: int, loudest: float) -> None:
        self.n_fft = window_of(sample_rate)
        self.hop_length = self.n_fft // HOPS
        self.n_bins = self.n_fft // 2 + 1
        self.window = torch.hann_window(self.n_fft)
        self.floor = max(loudest, 1e-6) * 10 ** (-RANGE_DB / 20)
        self.top = math.log1p(10 ** (RANGE_DB / 20))

    def stft(self, waveform: Tensor) -> Tensor:
        """(samples,) -> complex (bins, frames); frame i is centred on sample i * hop_length."""
        return torch.stft(
            waveform,
            self.n_fft,
            self.hop_length,
            window=self.window,
            pad_mode="constant",
            return_complex=True,
        )

    def istft(self, spectrum: Tensor, n_samples: int) -> Tensor:
        """Complex (bins, frames) -> (samples,)."""
        return torch.istft(spectrum, self.n_fft, self.hop_length, window=self.window, length=n_samples)

    def spectrogram(self, spectrum: Tensor) -> Tensor:
        """Complex (bins, frames) -> (1, 1, bins, frames)."""
        return (torch.log1p(spectrum.abs() / self.floor) / self.top)[None, None]

    def magnitudes(self, spectrogram: Tensor) -> Tensor:
        """(1, 1, bins, frames) -> (bins, frames)."""
        return torch.expm1(spectrogram[0, 0] * self.top) * self.floor

    def waveform(self, magnitudes: Tensor, start: Tensor, n_samples: int, steps: int) -> Tensor:
        """The waveform with magnitudes nearest to these, found from a start for the phases.

        Shape: (bins, frames) and complex (bins, frames) -> (n_samples,).
        Source: Perraudin, Balazs, Sondergaard, "A fast Griffin-Lim algorithm", 2013, algorithm 2.
        """
        spectrum = torch.polar(magnitudes, start.angle())
        before = spectrum
        for _ in range(steps):
            consistent = self.stft(self.istft(spectrum, n_samples))
            ahead = consistent + MOMENTUM * (consistent - before)
            spectrum, before = torch.polar(magnitudes, ahead.angle()), consistent
        return self.istft(spectrum, n_samples)


def loudest(waveform: Tensor, sample_rate: int) -> float:
    """The greatest magnitude of a waveform's spectrogram."""
    return Spectra(sample_rate, 1.0).stft(waveform).abs().max().item()
