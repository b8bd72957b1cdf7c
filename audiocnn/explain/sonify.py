"""Maps and spectrograms as sound: a recording filtered by a map, and the sound that a spectrogram is of.

Conventions: waveforms are (samples,) at the front end's sample rate; maps and spectrograms (bins, frames), as the
front end has them. Sound is taken apart and put together by `style.sound.Spectra`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audiocnn.explain.fields import Spans, interpolation
from audiocnn.frontends.base import FrontEnd
from audiocnn.frontends.griffin_lim import Spectra
from audiocnn.frontends.waveform import Waveform

PHASE_STEPS = 64
LEVEL = 0.1  # root mean square of a sound that is made


def filtered(waveform: Tensor, map: Tensor, front_end: FrontEnd) -> Tensor:
    """A recording, each time and frequency of it as loud as the map says: what a network used.

    Shape: (samples,) and (bins, frames), from 0 to 1 -> (samples,).
    """
    spectra = Spectra(front_end.sample_rate, 1.0)
    spectrum = spectra.stft(waveform)
    return spectra.istft(spectrum * on_grid(map, front_end, spectrum.shape[1]), len(waveform))


def on_grid(map: Tensor, front_end: FrontEnd, n_frames: int) -> Tensor:
    """The values of a map at the frequencies and times of `Spectra`, linearly between its own.

    Shape: (bins, frames) -> (bins of Spectra, n_frames).
    """
    spectra = Spectra(front_end.sample_rate, 1.0)
    wanted_hz = torch.linspace(0, front_end.sample_rate / 2, spectra.n_bins)
    frames = torch.arange(map.shape[1]) * front_end.hop_length
    wanted_frames = torch.arange(n_frames) * spectra.hop_length
    in_time = map @ interpolation(frames, wanted_frames).T
    return interpolation(front_end.bins_hz, wanted_hz) @ in_time


def sound_of(spectrogram: Tensor, front_end: FrontEnd, seed: int = 0) -> Tensor:
    """A sound that looks like this: its magnitudes by the front end, its phases by Griffin and Lim.

    Shape: (bins, frames) -> (frames * hop_length,), of the same level whatever the spectrogram's.
    """
    n_samples = spectrogram.shape[1] * front_end.hop_length
    if isinstance(front_end, Waveform):
        return levelled(spectrogram[0])
    spectra = Spectra(front_end.sample_rate, 1.0)
    n_frames = 1 + n_samples // spectra.hop_length
    magnitudes = on_grid(front_end.magnitudes(spectrogram), front_end, n_frames)
    angles = torch.rand(magnitudes.shape, generator=torch.Generator().manual_seed(seed)) * 2 * torch.pi
    return levelled(spectra.waveform(magnitudes, torch.polar(torch.ones(()), angles), n_samples, PHASE_STEPS))


def levelled(waveform: Tensor) -> Tensor:
    """A sound of the level `LEVEL`, less where its peaks would not fit; silence stays."""
    gain = LEVEL / waveform.square().mean().sqrt().clamp(min=1e-9)
    return waveform * torch.minimum(gain, 1 / waveform.abs().max().clamp(min=1e-9))


def cropped(waveform: Tensor, crop: Spans, front_end: FrontEnd) -> Tensor:
    """What is heard in a crop of the spectrogram: those seconds, and of them those frequencies.

    Shape: (samples,) -> (samples of the crop,).

    Args:
        crop: of bins and frames; of a network over time alone, of frames.
    """
    hop = front_end.hop_length
    piece = waveform[max(crop[-1].start * hop, 0) : crop[-1].stop * hop]
    if len(crop) == 1:
        return piece
    band = torch.zeros(front_end.n_bins, 1)
    band[crop[0]] = 1
    return filtered(piece, band, front_end)
