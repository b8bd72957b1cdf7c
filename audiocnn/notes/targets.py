"""Notes -> the targets that a model is trained on.

Onsets and offsets are encoded as triangles, 1 at the event and 0 at `EVENT_HALF_WIDTH` frames from it, so
that the three frames around a peak give the time of the event to a fraction of a frame.

Source: Kong, Li, Song, Wan, Wang, "High-resolution piano transcription with pedals by regressing onset and
offset times", 2021, equations 1 and 8-10.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32

from audiocnn.notes.note import BEND_STEP_S, LOWEST_MIDI, N_PITCHES, Note

EVENT_HALF_WIDTH = 2.5  # frames from the top of an onset's or offset's triangle to its foot


def encode(
    notes: Iterable[Note], n_frames: int, frame_s: float
) -> dict[str, Float32[np.ndarray, "pitches frames"]]:
    """Encode notes as training targets.

    Notes outside the piano's range are left out; notes that began before frame 0 keep their later frames.

    Args:
        notes: their times count from frame 0.
        n_frames: length of the targets.
        frame_s: seconds from one frame to the next.

    Returns:
        `onset` and `offset` triangles, `frame` 1 while the note sounds, `velocity` 0 to 1 where an onset
        triangle stands, `bend` in semitones while the note sounds; each (pitches, frames).
    """
    targets = {
        name: np.zeros((N_PITCHES, n_frames), np.float32)
        for name in ("onset", "frame", "offset", "velocity", "bend")
    }
    for note in notes:
        if 0 <= note.midi - LOWEST_MIDI < N_PITCHES:
            _add_note(
                {name: array[note.midi - LOWEST_MIDI] for name, array in targets.items()}, note, frame_s
            )
    return targets


def _add_note(rows: dict[str, np.ndarray], note: Note, frame_s: float) -> None:
    """Add a note to the targets of its pitch, (frames,) each, in place."""
    onset, offset = note.onset_s / frame_s, note.offset_s / frame_s
    first, last = _frame_span(onset, offset)
    span = slice(max(first, 0), max(last, 0))
    rows["frame"][span] = 1
    if note.bend:
        times_s = (np.arange(len(rows["bend"]))[span] - onset) * frame_s
        rows["bend"][span] = np.interp(times_s, np.arange(len(note.bend)) * BEND_STEP_S, note.bend)
    attack = _add_triangle(rows["onset"], onset)
    rows["velocity"][attack] = note.velocity / 127
    _add_triangle(rows["offset"], offset)


def _frame_span(onset: float, offset: float) -> tuple[int, int]:
    """Return the frames nearest to a note's onset (included) and offset (excluded), at least one."""
    first = round(onset)
    return first, max(round(offset), first + 1)


def _add_triangle(row: np.ndarray, position: float) -> slice:
    """Raise `row` to a triangle around a fractional frame, in place; return the frames it covers."""
    first = max(int(np.ceil(position - EVENT_HALF_WIDTH)), 0)
    covered = slice(first, max(int(np.floor(position + EVENT_HALF_WIDTH)) + 1, first))
    frames = np.arange(first, min(covered.stop, len(row)))
    row[covered] = np.maximum(row[covered], 1 - np.abs(frames - position) / EVENT_HALF_WIDTH)
    return covered
