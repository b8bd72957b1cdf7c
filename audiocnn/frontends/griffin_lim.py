"""Sound <-> spectrograms without a model: for style transfer, and to sonify what a model's spectrogram holds.

Conventions: waveforms are (samples,), float32; spectrograms (1, 1, bins, frames) from 0, `RANGE_DB` below the
greatest magnitude, to 1, in even steps of decibels near the top. Bins reach up to half of the sample rate.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from audiocnn.frontends.stft import compute_stft

WINDOW_S = 0.046  # about as long as 2048 samples at 44.1 kHz
HOPS = 4  # in a window
RANGE_DB = 60.0  # dynamic range of spectrograms
MOMENTUM = 0.99  # as in Perraudin et al., 2013


def choose_n_fft(sample_rate: int) -> int:
    """Choose the FFT size: the power of two that is nearest to `WINDOW_S`.

    Args:
        sample_rate: in Hz.

    Returns:
        The window length and FFT size, in samples.
    """
    return 2 ** round(math.log2(WINDOW_S * sample_rate))


class Spectra:
    """Conversion between waveforms of one sample rate and spectrograms.

    Windows are Hann windows that overlap by 3/4.

    Args:
        sample_rate: sample rate of the waveforms, in Hz.
        max_magnitude: the magnitude that is 1 in a spectrogram.

    Attributes:
        n_fft: window length and FFT size, in samples.
        hop_length: samples from one frame to the next.
        n_bins: number of frequency bins.
    """

    def __init__(self, sample_rate: int, max_magnitude: float) -> None:
        self.n_fft = choose_n_fft(sample_rate)
        self.hop_length = self.n_fft // HOPS
        self.n_bins = self.n_fft // 2 + 1
        self.window = torch.hann_window(self.n_fft)
        self.floor = max(max_magnitude, 1e-6) * 10 ** (-RANGE_DB / 20)
        self.top = math.log1p(10 ** (RANGE_DB / 20))

    def stft(self, waveform: Float[Tensor, " samples"]) -> Complex[Tensor, "bins frames"]:
        """Compute the spectrum of a waveform, see `stft.compute_stft`.

        Args:
            waveform: at the sample rate.

        Returns:
            The complex spectrum.
        """
        return compute_stft(waveform, self.window, self.hop_length)

    def istft(self, spectrum: Complex[Tensor, "bins frames"], n_samples: int) -> Float[Tensor, " samples"]:
        """Compute the waveform whose spectrum is nearest to a given one, by the inverse STFT.

        Args:
            spectrum: complex; need not be the STFT of a waveform.
            n_samples: length of the waveform.

        Returns:
            The waveform.
        """
        return torch.istft(spectrum, self.n_fft, self.hop_length, window=self.window, length=n_samples)

    def spectrogram(self, spectrum: Complex[Tensor, "bins frames"]) -> Float[Tensor, "1 1 bins frames"]:
        """Compute a spectrogram from a spectrum.

        Args:
            spectrum: as `stft` returns it.

        Returns:
            The spectrogram, from 0 to 1.
        """
        return (torch.log1p(spectrum.abs() / self.floor) / self.top)[None, None]

    def magnitudes(self, spectrogram: Float[Tensor, "1 1 bins frames"]) -> Float[Tensor, "bins frames"]:
        """Compute magnitudes from a spectrogram, the inverse of `spectrogram`.

        Args:
            spectrogram: as `spectrogram` returns it.

        Returns:
            Linear magnitudes.
        """
        return torch.expm1(spectrogram[0, 0] * self.top) * self.floor

    def reconstruct(
        self,
        magnitudes: Float[Tensor, "bins frames"],
        start: Complex[Tensor, "bins frames"],
        n_samples: int,
        n_steps: int,
    ) -> Float[Tensor, " samples"]:
        """Reconstruct a waveform from magnitudes, by the fast Griffin-Lim algorithm.

        Args:
            magnitudes: target magnitudes.
            start: spectrum with the initial phases, such as that of the content sound.
            n_samples: length of the waveform.
            n_steps: number of iterations; with 0 the initial phases are kept.

        Returns:
            The waveform.

        Source:
            Perraudin, Balazs, Sondergaard, "A fast Griffin-Lim algorithm", 2013, algorithm 2.

        Differs:
            torchaudio.functional.griffinlim does the same, but starts from random phases or zeros only.
        """
        spectrum = torch.polar(magnitudes, start.angle())
        before = spectrum
        for _ in range(n_steps):
            consistent = self.stft(self.istft(spectrum, n_samples))
            ahead = consistent + MOMENTUM * (consistent - before)
            spectrum, before = torch.polar(magnitudes, ahead.angle()), consistent
        return self.istft(spectrum, n_samples)


def find_max_magnitude(waveform: Tensor, sample_rate: int) -> float:
    """Find the greatest magnitude of a waveform's spectrum.

    Args:
        waveform: (samples,).
        sample_rate: in Hz.

    Returns:
        The magnitude.
    """
    return Spectra(sample_rate, 1.0).stft(waveform).abs().max().item()
