"""Other rooms, microphones, paces and keys for a waveform."""

from __future__ import annotations

import numpy as np
import scipy.fft
import soxr

Rng = np.random.Generator
# Of what is moved as a whole when time is stretched: a period of the lowest notes, not two strokes.
PIECE_S = 0.05


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


def add_noise(waveform: np.ndarray, snr_db: float, rng: Rng) -> np.ndarray:
    """The waveform under coloured noise whose power lies snr_db below its own.

    Shape: (samples,) -> the same.
    """
    power = np.mean(waveform**2) + 1e-10
    noise = coloured_noise(len(waveform), rng) * np.sqrt(power) * 10 ** (-snr_db / 20)
    return (waveform + noise).astype(waveform.dtype)


def stretch_time(waveform: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """The waveform `factor` times as long, at the same pitch.

    Shape: (samples,) -> (round(factor * samples),), float32.
    Source: Verhelst and Roelands, "An overlap-add technique based on waveform similarity (WSOLA)", 1993.
    """
    hop = round(PIECE_S / 2 * sample_rate)
    n_piece, n_samples = 2 * hop, round(factor * len(waveform))
    window = np.hanning(n_piece + 1)[:-1]  # overlapping by half, they add up to 1
    padded = np.pad(waveform, (n_piece, 3 * n_piece + round(hop / factor)))
    stretched = np.zeros(n_samples + 2 * n_piece, np.float32)
    start = 0
    for i in range(n_samples // hop + 2):
        earliest = round(i * hop / factor)
        follows = padded[start + hop : start + hop + n_piece]
        start = earliest + most_alike(padded[earliest : earliest + 2 * n_piece], follows)
        stretched[i * hop : i * hop + n_piece] += window * padded[start : start + n_piece]
    return stretched[hop : hop + n_samples]


def most_alike(around: np.ndarray, piece: np.ndarray) -> int:
    """Where in the one the other is found, by normalised correlation; in the middle where nothing sounds."""
    n_fft = scipy.fft.next_fast_len(len(around), real=True)
    spectra = np.asarray(scipy.fft.rfft(around, n_fft)), np.asarray(scipy.fft.rfft(piece, n_fft))
    alike = np.asarray(scipy.fft.irfft(spectra[0] * spectra[1].conj(), n_fft))
    alike = alike[: len(around) - len(piece) + 1]
    energy = np.cumsum(np.square(np.pad(around, (1, 0)), dtype=float))
    alike /= np.sqrt(np.maximum(energy[len(piece) :] - energy[: -len(piece)], 1e-8))
    alike[len(alike) // 2] += 1e-9
    return int(alike.argmax())


def shift_pitch(waveform: np.ndarray, semitones: float, sample_rate: int) -> np.ndarray:
    """The waveform that many semitones higher, at the same pace: stretched, then played faster.

    Shape: (samples,) -> the same, float32.
    """
    speed = 2 ** (semitones / 12)
    shifted = soxr.resample(stretch_time(waveform, speed, sample_rate), speed, 1.0)[: len(waveform)]
    return np.pad(shifted, (0, len(waveform) - len(shifted)))


def crop(waveform: np.ndarray, n_samples: int, rng: Rng) -> np.ndarray:
    """n_samples from a random place; what is shorter comes after silence.

    Shape: (samples,) -> (n_samples,).
    """
    if len(waveform) < n_samples:
        return np.pad(waveform, (n_samples - len(waveform), 0))
    start = int(rng.integers(len(waveform) - n_samples + 1))
    return waveform[start : start + n_samples]


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
        if rng.random() < self.noise_p:
            out = add_noise(out, snr_db=rng.uniform(10, 50), rng=rng)
        peak = np.abs(out).max() + 1e-9
        if rng.random() < self.saturation_p:
            out = np.tanh(out / peak * rng.uniform(1, 2.5))
            peak = np.abs(out).max() + 1e-9
        return (out / peak * 10 ** (rng.uniform(*self.gain_db) / 20)).astype(np.float32)


class RandomClip:
    """The waveform as if played at another pace and in another key, and recorded anew.

    Each effect is by itself when the others' probabilities are 0.

    Args:
        polarity_p: how often the waveform is turned upside down.
        stretch_p: how often its pace changes.
        stretch: least and greatest factor of its length.
        pitch_p: how often its pitch changes.
        semitones: lowest and highest change.
        record: the room, microphone and tape.
    """

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

    def __call__(self, waveform: np.ndarray, n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
        """A random n_samples of the waveform, changed.

        Shape: (samples,) -> (n_samples,). Silence at the start where it has become too short: the second that
        the caller drops, as `RandomRecording` says, holds all of it for 4 s and the default factors.
        """
        if rng.random() < self.polarity_p:
            waveform = -waveform
        if rng.random() < self.stretch_p:
            waveform = stretch_time(waveform, np.exp(rng.uniform(*np.log(self.stretch))), sample_rate)
        if rng.random() < self.pitch_p:
            waveform = shift_pitch(waveform, rng.uniform(*self.semitones), sample_rate)
        return self.record(crop(waveform, n_samples, rng), n_samples, sample_rate, rng)
