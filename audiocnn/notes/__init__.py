"""Notes, the targets that a model is trained on, and the decoding of its scores.

Place in the flow: scores -> notes. `encode` (in `targets`) and `decode` (in `decoding`) are each other's
inverse. Conventions: frame i lies at i * frame_s seconds; pitches are MIDI note numbers, row 0 is
`LOWEST_MIDI`; arrays of scores and targets are (pitches, frames), float32.
"""

from audiocnn.notes.decoding import MIN_ONSETLESS_FRAMES, NEIGHBOURHOOD, DecodingOptions, NoteDecoder, decode
from audiocnn.notes.note import (
    BEND_STEP_S,
    LOWEST_MIDI,
    MAX_BEND,
    N_PITCHES,
    Note,
    Scores,
    check_notes,
    find_fault,
    sort_notes,
)
from audiocnn.notes.targets import EVENT_HALF_WIDTH, encode

__all__ = [
    "BEND_STEP_S",
    "EVENT_HALF_WIDTH",
    "LOWEST_MIDI",
    "MAX_BEND",
    "MIN_ONSETLESS_FRAMES",
    "NEIGHBOURHOOD",
    "N_PITCHES",
    "DecodingOptions",
    "Note",
    "NoteDecoder",
    "Scores",
    "check_notes",
    "decode",
    "encode",
    "find_fault",
    "sort_notes",
]
