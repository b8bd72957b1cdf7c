"""Notes -> their tempo -> the same notes on its grid."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from audiocnn.midi import check_tempo
from audiocnn.notes import Note

RATE = 200  # of the onset envelope, Hz; librosa's 43 Hz resolve tempi near 120 only to 5 %
MAX_EXCERPT_S = 600.0  # from the first note on; more does not make the estimate of a constant tempo better
MAX_LAG_S = 8.0  # of the autocorrelation, as in librosa
MAX_BEATS = 320  # a minute, as in librosa
DEFAULT_TEMPO = 120.0  # quarters a minute of notes without a rhythm, as of MIDI files without a tempo


def estimate_tempo(notes: Iterable[Note]) -> float:
    """Estimate the tempo of notes, taken as constant.

    The autocorrelation of the onsets gives the beat, then their spectrum its exact rate.

    Args:
        notes: in any order.

    Returns:
        Quarters a minute; `DEFAULT_TEMPO` where fewer than two onsets differ.
    """
    envelope = _onset_envelope(list(notes))
    if np.count_nonzero(envelope) < 2:
        return DEFAULT_TEMPO
    return _refine(_estimate_coarsely(envelope), envelope)


def _onset_envelope(notes: list[Note]) -> np.ndarray:
    """Sum the velocities, 0 to 1 each, of the onsets in each frame from the first onset on, (frames,)."""
    frames = np.array([round(note.onset_s * RATE) for note in notes], int)
    frames -= min(frames, default=0)
    velocities = np.array([note.velocity / 127 for note in notes])
    return np.bincount(frames, velocities)[: round(MAX_EXCERPT_S * RATE)]


def _estimate_coarsely(envelope: np.ndarray) -> float:
    """Return the tempo of the lag with the highest autocorrelation, those near DEFAULT_TEMPO preferred.

    Source: librosa.feature.tempo, at its defaults; not imported, for that takes 1.4 s and 130 MB.
    """
    n_lags = round(MAX_LAG_S * RATE)
    power = np.abs(np.fft.rfft(envelope, 2 * max(len(envelope), n_lags))) ** 2
    autocorrelation = np.fft.irfft(power)
    lags = np.arange(60 * RATE // MAX_BEATS + 1, n_lags)
    tempi = 60 * RATE / lags
    preference = -0.5 * np.log2(tempi / DEFAULT_TEMPO) ** 2
    return float(tempi[np.argmax(np.log1p(1e6 * autocorrelation[lags] / autocorrelation[0]) + preference)])


def _refine(tempo: float, envelope: np.ndarray) -> float:
    """Return the tempo within 4 % of a coarse one whose quarters, eighths and sixteenths fit best."""
    n_fft = 8 << len(envelope).bit_length()
    spectrum, hz = np.abs(np.fft.rfft(envelope, n_fft)), np.fft.rfftfreq(n_fft, 1 / RATE)
    tempi = tempo * np.linspace(0.96, 1.04, 4001)
    agreement = sum(np.interp(tempi / 60 * part, hz, spectrum) for part in (1, 2, 4))
    return float(tempi[np.argmax(agreement)])


def quantise(notes: Iterable[Note], tempo: float, division: int = 16) -> list[Note]:
    """Quantise notes: move onsets and offsets to the nearest step of a tempo's grid.

    The grid is laid where the onsets are nearest to it; then the music is moved as a whole, by half a step
    at most, so that the grid starts at 0 s: bar lines of a MIDI file then fall on it. A note lasts one step
    at least.

    Args:
        notes: in any order.
        tempo: quarters a minute.
        division: a step is this part of a whole note; 16 for sixteenths.

    Returns:
        The notes in the same order.

    Raises:
        ValueError: the tempo is out of range.
    """
    check_tempo(tempo)
    notes = list(notes)
    step_s = 240 / tempo / division
    onsets = np.array([note.onset_s for note in notes])
    shift = np.angle(np.exp(2j * np.pi * onsets / step_s).sum()) / (2 * np.pi)
    moved = []
    for note in notes:
        first = max(round(note.onset_s / step_s - shift), 0)
        last = max(round(note.offset_s / step_s - shift), first + 1)
        moved.append(replace(note, onset_s=first * step_s, offset_s=last * step_s))
    return moved
