"""Tuning: how far the instruments of a recording are tuned above or below A = 440 Hz.

Models know the pitches of equal temperament at 440 Hz, as their training recordings have them. A recording
that is tuned higher goes through them at a higher sample rate, which brings its pitches to those.
"""

from __future__ import annotations

import numpy as np

from audiocnn.ranges import ArgumentError

TUNING_S = 60.0  # seconds of a recording from which its tuning is estimated: 4 MB at 16 kHz
MAX_CENTS = 200.0  # A = 392 Hz, the lowest that early music is played at, lies 200 cents below 440 Hz
# Quarter tones are as far from one semitone as from the next; they count as low, and so do the 5 cents below.
HIGHEST_CENTS = 45.0
WINDOW_S = 0.256  # of a spectrum: partials a semitone apart are separate from 130 Hz on
LOW_HZ, HIGH_HZ = 100.0, 1500.0  # in which peaks are taken; the partials of strings are sharp further up
FLOOR_DB = 50.0  # peaks further below the highest are noise
BLOCK_FRAMES = 64  # spectra computed at once: 1 MB
# Found on the 42 validation recordings of notes, all in tune (within 6 cents; agreement 0.4 to 1, but for one
# of drums), and 30 real ones: speech, noise, drums, birds and the orchestra's glides agree by less than 0.2.
MIN_PEAKS, MIN_AGREEMENT = 50, 0.3
MIN_CENTS = 8.0  # what is closer is in tune, and its notes are found


def find_sample_rate(sample_rate: int, tuning_cents: float) -> int:
    """Find the sample rate at which a recording has the pitches that it would have at 440 Hz.

    Args:
        sample_rate: in Hz, of a recording at 440 Hz.
        tuning_cents: tuning of the recording, -200 to 200 cents.

    Returns:
        In whole Hz: at 16 kHz to a twentieth of a cent.

    Raises:
        ArgumentError: the tuning is out of range.
    """
    check_tuning(tuning_cents)
    return round(sample_rate * 2 ** (tuning_cents / 1200))


def check_tuning(tuning_cents: float) -> None:
    """Check a tuning that was given.

    Args:
        tuning_cents: in cents above A = 440 Hz.

    Raises:
        ArgumentError: it is out of range.
    """
    if not -MAX_CENTS <= tuning_cents <= MAX_CENTS:
        raise ArgumentError(f"tuning is {tuning_cents} cents, expected -{MAX_CENTS:g} to {MAX_CENTS:g}")


def estimate_tuning(waveform: np.ndarray, sample_rate: int) -> float:
    """Estimate the tuning of a recording from the peaks of its spectra.

    Args:
        waveform: (samples,).
        sample_rate: in Hz.

    Returns:
        Whole cents (hundredths of a semitone) above A = 440 Hz, -55 to 45. 0 where the recording is in tune
        within `MIN_CENTS`, or its peaks do not agree: noise, speech, glides, or too few notes.

    Differs:
        librosa.estimate_tuning takes the fullest bin of a histogram; the circular mean here also says how far
        the peaks agree, and needs no numba, whose start takes seconds.
    """
    hz, magnitudes = find_peaks(waveform, sample_rate)
    if len(hz) < MIN_PEAKS:
        return 0.0
    # Deviations from semitones are angles: 49 cents above one are next to 49 cents below the next.
    mean = np.average(np.exp(2j * np.pi * 12 * np.log2(hz / 440)), weights=np.sqrt(magnitudes))
    cents = 100 * np.angle(mean) / (2 * np.pi)
    if np.abs(mean) < MIN_AGREEMENT or abs(cents) < MIN_CENTS:
        return 0.0
    return float(round(cents - 100 if cents > HIGHEST_CENTS else cents))


def find_peaks(waveform: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the peaks of a recording's spectra.

    Args:
        waveform: (samples,).
        sample_rate: in Hz.

    Returns:
        Frequencies in Hz and magnitudes of the peaks, (peaks,) each.
    """
    n_fft = 2 ** round(np.log2(WINDOW_S * sample_rate))
    low, high = int(LOW_HZ * n_fft / sample_rate), int(min(HIGH_HZ, 0.45 * sample_rate) * n_fft / sample_rate)
    window = np.hanning(n_fft).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(waveform, n_fft // 2), n_fft)[::n_fft]
    levels = np.concatenate(
        [
            np.log(np.abs(np.fft.rfft(frames[i : i + BLOCK_FRAMES] * window)[:, low - 1 : high + 1]) + 1e-9)
            for i in range(0, len(frames), BLOCK_FRAMES)
        ]
    )
    before, centre, after = levels[:, :-2], levels[:, 1:-1], levels[:, 2:]
    is_peak = (centre > before) & (centre >= after) & (centre > levels.max() - FLOOR_DB / 20 * np.log(10))
    before, centre, after = before[is_peak], centre[is_peak], after[is_peak]
    shifts = 0.5 * (before - after) / (before - 2 * centre + after)  # to the top of a parabola
    return (low + np.nonzero(is_peak)[1] + shifts) * sample_rate / n_fft, np.exp(centre)
