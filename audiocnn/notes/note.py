"""Note, and the range of pitches and bends that models know."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LOWEST_MIDI, N_PITCHES = 21, 88  # A0 to C8, the piano's range
BEND_STEP_S = 0.02  # seconds between two values of Note.bend
MAX_BEND = 1.0  # semitones up or down that a model's bend score can reach

Scores = Mapping[str, Float[np.ndarray, "pitches frames"]]
"""Scores or targets by name: `onset`, `frame`, `offset`, `velocity` and, with pitch bend, `bend`."""


@dataclass(frozen=True)
class Note:
    """One note.

    Args:
        onset_s: its beginning, in seconds from the start of the recording.
        offset_s: its end, in seconds.
        midi: its pitch as a MIDI note number.
        velocity: MIDI velocity, 1 to 127.
        confidence: how sure the model is of it, 0 to 1.
        bend: deviation from `midi` in semitones, a value every BEND_STEP_S from the onset; empty where it was
            not measured.
    """

    onset_s: float
    offset_s: float
    midi: int
    velocity: int = 100
    confidence: float = 1.0
    bend: tuple[float, ...] = ()


def sort_notes(notes: Iterable[Note]) -> list[Note]:
    """Return the notes in the order they have everywhere: by onset, then by pitch.

    Args:
        notes: in any order.
    """
    return sorted(notes, key=lambda note: (note.onset_s, note.midi))


def check_notes(notes: Iterable[Note]) -> list[Note]:
    """Refuse notes that cannot be.

    Args:
        notes: in any order.

    Returns:
        The notes.

    Raises:
        ValueError: a time is negative or not finite, a note ends before it begins, or its pitch, velocity,
            confidence or bend is out of range.
    """
    notes = list(notes)
    for number, note in enumerate(notes, 1):
        if wrong := find_fault(note):
            raise ValueError(f"note {number} {wrong}")
    return notes


def find_fault(note: Note) -> str:
    """Say what about a note cannot be; empty for a good note.

    Args:
        note: the note.
    """
    if not 0 <= note.onset_s <= note.offset_s < math.inf:
        return (
            f"lasts from {note.onset_s} to {note.offset_s} s, expected 0 or later, and an end not before it"
        )
    if not 0 <= note.midi <= 127:
        return f"has the MIDI number {note.midi}, expected 0 to 127"
    if not 1 <= note.velocity <= 127:
        return f"has the velocity {note.velocity}, expected 1 to 127"
    if not 0 <= note.confidence <= 1:
        return f"has the confidence {note.confidence}, expected 0 to 1"
    if not all(map(math.isfinite, note.bend)):
        return "has a bend that is not finite"
    return ""
