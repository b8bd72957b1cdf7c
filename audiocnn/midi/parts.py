"""Parts: what one instrument plays, as a table of notes and presses of the sustain pedal.

A table of notes is (notes, 4) with the columns `ONSET, OFFSET, MIDI, VELOCITY`: seconds, seconds, MIDI
number, 1 to 127. In a part, an offset is where the key is released; `sustain` extends it to where the pedal
is.
"""

from dataclasses import dataclass, field

import numpy as np

ONSET, OFFSET, MIDI, VELOCITY = range(4)  # columns of a table of notes
SAME_ONSET_S = 0.03  # two notes of one pitch this close are one


@dataclass(frozen=True)
class Part:
    """What one instrument plays.

    Args:
        notes: (notes, 4), see above.
        pedal: presses of the sustain pedal (presses, 2): down and up in seconds.
        program: of General MIDI, counted from 0.
        is_drum: whether the MIDI numbers name drums instead of pitches.
        bend: changes of the pitch bend (changes, 2): seconds, and semitones from then on.
    """

    notes: np.ndarray
    pedal: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    program: int = 0
    is_drum: bool = False
    bend: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))


def sustain(notes: np.ndarray, pedal: np.ndarray) -> np.ndarray:
    """Extend notes to the offsets at which they end under the sustain pedal.

    A note whose key is released while the pedal is down goes on until the pedal is up, and no longer than to
    the next onset of its pitch.

    Args:
        notes: (notes, 4), offsets where keys are released.
        pedal: (presses, 2) in seconds, in order.

    Returns:
        The notes (notes, 4), sorted.
    """
    notes = sort_rows(notes)
    for down_s, up_s in pedal:
        held = (notes[:, OFFSET] >= down_s) & (notes[:, OFFSET] < up_s)
        notes[held, OFFSET] = up_s
    for pitch in np.unique(notes[:, MIDI]):
        rows = np.flatnonzero(notes[:, MIDI] == pitch)
        onsets = np.append(notes[rows, ONSET], np.inf)
        following = onsets[np.searchsorted(onsets, onsets[:-1], side="right")]
        notes[rows, OFFSET] = np.minimum(notes[rows, OFFSET], following)
    return notes


def merge_notes(tables: list[np.ndarray]) -> np.ndarray:
    """Merge tables of notes into one in which no two notes of one pitch overlap.

    Onsets within `SAME_ONSET_S` become one note, with the first onset, the last offset and the highest
    velocity; else the earlier note ends where the later begins.

    Args:
        tables: of several parts, each (notes, 4).

    Returns:
        The notes (notes, 4), sorted.
    """
    kept: list[np.ndarray] = []
    last: dict[float, np.ndarray] = {}
    for row in sort_rows(np.concatenate(tables)):
        before = last.get(row[MIDI])
        if before is not None and row[ONSET] - before[ONSET] < SAME_ONSET_S:
            before[OFFSET:] = np.maximum(before[OFFSET:], row[OFFSET:])
            continue
        if before is not None:
            before[OFFSET] = min(before[OFFSET], row[ONSET])
        last[row[MIDI]] = row
        kept.append(row)
    return np.array(kept).reshape(-1, 4)


def sort_rows(notes: np.ndarray) -> np.ndarray:
    """Copy a table of notes (notes, 4) in the order of onset, then pitch.

    Args:
        notes: (notes, 4).

    Returns:
        (notes, 4).
    """
    return notes[np.lexsort((notes[:, MIDI], notes[:, ONSET]))]
