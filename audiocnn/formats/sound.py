"""Notes -> sound, beside their recording: a listener notices at once what is missing and what is wrong.

The file is stereo, the recording on the left and the notes on the right, equally loud: both together, or each
alone by the balance control. The recording keeps its level, and is clipped where that is above full scale;
the notes are limited softly there.
"""

import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from audiocnn import audio, files, units
from audiocnn.notes import BEND_STEP_S, Note, check_notes

SAMPLE_RATE = 44_100  # Hz; the notes' partials need it even where the recording has less
N_PARTIALS = 6
ATTACK_S, RELEASE_S = 0.005, 0.05
N_BLOCK = 10 * SAMPLE_RATE  # samples
AUDIBLE_DECAYS = 7  # time constants after which a note is 60 dB down
MIN_RMS = 1e-3  # notes of a silent recording are played at -60 dB all the same


def write_wav(notes: Iterable[Note], source: str | os.PathLike, path: str | os.PathLike) -> None:
    """Write a recording and its notes as the left and right channel, in bounded memory.

    Args:
        notes: in any order.
        source: the recording, an audio file.
        path: audio file to write.

    Raises:
        ValueError: a note cannot be.
        files.FileError: the recording cannot be read, the file cannot be written, or is the recording itself.
    """
    notes = check_notes(notes)
    gain = _gain(notes, source)
    if Path(path).exists() and Path(path).samefile(source):
        raise files.FileError(path, "is the recording itself and stays as it is; choose another place")
    waiting = deque(sorted(notes, key=lambda note: note.onset_s))
    pending = np.zeros(0, np.float32)  # the notes from the block's start on, as far as they reach
    start, n_clipped = 0, 0
    with audio.create(path, SAMPLE_RATE, 2) as file:
        for block in audio.read_blocks(source, SAMPLE_RATE, N_BLOCK):
            stop = start + len(block)
            n_clipped += int(np.count_nonzero(np.abs(block) > 1))
            while waiting and round(waiting[0].onset_s * SAMPLE_RATE) < stop:
                note = waiting.popleft()
                pending = _add(pending, synthesise(note), round(note.onset_s * SAMPLE_RATE) - start)
            pending = np.pad(pending, (0, max(len(block) - len(pending), 0)))
            file.write(np.stack([block, np.tanh(gain * pending[: len(block)])], axis=1))
            pending, start = pending[len(block) :], stop
    clipped = f"{n_clipped} samples are above full scale, and clipped beside the notes in sound"
    files.warn(source, [clipped] if n_clipped else [])


def synthesise(note: Note, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Synthesise a plucked tone.

    It is the imaginary part of a polynomial in z = exp((2 pi i f - 1 / decay) t): the k-th power of z is the
    k-th partial, decaying k times as fast as the first.

    Args:
        note: its times, pitch, velocity and bend are used.
        sample_rate: in Hz.

    Returns:
        The waveform from the note's onset to the end of its release, float32 (samples,).
    """
    n_held = round(min(note.offset_s - note.onset_s, AUDIBLE_DECAYS * _decay_s(note)) * sample_rate)
    n_samples = n_held + round(RELEASE_S * sample_rate)
    z = _powers(note, n_samples, sample_rate)
    weights = _weights(note, sample_rate)
    total = np.zeros(n_samples, np.complex64)
    for weight in reversed(weights):
        total = (total + weight) * z
    edges = [0, min(round(ATTACK_S * sample_rate), n_held), n_held, n_samples]
    return np.interp(np.arange(n_samples), edges, [0, 1, 1, 0]).astype(np.float32) * total.imag


def _powers(note: Note, n_samples: int, sample_rate: int) -> np.ndarray:
    """Return exp((2 pi i f - 1 / decay) t) at each sample, complex64 (samples,); f follows the bend."""
    step = (2j * np.pi * units.midi_to_hz(note.midi) - 1 / _decay_s(note)) / sample_rate
    if note.bend:
        times_s = np.arange(n_samples) / sample_rate
        bend = np.interp(times_s, np.arange(len(note.bend)) * BEND_STEP_S, note.bend)
        speeds = step.imag * 2 ** (bend / 12)
        angles = np.cumsum(speeds) - speeds
        return np.exp(step.real * np.arange(n_samples) + 1j * angles).astype(np.complex64)
    n_row = 512  # one exp a row and one a column instead of one a sample
    rows = np.exp(step * n_row * np.arange(-(-n_samples // n_row)))
    columns = np.exp(step * np.arange(n_row))
    return np.multiply.outer(rows.astype(np.complex64), columns.astype(np.complex64)).reshape(-1)[:n_samples]


def _weights(note: Note, sample_rate: int) -> np.ndarray:
    """Return the amplitudes of the partials, (partials,); 0 from half the sample rate on."""
    partials = np.arange(1, N_PARTIALS + 1)
    is_below = partials * units.midi_to_hz(note.midi) < sample_rate / 2
    return (note.velocity / 127 / partials * is_below).astype(np.float32)


def _decay_s(note: Note) -> float:
    """Return the time constant of the first partial: half as long two octaves higher, as on strings."""
    return 1.5 * 2 ** ((60 - note.midi) / 24)


def _gain(notes: Iterable[Note], source: str | os.PathLike) -> float:
    """Return the factor that makes the notes as loud (root mean square) as the recording."""
    squares, n_samples = 0.0, 0
    for block in audio.read_blocks(source, SAMPLE_RATE, N_BLOCK):
        squares += float(np.dot(block, block))
        n_samples += len(block)
    energy = sum(map(_energy, notes)) * SAMPLE_RATE
    return float(np.sqrt(max(squares, n_samples * MIN_RMS**2) / energy)) if energy else 0.0


def _energy(note: Note) -> float:
    """Return the integral over time of a tone's square, attack and release aside."""
    rates = 2 * np.arange(1, N_PARTIALS + 1) / _decay_s(note)
    lasted = (1 - np.exp(-rates * (note.offset_s - note.onset_s + RELEASE_S / 3))) / rates
    return float((_weights(note, SAMPLE_RATE) ** 2 / 2 * lasted).sum())


def _add(pending: np.ndarray, samples: np.ndarray, start: int) -> np.ndarray:
    """Return `pending`, longer if need be, with `samples` added from `start` on."""
    pending = np.pad(pending, (0, max(start + len(samples) - len(pending), 0)))
    pending[start : start + len(samples)] += samples
    return pending
