"""Stft, LogMel, Cqt and Waveform: waveforms in, pictures out, as modules that live on the model's device.

Place in the flow: waveform -> picture. Shape of each: (batch, samples) -> (batch, 1, bins, frames).
Conventions: frame i is centred on sample i * hop_length, and a waveform counts as silent before its first and
after its last sample; so there are 1 + samples // hop_length frames, and a piece of a long waveform gives the
same frames as the whole wherever it holds all `reach` samples on both sides of a frame's centre.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class FrontEnd(nn.Module):
    """What every front end tells: `sample_rate` in Hz, `hop_length` and `reach` in samples, `n_bins`.

    Attributes:
        bins_hz: the frequency that each bin stands for, (bins,); 0 where one bin holds all.
    """

    sample_rate: int
    hop_length: int
    reach: int
    n_bins: int
    bins_hz: Tensor

    def magnitudes(self, pictures: Tensor) -> Tensor:
        """How loud each bin is, from a picture: what `forward` made of magnitudes is undone.

        Where pictures are relative to their loudest cell, so are these.
        Shape: (..., bins, frames) -> the same.
        """
        return pictures

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_length / self.sample_rate


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

    def magnitudes(self, pictures: Tensor) -> Tensor:
        return pictures.clamp(min=0).pow(1 / self.power)

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


class Waveform(FrontEnd):
    """The samples themselves, for networks that find their own filters; one more, of silence, at the end.

    Shape: (batch, samples) -> (batch, 1, 1, samples + 1): a frame a sample.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.reach, self.n_bins = sample_rate, 1, 0, 1
        self.bins_hz = torch.zeros(1)

    def forward(self, waveforms: Tensor) -> Tensor:
        return functional.pad(waveforms, (0, 1))[:, None, None]


class LogMel(FrontEnd):
    """Natural logarithms of mel-band powers m, Slaney's scale and area normalisation as librosa's default.

    log(m + floor), or with top_db log(1 + m / f), where f lies top_db below the loudest cell: then a picture
    is the same at any level, and 0 in silence, as zeros around it are. Its pieces have other loudest cells:
    this is for windows that are heard whole.
    Shape: (batch, samples) -> (batch, 1, n_mels, frames).

    Args:
        fmin: lower edge of the lowest band, in Hz.
        fmax: upper edge of the highest band, in Hz; half the sample rate when None.
        floor: power added before the logarithm; with top_db the least f.
        top_db: range of what is told apart below the loudest cell; None: the floor is fixed.
    """

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
        self.stft = Stft(sample_rate, n_fft, hop_length, power=2.0)
        self.sample_rate, self.hop_length, self.reach = sample_rate, hop_length, self.stft.reach
        self.n_fft, self.n_mels, self.n_bins, self.floor = n_fft, n_mels, n_mels, floor
        self.fmin, self.fmax, self.top_db = fmin, fmax, top_db
        self.bins_hz = mel_edges(n_mels, fmin, fmax or sample_rate / 2)[1:-1].float()
        bank = mel_bank(sample_rate, n_fft, n_mels, fmin, fmax or sample_rate / 2)
        self.register_buffer("bank", bank, persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        powers = self.bank @ self.stft(waveforms)
        if self.top_db is None:
            return torch.log(powers + self.floor)
        loudest = powers.amax(dim=(-2, -1), keepdim=True)
        return torch.log1p(powers / (loudest * 10 ** (-self.top_db / 10)).clamp(min=self.floor))

    def magnitudes(self, pictures: Tensor) -> Tensor:
        if self.top_db is None:
            powers = torch.exp(pictures) - self.floor
        else:
            powers = torch.expm1(pictures)
            powers = powers / powers.amax(dim=(-2, -1), keepdim=True).clamp(min=self.floor)
        return powers.clamp(min=0).sqrt()  # the bands have unit area: powers for each Hz


def mel_bank(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Tensor:
    """Triangular mel filters of unit area.

    Shape: (n_mels, 1 + n_fft // 2).
    Source: Slaney, "Auditory Toolbox", 1998: linear below 1000 Hz, logarithmic above.
    """
    edges = mel_edges(n_mels, fmin, fmax)
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    lower, centre, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles * 2 / (upper - lower)).float()


def mel_edges(n_mels: int, fmin: float, fmax: float) -> Tensor:
    """Where the filters' triangles begin and end, in Hz: each has its top where the next begins.

    Shape: (n_mels + 2,).
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


class Cqt(FrontEnd):
    """Magnitudes of a constant-Q transform, computed directly: no resampling, no sparsity, any hop.

    Shape: (batch, samples) -> (batch, 1, n_bins, frames). A sine of amplitude a gives m = a / 2 in its bin,
    or log(1 + m / floor): 0 in silence, so that zeros around a picture are silence too.

    Args:
        fmin: centre of the lowest bin, in Hz.
        max_length: the longest window, in samples; bins that ask for a longer one get this, so that low notes
            are located in time (at the price of their width in frequency). None: constant Q throughout.
        floor: the magnitude at which the logarithm sets in; None: no logarithm.
    Raises: ValueError when the highest bin lies above half the sample rate.
    Source: Schoerkhuber and Klapuri, "Constant-Q transform toolbox for music processing", 2010; windows and
    bandwidths as librosa.filters.wavelet.
    """

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
        self.fmin, self.bins_per_octave, self.max_length = fmin, bins_per_octave, max_length
        frequencies = fmin * 2 ** (torch.arange(n_bins, dtype=torch.float64) / bins_per_octave)
        step = 2 ** (2 / bins_per_octave)
        quality = (step + 1) / (step - 1)
        self.bins_hz = frequencies.float()
        if float(frequencies[-1]) * (1 + 0.5 * 1.50018310546875 / quality) > sample_rate / 2:
            raise ValueError(
                f"the highest bin is at {float(frequencies[-1]):.1f} Hz, expected it and its bandwidth below "
                f"{sample_rate / 2} Hz"
            )
        lengths = quality * sample_rate / frequencies
        if max_length is not None:
            lengths = lengths.clamp(max=max_length)
        self.reach = 0
        self._groups = _octaves(lengths, hop_length)
        for index, (first, last, reach_hops) in enumerate(self._groups):
            kernels = _wavelets(frequencies[first:last], lengths[first:last], sample_rate)
            kernels = _centred(kernels, reach_hops * hop_length)
            self.register_buffer(f"kernels_{index}", _as_hops(kernels, hop_length), persistent=False)
            self.reach = max(self.reach, reach_hops * hop_length)

    def forward(self, waveforms: Tensor) -> Tensor:
        n_frames = 1 + waveforms.shape[-1] // self.hop_length
        padded = functional.pad(
            waveforms, (self.reach, (n_frames - 1) * self.hop_length + self.reach - waveforms.shape[-1])
        )
        # One row a position within the hop: a convolution over hops, with hop_length channels and stride 1.
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

    def magnitudes(self, pictures: Tensor) -> Tensor:
        return pictures if self.floor is None else torch.expm1(pictures).clamp(min=0) * self.floor


def _octaves(lengths: Tensor, hop_length: int) -> list[tuple[int, int, int]]:
    """Runs of bins (first, last + 1, half window in hops) whose windows fit the same number of hops."""
    reaches = [math.ceil((length / 2 + 1) / hop_length) for length in lengths.tolist()]
    starts = [i for i, reach in enumerate(reaches) if i == 0 or reach != reaches[i - 1]]
    return [
        (first, last, reaches[first]) for first, last in zip(starts, [*starts[1:], len(reaches)], strict=True)
    ]


def _wavelets(frequencies: Tensor, lengths: Tensor, sample_rate: int) -> list[Tensor]:
    """One complex wavelet a bin: a Hann window that sums to 1 times a phasor, phase 0 at its centre."""
    wavelets = []
    for frequency, length in zip(frequencies.tolist(), lengths.tolist(), strict=True):
        positions = torch.arange(-length // 2, length // 2, dtype=torch.float64)
        window = torch.hann_window(len(positions), dtype=torch.float64)
        phasor = torch.exp(2j * math.pi * frequency / sample_rate * positions)
        wavelets.append(phasor * window / window.sum())
    return wavelets


def _centred(wavelets: list[Tensor], reach: int) -> Tensor:
    """Shape: (2 * bins, 2 * reach): real parts, then imaginary parts, the middle of each at index `reach`."""
    kernels = torch.zeros(len(wavelets), 2 * reach, dtype=torch.complex128)
    for row, wavelet in zip(kernels, wavelets, strict=True):
        start = reach - len(wavelet) // 2
        row[start : start + len(wavelet)] = wavelet
    return torch.cat([kernels.real, kernels.imag]).float()


def _as_hops(kernels: Tensor, hop_length: int) -> Tensor:
    """Shape: (rows, samples) -> (rows, hop_length, hops)."""
    return kernels.unflatten(-1, (-1, hop_length)).transpose(1, 2).contiguous()
