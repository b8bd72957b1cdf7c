"""Notes -> their tempo -> the same notes on its grid."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from audiocnn.midi import check_tempo
from audiocnn.notes import Note

RATE = 200  # of the onset envelope, Hz; librosa's own 43 Hz knows tempi near 120 only to 5 %
LISTEN_S = 600.0  # from the first note on; a longer recording tells no more of a constant tempo
LONGEST_BEAT_S = 8.0  # the lag that the autocorrelation goes to, as in librosa
FASTEST_BEAT = 320  # a minute, as in librosa
DEFAULT_TEMPO = 120.0  # quarters a minute where notes tell nothing, as MIDI files without a tempo have


def estimate_tempo(notes: Iterable[Note]) -> float:
    """Quarters a minute, taken as constant; DEFAULT_TEMPO where fewer than two onsets differ.

    The autocorrelation of the onsets gives the beat, then their spectrum its exact rate.
    """
    envelope = _onset_envelope(list(notes))
    if np.count_nonzero(envelope) < 2:
        return DEFAULT_TEMPO
    return _refined(_coarse(envelope), envelope)


def _onset_envelope(notes: list[Note]) -> np.ndarray:
    """Sum of the velocities, 0 to 1 each, at each moment from the first note on: (frames,) at RATE."""
    frames = np.array([round(note.onset_s * RATE) for note in notes], int)
    frames -= min(frames, default=0)
    velocities = np.array([note.velocity / 127 for note in notes])
    return np.bincount(frames, velocities)[: round(LISTEN_S * RATE)]


def _coarse(envelope: np.ndarray) -> float:
    """The tempo of the lag at which the onsets are most like themselves, those near DEFAULT_TEMPO preferred.

    Source: librosa.feature.tempo, at its defaults; not imported, for that takes 1.3 s and 200 MB.
    """
    n_lags = round(LONGEST_BEAT_S * RATE)
    power = np.abs(np.fft.rfft(envelope, 2 * max(len(envelope), n_lags))) ** 2
    likeness = np.fft.irfft(power)
    lags = np.arange(60 * RATE // FASTEST_BEAT + 1, n_lags)
    tempi = 60 * RATE / lags
    preference = -0.5 * np.log2(tempi / DEFAULT_TEMPO) ** 2
    return float(tempi[np.argmax(np.log1p(1e6 * likeness[lags] / likeness[0]) + preference)])


def _refined(tempo: float, envelope: np.ndarray) -> float:
    """The tempo within 4 % of a coarse one whose quarters, eighths and sixteenths most onsets agree with."""
    n_fft = 8 << len(envelope).bit_length()
    spectrum, hz = np.abs(np.fft.rfft(envelope, n_fft)), np.fft.rfftfreq(n_fft, 1 / RATE)
    tempi = tempo * np.linspace(0.96, 1.04, 4001)
    agreement = sum(np.interp(tempi / 60 * part, hz, spectrum) for part in (1, 2, 4))
    return float(tempi[np.argmax(agreement)])


def quantise(notes: Iterable[Note], tempo: float, division: int = 16) -> list[Note]:
    """The same notes with onset and offset moved to the nearest `division`-th of a whole note.

    The grid is laid where the onsets are nearest to it; then the music is moved as a whole, by half a step
    at most, so that the grid starts at 0 s: bar lines of a MIDI file then fall on it. A note lasts one step
    at least.
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
