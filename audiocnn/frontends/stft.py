"""Stft: the short-time Fourier transform."""

from __future__ import annotations

import torch
from torch import Tensor

from audiocnn.frontends.base import FRONT_ENDS, FrontEnd


@FRONT_ENDS.register
class Stft(FrontEnd):
    """Magnitudes (power 1) or powers (power 2) of a Hann-windowed short-time Fourier transform.

    Shape: (batch, samples) -> (batch, 1, 1 + n_fft // 2, frames).
    """

    def __init__(
        self, sample_rate: int, n_fft: int = 2048, hop_length: int = 512, power: float = 1.0
    ) -> None:
        super().__init__()
        self.sample_rate, self.n_fft, self.hop_length, self.power = sample_rate, n_fft, hop_length, power
        self.reach = n_fft // 2
        self.n_bins = n_fft // 2 + 1
        self.bins_hz = torch.linspace(0, sample_rate / 2, self.n_bins)
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def magnitudes(self, spectrograms: Tensor) -> Tensor:
        return spectrograms.clamp(min=0).pow(1 / self.power)

    def forward(self, waveforms: Tensor) -> Tensor:
        spectrum = torch.stft(
            waveforms,
            self.n_fft,
            self.hop_length,
            window=self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return spectrum.abs().pow(self.power).unsqueeze(1)
