"""LogMel: logarithms of mel-band powers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from audiocnn.frontends.base import BINS, FRONT_ENDS, SAMPLE_RATE, FrontEnd
from audiocnn.frontends.stft import Stft
from audiocnn.ranges import Range


@FRONT_ENDS.register
class LogMel(FrontEnd):
    """Natural logarithms of mel-band powers m, with librosa's default (Slaney) mel scale and normalisation.

    They are log(m + floor), or with top_db log(1 + m / f), where f lies top_db below the greatest m: then a
    spectrogram is the same at any level, and 0 in silence, as zero padding is. Since a chunk's greatest power
    is not that of the whole recording, top_db is for models that predict whole windows.

    Args:
        sample_rate: sample rate of the waveforms, in Hz.
        n_fft: window length and FFT size, in samples.
        hop_length: samples from one frame to the next.
        n_mels: number of mel bands.
        fmin: lower edge of the lowest band, in Hz.
        fmax: upper edge of the highest band, in Hz; half the sample rate when None.
        floor: power added before the logarithm; with top_db the minimum of f.
        top_db: dynamic range below the greatest power, in dB; None: a fixed floor.

    Raises:
        ValueError: a number is out of its range, or fmin is not below fmax.

    Shape:
        (batch, samples) -> (batch, 1, n_mels, frames).
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "n_mels": BINS,
        "fmin": Range(0, SAMPLE_RATE.high),
        "fmax": Range(0, SAMPLE_RATE.high),
        "top_db": Range(0.1, 1000),
    }

    def __init__(
        self,
        sample_rate: int,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        floor: float = 1e-6,
        top_db: float | None = None,
    ) -> None:
        super().__init__()
        fmax = sample_rate / 2 if fmax is None else fmax
        if fmin >= fmax:
            raise ValueError(f"fmin is {fmin}, expected less than fmax, {fmax}")
        self.stft = Stft(sample_rate, n_fft, hop_length, power=2.0)
        self.sample_rate, self.hop_length, self.reach = sample_rate, hop_length, self.stft.reach
        self.n_bins, self.floor, self.top_db = n_mels, floor, top_db
        self.bins_hz = find_mel_edges(n_mels, fmin, fmax)[1:-1].float()
        bank = create_mel_filters(sample_rate, n_fft, n_mels, fmin, fmax)
        self.register_buffer("bank", bank, persistent=False)

    def forward(self, waveforms: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 n_mels frames"]:
        powers = self.bank @ self.stft(waveforms)
        if self.top_db is None:
            return torch.log(powers + self.floor)
        greatest = powers.amax(dim=(-2, -1), keepdim=True)
        return torch.log1p(powers / (greatest * 10 ** (-self.top_db / 10)).clamp(min=self.floor))

    def magnitudes(self, spectrograms: Tensor) -> Tensor:
        if self.top_db is None:
            powers = torch.exp(spectrograms) - self.floor
        else:
            powers = torch.expm1(spectrograms)
            powers = powers / powers.amax(dim=(-2, -1), keepdim=True).clamp(min=self.floor)
        return powers.clamp(min=0).sqrt()  # the bands have unit area: powers per Hz


def create_mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> Float[Tensor, "n_mels bins"]:
    """Create triangular mel filters of unit area.

    Args:
        sample_rate: sample rate of the waveforms, in Hz.
        n_fft: FFT size of the spectra that are filtered, with 1 + n_fft // 2 bins.
        n_mels: number of filters.
        fmin: lower edge of the lowest filter, in Hz.
        fmax: upper edge of the highest filter, in Hz.

    Returns:
        The gain of each filter at each bin.

    Source:
        Slaney, "Auditory Toolbox", 1998: linear below 1000 Hz, logarithmic above.

    Differs:
        torchaudio.functional.melscale_fbanks has the same filters to 2e-7, computed in single precision: with
        them probabilities of the shipped models move by up to 3e-6, and `bins_hz` needs the edges anyway.
    """
    edges = find_mel_edges(n_mels, fmin, fmax)
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    lower, centre, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles * 2 / (upper - lower)).float()


def find_mel_edges(n_mels: int, fmin: float, fmax: float) -> Float[Tensor, " edges"]:
    """Compute the edges of triangular mel filters, in Hz: each filter peaks where the next one begins.

    Args:
        n_mels: number of filters.
        fmin: lower edge of the lowest filter, in Hz.
        fmax: upper edge of the highest filter, in Hz.

    Returns:
        n_mels + 2 frequencies, in double precision.
    """
    mels = torch.linspace(_hz_to_mel(fmin), _hz_to_mel(fmax), n_mels + 2, dtype=torch.float64)
    return _mel_to_hz(mels)


_MEL_STEP_HZ = 200 / 3  # below the knee a mel is 66.7 Hz
_MEL_KNEE_HZ = 1000.0
_MEL_LOG_STEP = math.log(6.4) / 27  # above the knee 27 mels are a factor of 6.4


def _hz_to_mel(frequency: float) -> float:
    if frequency < _MEL_KNEE_HZ:
        return frequency / _MEL_STEP_HZ
    return _MEL_KNEE_HZ / _MEL_STEP_HZ + math.log(frequency / _MEL_KNEE_HZ) / _MEL_LOG_STEP


def _mel_to_hz(mels: Tensor) -> Tensor:
    knee = _MEL_KNEE_HZ / _MEL_STEP_HZ
    return torch.where(
        mels < knee, mels * _MEL_STEP_HZ, _MEL_KNEE_HZ * torch.exp(_MEL_LOG_STEP * (mels - knee))
    )
