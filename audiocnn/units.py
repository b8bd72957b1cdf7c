"""Conversions between the units that the other modules speak in; numbers in, numbers out, arrays too.

Pitch: MIDI note numbers, A4 = 69 = 440 Hz, 12 to the octave; fractions are allowed (0.01 = one cent).
"""

import numpy as np


def hz_to_midi(frequency_hz):
    """MIDI note number, with its fraction, of a frequency in Hz."""
    return 69 + 12 * np.log2(np.asarray(frequency_hz) / 440)


def midi_to_hz(midi):
    """Frequency in Hz of a MIDI note number."""
    return 440 * 2 ** ((np.asarray(midi) - 69) / 12)
