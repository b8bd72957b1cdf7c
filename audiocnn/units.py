"""Conversions between units of pitch: frequencies in Hz, MIDI note numbers, note names.

MIDI note numbers have A4 = 69 = 440 Hz and 12 to the octave; fractions are allowed (0.01 = one cent).

Differs: librosa has functions of the same names, but its import takes 0.3 to 3 s.
"""

import numpy as np
from numpy.typing import ArrayLike

A4_MIDI, A4_HZ = 69, 440.0
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def midi_to_hz(midi: ArrayLike) -> np.ndarray:
    """Convert MIDI note numbers to frequencies in Hz.

    Args:
        midi: a number or an array of any shape.

    Returns:
        An array of the same shape.
    """
    return A4_HZ * 2 ** ((np.asarray(midi) - A4_MIDI) / 12)


def midi_to_note(midi: int) -> str:
    """Return the note name of a MIDI note number: pitch class and octave, `C4` for 60.

    Args:
        midi: a whole number.
    """
    return f"{PITCH_CLASSES[midi % 12]}{midi // 12 - 1}"
