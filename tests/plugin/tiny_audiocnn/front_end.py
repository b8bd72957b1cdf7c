"""BandLevels: levels of a few bands of equal width."""

import torch
from torch import Tensor

from audiocnn.frontends import FrontEnd, Stft
from audiocnn.frontends.base import FRONT_ENDS


@FRONT_ENDS.register
class BandLevels(FrontEnd):
    """Logarithms of the power in bands of equal width.

    Args:
        sample_rate: in Hz.
        n_bands: from 0 Hz to half the sample rate.
    """

    def __init__(self, sample_rate: int, n_bands: int = 32) -> None:
        super().__init__()
        self.stft = Stft(sample_rate, n_fft=512, hop_length=256, power=2.0)
        self.sample_rate, self.hop_length, self.reach = sample_rate, 256, self.stft.reach
        self.n_bins = n_bands
        self.bins_hz = (torch.arange(n_bands) + 0.5) * sample_rate / 2 / n_bands

    def forward(self, waveforms: Tensor) -> Tensor:
        powers = self.stft(waveforms)[..., 1:, :]
        bands = powers.unflatten(-2, (self.n_bins, -1)).mean(dim=-2)
        return torch.log(bands + 1e-6)
