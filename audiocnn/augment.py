"""Augmentation of waveforms (in the loader's workers) and of pictures (on the model's device).

Conventions: waveforms are float32 (samples,); every function draws from the generator that it is given, so
that a seed repeats an example exactly.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import torch
from torch import Tensor, nn

Rng = np.random.Generator


def room(n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
    """A random room's impulse response: the direct sound, then exponentially decaying noise.

    Shape: (n_samples,). Reverberation time 0.15 to 1.6 s, shorter for high frequencies; direct-to-reverberant
    ratio -8 to 18 dB; first reflection after 2 to 25 ms.
    Source: Polack's model, in Jot, Cerveau, Warusfel, "Analysis and synthesis of room reverberation", 1997.
    """
    times_s = np.arange(n_samples) / sample_rate
    decay_s = float(np.exp(rng.uniform(np.log(0.15), np.log(1.6))))
    # Two bands, split by a one-pole low-pass: air and walls absorb the high band sooner.
    noise = rng.standard_normal(n_samples)
    low = one_pole(noise, cutoff_hz=float(rng.uniform(800, 3000)), sample_rate=sample_rate)
    tail = low * 10 ** (-3 * times_s / decay_s)
    tail += (noise - low) * 10 ** (-3 * times_s / (decay_s * rng.uniform(0.3, 0.9)))
    tail[: int(rng.uniform(0.002, 0.025) * sample_rate)] = 0
    ratio_db = rng.uniform(-8, 18)
    tail *= 10 ** (-ratio_db / 20) / np.sqrt(np.square(tail).sum() + 1e-12)
    tail[0] = 1.0
    return tail


def one_pole(signal: np.ndarray, cutoff_hz: float, sample_rate: int) -> np.ndarray:
    """The signal through a first-order low-pass filter."""
    from scipy.signal import lfilter

    pole = np.exp(-2 * np.pi * cutoff_hz / sample_rate)
    return np.asarray(lfilter([1 - pole], [1, -pole], signal))


def equaliser(frequencies_hz: np.ndarray, rng: Rng) -> np.ndarray:
    """A smooth random gain curve: a tilt, a few bells, and roll-offs at both ends.

    Shape: (frequencies,), as amplitude factors.
    """
    octaves = np.log2(np.maximum(frequencies_hz, 20) / 1000)
    gain_db = rng.normal(0, 2.0) * octaves
    for _ in range(rng.integers(1, 5)):
        centre, width = rng.uniform(-4, 3), rng.uniform(0.3, 1.5)
        gain_db += rng.normal(0, 5) * np.exp(-0.5 * ((octaves - centre) / width) ** 2)
    gain = 10 ** (gain_db / 20)
    if rng.random() < 0.3:
        gain /= np.sqrt(1 + (rng.uniform(30, 150) / np.maximum(frequencies_hz, 1)) ** 4)
    if rng.random() < 0.3:
        gain /= np.sqrt(1 + (frequencies_hz / rng.uniform(2500, 8000)) ** 4)
    return gain


def coloured_noise(n_samples: int, rng: Rng) -> np.ndarray:
    """Noise of unit power with a random slope between white and brown.

    Shape: (n_samples,).
    """
    spectrum = np.asarray(scipy.fft.rfft(rng.standard_normal(n_samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 30) ** rng.uniform(0, 1.0)
    noise = np.asarray(scipy.fft.irfft(spectrum, n_samples))
    return noise / np.sqrt(np.mean(noise**2) + 1e-12)


def distraction(n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
    """Sound without notes: gliding voices as of speech, birds and whales, bursts of noise, or silence.

    Shape: (n_samples,), peak at most 1.
    """
    kind = rng.choice(["voice", "bursts", "both", "silence"], p=[0.5, 0.2, 0.2, 0.1])
    sound = np.zeros(n_samples)
    if kind in ("voice", "both"):
        sound += gliding_voice(n_samples, sample_rate, rng)
    if kind in ("bursts", "both"):
        sound += noise_bursts(n_samples, sample_rate, rng)
    return (sound / max(np.abs(sound).max(), 1.0)).astype(np.float32)


def gliding_voice(n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
    """Syllables of a harmonic tone whose pitch never rests on a note.

    Shape: (n_samples,). Pitch 60 Hz to 4 kHz; syllables of 0.04 to 1 s; 1 to 20 harmonics.
    """
    duration_s = n_samples / sample_rate
    pace_s = float(np.exp(rng.uniform(np.log(0.04), np.log(1.0))))
    times_s = np.cumsum(rng.uniform(0.4, 1.6, int(duration_s / pace_s * 2) + 2) * pace_s)
    spread = rng.uniform(1.5, 7)
    midi = rng.uniform(38, 96) + rng.normal(0, spread, len(times_s))
    loudness = rng.uniform(0.1, 1, len(times_s)) * (rng.random(len(times_s)) > 0.35)
    samples_s = np.arange(n_samples) / sample_rate
    frequency = 440 * 2 ** ((np.interp(samples_s, times_s, midi) - 69) / 12)
    envelope = np.interp(samples_s, times_s, loudness)
    phase = 2 * np.pi * np.cumsum(frequency) / sample_rate
    slope = rng.uniform(0.3, 2)
    n_harmonics = int(rng.choice([1, 3, 20], p=[0.3, 0.2, 0.5]))
    voice = np.zeros(n_samples)
    for harmonic in range(1, n_harmonics + 1):
        audible = frequency * harmonic < 0.45 * sample_rate
        if not audible.any():
            break
        voice += np.sin(harmonic * phase) * audible / harmonic**slope
    voice += rng.uniform(0, 0.3) * rng.standard_normal(n_samples)
    return voice * envelope / 3


def noise_bursts(n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
    """Claps, clicks and drums without pitch: decaying noise at random times.

    Shape: (n_samples,).
    """
    bursts = np.zeros(n_samples)
    for _ in range(rng.integers(1, 25)):
        start = int(rng.integers(0, n_samples))
        decay = float(np.exp(rng.uniform(np.log(0.003), np.log(0.3)))) * sample_rate
        length = min(n_samples - start, int(6 * decay))
        burst = rng.standard_normal(length) * np.exp(-np.arange(length) / decay)
        if rng.random() < 0.5:
            burst = one_pole(burst, float(rng.uniform(100, 3000)), sample_rate)
        bursts[start : start + length] += rng.uniform(0.1, 1) * burst / (np.abs(burst).max() + 1e-9)
    return bursts


class RandomRecording:
    """The waveform as another room, microphone and tape would have recorded it.

    One pass through the frequency domain applies varispeed, equaliser and room; then come noise, a little
    saturation, and gain.

    Args:
        room_p: how often a room is heard.
        equaliser_p: how often the colour changes.
        noise_p: how often noise is added, at 10 to 50 dB below the music.
        gain_db: lowest and highest level of the result's peak, relative to full scale.
    """

    def __init__(
        self,
        room_p: float = 0.7,
        equaliser_p: float = 0.8,
        noise_p: float = 0.5,
        saturation_p: float = 0.1,
        gain_db: tuple[float, float] = (-30.0, 0.0),
    ) -> None:
        self.room_p, self.equaliser_p, self.noise_p = room_p, equaliser_p, noise_p
        self.saturation_p, self.gain_db = saturation_p, gain_db

    def __call__(self, waveform: np.ndarray, n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
        """The waveform stretched to n_samples (pitch and tempo together), recorded anew.

        Shape: (samples,) -> (n_samples,). What is convolved wraps around: the caller drops a second at the
        start.
        """
        spectrum = np.asarray(scipy.fft.rfft(waveform))
        n_bins = n_samples // 2 + 1
        spectrum = np.pad(spectrum[:n_bins], (0, max(n_bins - len(spectrum), 0)))
        if rng.random() < self.equaliser_p:
            spectrum *= equaliser(np.fft.rfftfreq(n_samples, 1 / sample_rate), rng)
        if rng.random() < self.room_p:
            spectrum *= scipy.fft.rfft(room(n_samples, sample_rate, rng))
        out = np.asarray(scipy.fft.irfft(spectrum, n_samples))
        power = np.mean(out**2) + 1e-10
        if rng.random() < self.noise_p:
            noise_db = -rng.uniform(10, 50)
            out += coloured_noise(n_samples, rng) * np.sqrt(power) * 10 ** (noise_db / 20)
        peak = np.abs(out).max() + 1e-9
        if rng.random() < self.saturation_p:
            out = np.tanh(out / peak * rng.uniform(1, 2.5))
            peak = np.abs(out).max() + 1e-9
        return (out / peak * 10 ** (rng.uniform(*self.gain_db) / 20)).astype(np.float32)


class MaskPicture(nn.Module):
    """Pictures with a few bands of bins and stretches of frames silenced; the same pictures when evaluating.

    Shape: (batch, ..., bins, frames) -> the same.
    Source: Park et al., "SpecAugment", 2019. Differs: masked cells get the picture's lowest value.

    Args:
        p: how often each of the two kinds of mask is applied to a picture.
        bins: widest band.
        frames: longest stretch.
    """

    def __init__(self, p: float = 0.3, bins: int = 18, frames: int = 8) -> None:
        super().__init__()
        self.p, self.bins, self.frames = p, bins, frames

    def forward(self, pictures: Tensor) -> Tensor:
        if not self.training:
            return pictures
        masked = pictures.clone()
        for picture in masked:
            for axis, widest in ((-2, self.bins), (-1, self.frames)):
                if torch.rand(()) < self.p:
                    size = picture.shape[axis]
                    width = int(torch.randint(1, min(widest, size) + 1, ()))
                    start = int(torch.randint(0, size - width + 1, ()))
                    picture.narrow(axis, start, width).fill_(float(picture.min()))
        return masked
