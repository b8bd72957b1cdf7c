"""Negative examples: sounds without notes, which no label fits."""

from __future__ import annotations

import numpy as np

from audiocnn.augment.waveform import Rng, filter_low_pass


def negative_example(n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
    """Synthesise sound without notes: gliding voices as of speech or birds, bursts of noise, or silence.

    Args:
        n_samples: length of the sound.
        sample_rate: in Hz.
        rng: random number generator.

    Returns:
        The sound, float32 (n_samples,), with a peak of at most 1.
    """
    kind = rng.choice(["voice", "bursts", "both", "silence"], p=[0.5, 0.2, 0.2, 0.1])
    sound = np.zeros(n_samples)
    if kind in ("voice", "both"):
        sound += synthesise_voice(n_samples, sample_rate, rng)
    if kind in ("bursts", "both"):
        sound += synthesise_bursts(n_samples, sample_rate, rng)
    return (sound / max(np.abs(sound).max(), 1.0)).astype(np.float32)


def synthesise_voice(n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
    """Synthesise syllables of a harmonic tone whose pitch never rests on a note.

    Its pitch is 60 Hz to 4 kHz, syllables last 0.04 to 1 s, and it has 1 to 20 harmonics.

    Args:
        n_samples: length of the voice.
        sample_rate: in Hz.
        rng: random number generator.

    Returns:
        The voice, (n_samples,).
    """
    duration_s = n_samples / sample_rate
    syllable_s = float(np.exp(rng.uniform(np.log(0.04), np.log(1.0))))
    times_s = np.cumsum(rng.uniform(0.4, 1.6, int(duration_s / syllable_s * 2) + 2) * syllable_s)
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


def synthesise_bursts(n_samples: int, sample_rate: int, rng: Rng) -> np.ndarray:
    """Synthesise claps, clicks and drums without pitch: decaying noise at random times.

    Args:
        n_samples: length of the sound.
        sample_rate: in Hz.
        rng: random number generator.

    Returns:
        The bursts, (n_samples,).
    """
    bursts = np.zeros(n_samples)
    for _ in range(rng.integers(1, 25)):
        start = int(rng.integers(0, n_samples))
        decay = float(np.exp(rng.uniform(np.log(0.003), np.log(0.3)))) * sample_rate
        length = min(n_samples - start, int(6 * decay))
        burst = rng.standard_normal(length) * np.exp(-np.arange(length) / decay)
        if rng.random() < 0.5:
            burst = filter_low_pass(burst, float(rng.uniform(100, 3000)), sample_rate)
        bursts[start : start + length] += rng.uniform(0.1, 1) * burst / (np.abs(burst).max() + 1e-9)
    return bursts
