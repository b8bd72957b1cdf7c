"""Notes -> a sung line, by source and filter: for voices, of which soundfonts have only choirs.

Place in the flow: used by `instruments`, beside `fluidsynth` and `sampler`. Sound is 16 kHz mono.
Source: Fant, "Acoustic theory of speech production", 1960; formants from Peterson and Barney, "Control
methods used in a study of the vowels", 1952 (men); vibrato after Sundberg, "The science of the singing
voice", 1987.
"""

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from audiocnn.midi import MIDI, OFFSET, ONSET, VELOCITY

SAMPLE_RATE = 16_000
# First three formants of vowels in Hz.
VOWELS = {
    "heed": (270, 2290, 3010),
    "head": (530, 1840, 2480),
    "had": (660, 1720, 2410),
    "hod": (730, 1090, 2440),
    "hawed": (570, 840, 2410),
    "who'd": (300, 870, 2240),
}
FORMANT_BANDWIDTHS_HZ = (80, 100, 140, 250)
SINGERS_FORMANT_HZ = (2800, 3400)  # of the fourth resonance
GLIDE_S = 0.06  # from one pitch to the next
MELODY_S = 0.05  # two notes closer than this are a chord, of which the highest is sung


def sing(notes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sing the highest of some notes, each on a vowel.

    Args:
        notes: (notes, 4).
        rng: random number generator.

    Returns:
        The voice at 16 kHz (samples,).
    """
    notes = extract_melody(notes)
    n_samples = round((notes[:, OFFSET].max() + 0.3) * SAMPLE_RATE)
    scale = rng.uniform(0.95, 1.25)  # a smaller head has higher formants
    fourth_hz = rng.uniform(*SINGERS_FORMANT_HZ)
    source = _source(notes, n_samples, rng)
    total = np.zeros(n_samples)
    for row, end_s in zip(notes, _ends(notes), strict=True):
        span = slice(round(row[ONSET] * SAMPLE_RATE), round(end_s * SAMPLE_RATE))
        vowel = VOWELS[str(rng.choice(list(VOWELS)))]
        pitch_hz = 440 * 2 ** ((row[MIDI] - 69) / 12)
        formants = [max(frequency * scale, pitch_hz) for frequency in (*vowel, fourth_hz)]
        voiced = _resonated(source[span], formants) * _envelope(span.stop - span.start, rng)
        if rng.uniform() < 0.4:
            voiced = _consonant(voiced, rng)
        total[span] += voiced * (row[VELOCITY] / 127) ** 1.5
    return total.astype(np.float32)


def extract_melody(notes: np.ndarray) -> np.ndarray:
    """Extract the highest note of each chord.

    Args:
        notes: (notes, 4).

    Returns:
        The notes in the order of onset, none after the next one's onset.
    """
    kept: list[np.ndarray] = []
    for row in notes[np.argsort(notes[:, ONSET], kind="stable")]:
        if not kept or row[ONSET] - kept[-1][ONSET] >= MELODY_S:
            kept.append(row)
        elif row[MIDI] > kept[-1][MIDI]:
            kept[-1] = row
    line = np.array(kept)
    line[:-1, OFFSET] = np.minimum(line[:-1, OFFSET], line[1:, ONSET])
    return line


def _ends(notes: np.ndarray) -> np.ndarray:
    """Return where each note has faded, in seconds: 0.1 s after its end, or where the next begins."""
    return np.minimum(notes[:, OFFSET] + 0.1, np.append(notes[1:, ONSET], np.inf))


def _source(notes: np.ndarray, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return the sound of the vocal folds: pulses at the notes' pitch, gliding and trembling, and breath."""
    times_s = np.arange(n_samples) / SAMPLE_RATE
    corners_s = np.column_stack([notes[:, ONSET], np.maximum(_ends(notes) - GLIDE_S, notes[:, ONSET] + 1e-3)])
    midi = np.interp(times_s, corners_s.ravel(), np.repeat(notes[:, MIDI], 2))
    depth = rng.uniform(0, 0.6)
    rate_hz = rng.uniform(4.5, 6.5)
    steps_s = np.arange(0, times_s[-1] + 0.15, 0.15)
    drift = np.interp(times_s, steps_s, rng.normal(0, 0.1, len(steps_s)))
    midi = midi + depth * np.sin(2 * np.pi * rate_hz * times_s) + drift
    frequency = 440 * 2 ** ((midi - 69) / 12)
    phase = np.cumsum(frequency) / SAMPLE_RATE
    n_harmonics = int(0.45 * SAMPLE_RATE / frequency.min())
    tilt = rng.uniform(0.9, 1.5)  # 6 dB an octave is 1: pulses' 12 and the lips' -6
    pulses = np.zeros(n_samples)
    for harmonic in range(1, min(n_harmonics, 60) + 1):
        audible = harmonic * frequency < 0.45 * SAMPLE_RATE
        pulses += audible * np.sin(2 * np.pi * harmonic * phase) / harmonic**tilt
    breath = rng.standard_normal(n_samples) * rng.uniform(0.005, 0.06)
    return pulses + breath


def _resonated(source: np.ndarray, formants_hz: list[float]) -> np.ndarray:
    """Return a sound through the resonances of a vowel, in cascade."""
    for frequency_hz, width_hz in zip(formants_hz, FORMANT_BANDWIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * width_hz / SAMPLE_RATE)
        poles = [1, -2 * radius * np.cos(2 * np.pi * frequency_hz / SAMPLE_RATE), radius**2]
        source = np.asarray(lfilter([sum(poles)], poles, source))
    return source / (np.abs(source).max() + 1e-9)


def _envelope(n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return a note's rise and fall."""
    rise, fall = (min(round(rng.uniform(0.02, 0.12) * SAMPLE_RATE), n_samples) for _ in range(2))
    envelope = np.ones(n_samples)
    envelope[:rise] = np.sin(np.linspace(0, np.pi / 2, rise)) ** 2
    envelope[n_samples - fall :] *= np.linspace(1, 0, fall)
    return envelope


def _consonant(voiced: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a note that begins with a hiss."""
    n_hiss = min(round(rng.uniform(0.03, 0.12) * SAMPLE_RATE), len(voiced))
    band = butter(2, rng.uniform(2000, 5000), "high", fs=SAMPLE_RATE, output="sos")
    hiss = np.asarray(sosfilt(band, rng.standard_normal(n_hiss))) * np.hanning(n_hiss)
    voiced = voiced.copy()
    voiced[:n_hiss] = voiced[:n_hiss] * np.linspace(0, 1, n_hiss) + 0.3 * hiss / (np.abs(hiss).max() + 1e-9)
    return voiced
