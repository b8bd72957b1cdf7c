"""Sonification: a recording filtered by a saliency map, and the inversion of a spectrogram.

Conventions: waveforms are (samples,) at the front end's sample rate; saliency maps and spectrograms (bins,
frames), as the front end computes them. Sound is analysed and synthesised by `griffin_lim.Spectra`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audiocnn.explain.receptive_fields import Crop, make_interpolation_matrix
from audiocnn.frontends.base import FrontEnd
from audiocnn.frontends.griffin_lim import Spectra
from audiocnn.frontends.waveform import Waveform

PHASE_STEPS = 64  # iterations of Griffin-Lim
LEVEL = 0.1  # root mean square of a sound, relative to full scale


def filter_waveform(waveform: Tensor, gains: Tensor, front_end: FrontEnd) -> Tensor:
    """Filter a recording by a time-frequency mask, such as a normalised saliency map.

    Args:
        waveform: (samples,).
        gains: gains from 0 to 1, (bins, frames).
        front_end: front end whose bins and frames they are.

    Returns:
        The filtered waveform, (samples,).
    """
    spectra = Spectra(front_end.sample_rate, 1.0)
    spectrum = spectra.stft(waveform)
    return spectra.istft(spectrum * resample_to_stft(gains, front_end, spectrum.shape[1]), len(waveform))


def resample_to_stft(values: Tensor, front_end: FrontEnd, n_frames: int) -> Tensor:
    """Interpolate values linearly to the bins and frames of the STFT, `Spectra`.

    Args:
        values: (bins, frames).
        front_end: front end whose bins and frames they are.
        n_frames: frames of the result.

    Returns:
        Values, (bins of Spectra, n_frames).
    """
    spectra = Spectra(front_end.sample_rate, 1.0)
    wanted_hz = torch.linspace(0, front_end.sample_rate / 2, spectra.n_bins)
    frames = torch.arange(values.shape[1]) * front_end.hop_length
    wanted_frames = torch.arange(n_frames) * spectra.hop_length
    in_time = values @ make_interpolation_matrix(frames, wanted_frames).T
    return make_interpolation_matrix(front_end.bins_hz, wanted_hz) @ in_time


def invert_spectrogram(spectrogram: Tensor, front_end: FrontEnd, seed: int = 0) -> Tensor:
    """Invert a spectrogram: magnitudes by the front end, phases by Griffin-Lim.

    Args:
        spectrogram: (bins, frames).
        front_end: front end that computed it.
        seed: seed of the initial phases.

    Returns:
        A waveform with an RMS of `LEVEL`, (frames * hop_length,).
    """
    n_samples = spectrogram.shape[1] * front_end.hop_length
    if isinstance(front_end, Waveform):
        return normalise_level(spectrogram[0])
    spectra = Spectra(front_end.sample_rate, 1.0)
    n_frames = 1 + n_samples // spectra.hop_length
    magnitudes = resample_to_stft(front_end.magnitudes(spectrogram), front_end, n_frames)
    angles = torch.rand(magnitudes.shape, generator=torch.Generator().manual_seed(seed)) * 2 * torch.pi
    phases = torch.polar(torch.ones(()), angles)
    return normalise_level(spectra.reconstruct(magnitudes, phases, n_samples, PHASE_STEPS))


def normalise_level(waveform: Tensor) -> Tensor:
    """Scale a sound to an RMS of `LEVEL`, or lower where its peaks would clip; silence stays silent.

    Args:
        waveform: (samples,).
    """
    gain = LEVEL / waveform.square().mean().sqrt().clamp(min=1e-9)
    return waveform * torch.minimum(gain, 1 / waveform.abs().max().clamp(min=1e-9))


def crop_waveform(waveform: Tensor, crop: Crop, front_end: FrontEnd) -> Tensor:
    """Return the sound of a crop of the spectrogram, limited to its frames and bins.

    Args:
        waveform: (samples,).
        crop: slices of bins and frames or, for dims=1, of frames alone.
        front_end: front end whose bins and frames they are.

    Returns:
        The sound, (samples of the crop,).
    """
    hop = front_end.hop_length
    excerpt = waveform[max(crop[-1].start * hop, 0) : crop[-1].stop * hop]
    if len(crop) == 1:
        return excerpt
    band = torch.zeros(front_end.n_bins, 1)
    band[crop[0]] = 1
    return filter_waveform(excerpt, band, front_end)
