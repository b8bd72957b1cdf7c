"""Stft: the short-time Fourier transform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from audiocnn.frontends.base import FRONT_ENDS, FrontEnd
from audiocnn.ranges import Range


def compute_stft(
    waveforms: Float[Tensor, "*batch samples"], window: Float[Tensor, " n_fft"], hop_length: int
) -> Complex[Tensor, "*batch bins frames"]:
    """Compute short-time Fourier transforms of waveforms, padded with zeros.

    Frame i is centred on sample i * hop_length.

    Args:
        waveforms: at any sample rate.
        window: window function, (n_fft,).
        hop_length: samples from one frame to the next.

    Returns:
        Complex spectra: bins = 1 + n_fft // 2, frames = 1 + samples // hop_length.
    """
    return torch.stft(
        waveforms,
        len(window),
        hop_length,
        window=window,
        center=True,
        pad_mode="constant",
        return_complex=True,
    )


@FRONT_ENDS.register
class Stft(FrontEnd):
    """Magnitudes or powers of a Hann-windowed short-time Fourier transform.

    Args:
        sample_rate: sample rate of the waveforms, in Hz.
        n_fft: window length and FFT size, in samples.
        hop_length: samples from one frame to the next.
        power: exponent of the magnitudes: 1 for magnitudes, 2 for powers.

    Shape:
        (batch, samples) -> (batch, 1, 1 + n_fft // 2, frames).
    """

    ranges: ClassVar[Mapping[str, Range]] = {"power": Range(0.01, 10)}

    def __init__(
        self, sample_rate: int, n_fft: int = 2048, hop_length: int = 512, power: float = 1.0
    ) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.power = sample_rate, hop_length, power
        self.reach = n_fft // 2
        self.n_bins = n_fft // 2 + 1
        self.bins_hz = torch.linspace(0, sample_rate / 2, self.n_bins)
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def magnitudes(self, spectrograms: Tensor) -> Tensor:
        return spectrograms.clamp(min=0).pow(1 / self.power)

    def forward(self, waveforms: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 bins frames"]:
        spectra = compute_stft(waveforms, self.window, self.hop_length)
        return spectra.abs().pow(self.power).unsqueeze(1)
