"""Cqt: the constant-Q transform."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from audiocnn.frontends.base import BINS, FRONT_ENDS, SAMPLE_RATE, FrontEnd
from audiocnn.ranges import Range

HANN_BANDWIDTH = 1.50018310546875  # of a Hann window in bins, as librosa.filters.window_bandwidth has it
MAX_KERNEL_SAMPLES = 1 << 24  # of all kernels: a quarter of a gigabyte while they are computed


@FRONT_ENDS.register
class Cqt(FrontEnd):
    """Magnitudes of a constant-Q transform, computed directly: no resampling, no sparsity, any hop length.

    A sine of amplitude a has m = a / 2 in its bin, or log(1 + m / floor): 0 in silence, so that zero padding
    of a spectrogram is silence too.

    Args:
        sample_rate: sample rate of the waveforms, in Hz.
        hop_length: samples from one frame to the next.
        fmin: centre frequency of the lowest bin, in Hz.
        n_bins: number of frequency bins.
        bins_per_octave: number of bins per octave, which sets the quality factor.
        max_length: maximum window length, in samples: low bins gain time resolution and lose frequency
            resolution. None: a constant quality factor throughout.
        floor: the logarithm's floor in log(1 + m / floor), a magnitude; None: magnitudes without logarithm.

    Raises:
        ValueError: a number is out of its range; the highest bin, with its bandwidth, lies above half the
            sample rate; or the windows of all bins are longer than `MAX_KERNEL_SAMPLES`.

    Shape:
        (batch, samples) -> (batch, 1, n_bins, frames).

    Source:
        Schoerkhuber and Klapuri, "Constant-Q transform toolbox for music processing", 2010; windows and
        bandwidths as librosa.filters.wavelet.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "fmin": Range(0.1, SAMPLE_RATE.high),
        "n_bins": BINS,
        "bins_per_octave": BINS,
        "max_length": Range(2, MAX_KERNEL_SAMPLES, whole=True),
    }

    def __init__(
        self,
        sample_rate: int,
        hop_length: int = 512,
        fmin: float = 32.70319566257483,
        n_bins: int = 84,
        bins_per_octave: int = 12,
        max_length: int | None = None,
        floor: float | None = None,
    ) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.n_bins, self.floor = sample_rate, hop_length, n_bins, floor
        frequencies = fmin * 2 ** (torch.arange(n_bins, dtype=torch.float64) / bins_per_octave)
        step = 2 ** (2 / bins_per_octave)
        quality = (step + 1) / (step - 1)
        self.bins_hz = frequencies.float()
        if float(frequencies[-1]) * (1 + 0.5 * HANN_BANDWIDTH / quality) > sample_rate / 2:
            raise ValueError(
                f"the highest bin is at {float(frequencies[-1]):.1f} Hz, expected it and its bandwidth below "
                f"{sample_rate / 2} Hz"
            )
        lengths = quality * sample_rate / frequencies
        if max_length is not None:
            lengths = lengths.clamp(max=max_length)
        self.reach = 0
        self._groups = _octaves(lengths, hop_length)
        n_samples = sum(2 * (last - first) * reach * hop_length for first, last, reach in self._groups)
        if n_samples > MAX_KERNEL_SAMPLES:
            raise ValueError(
                f"the kernels of {n_bins} bins from {fmin:g} Hz on have {n_samples:,} samples, "
                f"expected at most {MAX_KERNEL_SAMPLES:,}"
            )
        for index, (first, last, reach_hops) in enumerate(self._groups):
            kernels = _wavelets(frequencies[first:last], lengths[first:last], sample_rate)
            kernels = _centred(kernels, reach_hops * hop_length)
            self.register_buffer(f"kernels_{index}", _as_hops(kernels, hop_length), persistent=False)
            self.reach = max(self.reach, reach_hops * hop_length)

    def forward(self, waveforms: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 bins frames"]:
        n_frames = 1 + waveforms.shape[-1] // self.hop_length
        padded = functional.pad(
            waveforms, (self.reach, (n_frames - 1) * self.hop_length + self.reach - waveforms.shape[-1])
        )
        # A row for each position within the hop: a convolution over hops, of hop_length channels.
        hops = padded.unflatten(-1, (-1, self.hop_length)).transpose(1, 2)
        margin = self.reach // self.hop_length
        parts = []
        for index, (_, _, reach_hops) in enumerate(self._groups):
            inner = hops[..., margin - reach_hops : hops.shape[-1] - margin + reach_hops]
            parts.append(functional.conv1d(inner, getattr(self, f"kernels_{index}")))
        real, imaginary = (
            torch.cat(halves, dim=1) for halves in zip(*(part.chunk(2, 1) for part in parts), strict=True)
        )
        magnitudes = torch.sqrt(real.square() + imaginary.square() + 1e-20)
        if self.floor is not None:
            magnitudes = torch.log1p(magnitudes / self.floor)
        return magnitudes.unsqueeze(1)

    def magnitudes(self, spectrograms: Tensor) -> Tensor:
        return spectrograms if self.floor is None else torch.expm1(spectrograms).clamp(min=0) * self.floor


def _octaves(lengths: Tensor, hop_length: int) -> list[tuple[int, int, int]]:
    """Runs of bins (first, last + 1, half window in hops) whose windows fit the same number of hops."""
    reaches = [math.ceil((length / 2 + 1) / hop_length) for length in lengths.tolist()]
    starts = [i for i, reach in enumerate(reaches) if i == 0 or reach != reaches[i - 1]]
    return [
        (first, last, reaches[first]) for first, last in zip(starts, [*starts[1:], len(reaches)], strict=True)
    ]


def _wavelets(frequencies: Tensor, lengths: Tensor, sample_rate: int) -> list[Tensor]:
    """A complex wavelet for each bin: a Hann window that sums to 1 times a phasor, phase 0 at its centre."""
    wavelets = []
    for frequency, length in zip(frequencies.tolist(), lengths.tolist(), strict=True):
        positions = torch.arange(-length // 2, length // 2, dtype=torch.float64)
        window = torch.hann_window(len(positions), dtype=torch.float64)
        phasor = torch.exp(2j * math.pi * frequency / sample_rate * positions)
        wavelets.append(phasor * window / window.sum())
    return wavelets


def _centred(wavelets: list[Tensor], reach: int) -> Tensor:
    """Kernels (2 * bins, 2 * reach): real, then imaginary parts, the middle of each at index `reach`."""
    kernels = torch.zeros(len(wavelets), 2 * reach, dtype=torch.complex128)
    for row, wavelet in zip(kernels, wavelets, strict=True):
        start = reach - len(wavelet) // 2
        row[start : start + len(wavelet)] = wavelet
    return torch.cat([kernels.real, kernels.imag]).float()


def _as_hops(kernels: Tensor, hop_length: int) -> Tensor:
    """Kernels over hops: (rows, samples) -> (rows, hop_length, hops)."""
    return kernels.unflatten(-1, (-1, hop_length)).transpose(1, 2).contiguous()
