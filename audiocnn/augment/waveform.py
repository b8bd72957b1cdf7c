"""Augmentation of waveforms: impulse responses, equalisers, noise, time stretch and pitch shift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import scipy.fft
import soxr

from audiocnn.ranges import FINITE, POSITIVE, SHARE, Range, check_interval
from audiocnn.registry import InitArgs

Rng = np.random.Generator
# Length in seconds of the segments that a time stretch moves as a whole: a period of the lowest notes, and
# shorter than the interval between two onsets.
SEGMENT_S = 0.05


def draw_impulse_response(n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
    """Draw a room's impulse response: the direct sound, then exponentially decaying noise.

    The reverberation time is 0.15 to 1.6 s, shorter at high frequencies; the direct-to-reverberant ratio -8
    to 18 dB; the first reflection comes after 2 to 25 ms.

    Args:
        n_samples: length of the response.
        sample_rate: in Hz.
        rng: random number generator.

    Returns:
        The response, (n_samples,).

    Source:
        Polack's model, in Jot, Cerveau, Warusfel, "Analysis and synthesis of room reverberation", 1997.
    """
    times_s = np.arange(n_samples) / sample_rate
    decay_s = float(np.exp(rng.uniform(np.log(0.15), np.log(1.6))))
    # Two bands, split by a one-pole low-pass: air and walls absorb the high band sooner.
    noise = rng.standard_normal(n_samples)
    low = filter_low_pass(noise, cutoff_hz=float(rng.uniform(800, 3000)), sample_rate=sample_rate)
    tail = low * 10 ** (-3 * times_s / decay_s)
    tail += (noise - low) * 10 ** (-3 * times_s / (decay_s * rng.uniform(0.3, 0.9)))
    tail[: int(rng.uniform(0.002, 0.025) * sample_rate)] = 0
    ratio_db = rng.uniform(-8, 18)
    tail *= 10 ** (-ratio_db / 20) / np.sqrt(np.square(tail).sum() + 1e-12)
    tail[0] = 1.0
    return tail


def filter_low_pass(signal: np.ndarray, cutoff_hz: float, sample_rate: int) -> np.ndarray:
    """Filter a signal by a first-order low-pass.

    Args:
        signal: (samples,).
        cutoff_hz: at which the level is 3 dB lower.
        sample_rate: in Hz.

    Returns:
        The filtered signal, (samples,).

    Differs:
        torchaudio.functional.lfilter loops in Python beside a CPU-only torch: 1.2 s for a second of sound.
    """
    from scipy.signal import lfilter

    pole = np.exp(-2 * np.pi * cutoff_hz / sample_rate)
    return np.asarray(lfilter([1 - pole], [1, -pole], signal))


def draw_equaliser(frequencies_hz: np.ndarray, rng: Rng) -> np.ndarray:
    """Draw a smooth gain curve: a tilt, a few bells, and roll-offs at both ends.

    Args:
        frequencies_hz: at which the gain is wanted.
        rng: random number generator.

    Returns:
        Amplitude factors, one for each frequency.
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


def draw_noise(n_samples: int, rng: Rng) -> np.ndarray:
    """Draw noise of unit power with a random spectral slope from white to brown.

    Args:
        n_samples: length of the noise.
        rng: random number generator.

    Returns:
        The noise, (n_samples,).
    """
    spectrum = np.asarray(scipy.fft.rfft(rng.standard_normal(n_samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 30) ** rng.uniform(0, 1.0)
    noise = np.asarray(scipy.fft.irfft(spectrum, n_samples))
    return noise / np.sqrt(np.mean(noise**2) + 1e-12)


def add_noise(waveform: np.ndarray, snr_db: float, rng: Rng) -> np.ndarray:
    """Add coloured noise to a waveform.

    Args:
        waveform: (samples,).
        snr_db: ratio of the waveform's power to the noise's.
        rng: random number generator.

    Returns:
        The sum, (samples,).
    """
    power = np.mean(waveform**2) + 1e-10
    noise = draw_noise(len(waveform), rng) * np.sqrt(power) * 10 ** (-snr_db / 20)
    return (waveform + noise).astype(waveform.dtype)


def stretch_time(waveform: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """Stretch a waveform in time, at the same pitch.

    Args:
        waveform: (samples,).
        factor: ratio of the new length to the old one.
        sample_rate: in Hz.

    Returns:
        The stretched waveform, float32 (round(factor * samples),).

    Source:
        Verhelst and Roelands, "An overlap-add technique based on waveform similarity (WSOLA)", 1993.

    Differs:
        torchaudio.functional.phase_vocoder takes as long (0.10 s for 10 s at 16 kHz, this 0.13 s) but smears
        onsets: a piano's onset strength has peaks of 9.8 times its mean, 8.3 after it, 10.8 after this.
    """
    hop = round(SEGMENT_S / 2 * sample_rate)
    n_segment, n_samples = 2 * hop, round(factor * len(waveform))
    window = np.hanning(n_segment + 1)[:-1]  # overlapping by half, they add up to 1
    padded = np.pad(waveform, (n_segment, 3 * n_segment + round(hop / factor)))
    stretched = np.zeros(n_samples + 2 * n_segment, np.float32)
    start = 0
    for i in range(n_samples // hop + 2):
        earliest = round(i * hop / factor)
        continuation = padded[start + hop : start + hop + n_segment]
        start = earliest + find_most_similar(padded[earliest : earliest + 2 * n_segment], continuation)
        stretched[i * hop : i * hop + n_segment] += window * padded[start : start + n_segment]
    return stretched[hop : hop + n_samples]


def find_most_similar(around: np.ndarray, segment: np.ndarray) -> int:
    """Find where a waveform is most similar to a segment, by normalised correlation.

    Args:
        around: waveform that is searched.
        segment: shorter waveform.

    Returns:
        The sample of `around` where the segment fits best; the middle one in silence.
    """
    n_fft = scipy.fft.next_fast_len(len(around), real=True)
    spectra = np.asarray(scipy.fft.rfft(around, n_fft)), np.asarray(scipy.fft.rfft(segment, n_fft))
    alike = np.asarray(scipy.fft.irfft(spectra[0] * spectra[1].conj(), n_fft))
    alike = alike[: len(around) - len(segment) + 1]
    energy = np.cumsum(np.square(np.pad(around, (1, 0)), dtype=float))
    alike /= np.sqrt(np.maximum(energy[len(segment) :] - energy[: -len(segment)], 1e-8))
    alike[len(alike) // 2] += 1e-9
    return int(alike.argmax())


def shift_pitch(waveform: np.ndarray, semitones: float, sample_rate: int) -> np.ndarray:
    """Shift the pitch of a waveform at the same tempo: stretch it, then resample it to its own length.

    Args:
        waveform: (samples,).
        semitones: up, or down when negative.
        sample_rate: in Hz.

    Returns:
        The shifted waveform, float32 (samples,).

    Differs:
        torchaudio.functional.pitch_shift takes 36 s for 10 s at 16 kHz and 1.3 semitones, this 0.14 s: it
        resamples by a ratio of large integers.
    """
    speed = 2 ** (semitones / 12)
    shifted = soxr.resample(stretch_time(waveform, speed, sample_rate), speed, 1.0)[: len(waveform)]
    return np.pad(shifted, (0, len(waveform) - len(shifted)))


def draw_crop(waveform: np.ndarray, n_samples: int, rng: Rng) -> np.ndarray:
    """Draw a crop of a waveform; a shorter one is padded by silence before it.

    Args:
        waveform: (samples,).
        n_samples: length of the crop.
        rng: random number generator.

    Returns:
        The crop, (n_samples,).
    """
    if len(waveform) < n_samples:
        return np.pad(waveform, (n_samples - len(waveform), 0))
    start = int(rng.integers(len(waveform) - n_samples + 1))
    return waveform[start : start + n_samples]


class RandomRecording(InitArgs):
    """Simulate another recording chain: room, microphone and tape.

    One pass through the frequency domain applies varispeed, equaliser and impulse response; then come noise,
    saturation, and gain.

    Args:
        impulse_response_p: probability of an impulse response.
        equaliser_p: probability of an equaliser.
        noise_p: probability of noise, at 10 to 50 dB below the music.
        saturation_p: probability of saturation.
        gain_db: lowest and highest level of the result's peak, relative to full scale.

    Raises:
        ValueError: a probability is not from 0 to 1, or gain_db not in ascending order.
    """

    ranges: ClassVar[Mapping[str, Range]] = dict.fromkeys(
        ("impulse_response_p", "equaliser_p", "noise_p", "saturation_p"), SHARE
    )

    def __init__(
        self,
        impulse_response_p: float = 0.7,
        equaliser_p: float = 0.8,
        noise_p: float = 0.5,
        saturation_p: float = 0.1,
        gain_db: tuple[float, float] = (-30.0, 0.0),
    ) -> None:
        self.impulse_response_p, self.equaliser_p, self.noise_p = impulse_response_p, equaliser_p, noise_p
        self.saturation_p, self.gain_db = saturation_p, gain_db
        check_interval("gain_db", gain_db, FINITE)

    def __call__(self, waveform: np.ndarray, n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
        """Resample a waveform to n_samples, which changes pitch and tempo together, and change it.

        Args:
            waveform: (samples,).
            n_samples: length of the result, of which the caller drops a second at the start: the
                convolution is circular.
            sample_rate: in Hz.
            rng: random number generator.

        Returns:
            The changed waveform, float32 (n_samples,).
        """
        spectrum = np.asarray(scipy.fft.rfft(waveform))
        n_bins = n_samples // 2 + 1
        spectrum = np.pad(spectrum[:n_bins], (0, max(n_bins - len(spectrum), 0)))
        if rng.random() < self.equaliser_p:
            spectrum *= draw_equaliser(np.fft.rfftfreq(n_samples, 1 / sample_rate), rng)
        if rng.random() < self.impulse_response_p:
            spectrum *= scipy.fft.rfft(draw_impulse_response(n_samples, sample_rate, rng))
        out = np.asarray(scipy.fft.irfft(spectrum, n_samples))
        if rng.random() < self.noise_p:
            out = add_noise(out, snr_db=rng.uniform(10, 50), rng=rng)
        peak = np.abs(out).max() + 1e-9
        if rng.random() < self.saturation_p:
            out = np.tanh(out / peak * rng.uniform(1, 2.5))
            peak = np.abs(out).max() + 1e-9
        return (out / peak * 10 ** (rng.uniform(*self.gain_db) / 20)).astype(np.float32)


class RandomClip(InitArgs):
    """Draw a crop of a waveform, its polarity, tempo and pitch changed, and change its recording.

    Args:
        polarity_p: probability of polarity inversion.
        stretch_p: probability of a time stretch.
        stretch: smallest and greatest factor of the length.
        pitch_p: probability of a pitch shift.
        semitones: lowest and highest pitch shift.
        record: changes the recording; `RandomRecording()` when None.

    Raises:
        ValueError: a probability is not from 0 to 1, or the ends of an interval not in ascending order.
    """

    ranges: ClassVar[Mapping[str, Range]] = dict.fromkeys(("polarity_p", "stretch_p", "pitch_p"), SHARE)

    def __init__(
        self,
        polarity_p: float = 0.5,
        stretch_p: float = 0.3,
        stretch: tuple[float, float] = (0.8, 1.25),
        pitch_p: float = 0.3,
        semitones: tuple[float, float] = (-2.0, 2.0),
        record: RandomRecording | None = None,
    ) -> None:
        self.polarity_p, self.stretch_p, self.stretch = polarity_p, stretch_p, stretch
        self.pitch_p, self.semitones, self.record = pitch_p, semitones, record or RandomRecording()
        check_interval("stretch", stretch, POSITIVE)
        check_interval("semitones", semitones, FINITE)

    def __call__(self, waveform: np.ndarray, n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
        """Change a waveform, and draw n_samples of it.

        Args:
            waveform: (samples,).
            n_samples: length of the result, of which the caller drops a second at the start. Where the
                waveform has become too short it begins with silence, which this second holds for 4 s and the
                default factors.
            sample_rate: in Hz.
            rng: random number generator.

        Returns:
            The changed crop, float32 (n_samples,).
        """
        if rng.random() < self.polarity_p:
            waveform = -waveform
        if rng.random() < self.stretch_p:
            waveform = stretch_time(waveform, np.exp(rng.uniform(*np.log(self.stretch))), sample_rate)
        if rng.random() < self.pitch_p:
            waveform = shift_pitch(waveform, rng.uniform(*self.semitones), sample_rate)
        return self.record(draw_crop(waveform, n_samples, rng), n_samples, sample_rate, rng)
