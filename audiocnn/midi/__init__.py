"""Notes and parts <-> MIDI files: the one place that knows tempo, programs, the sustain pedal and pitch bend.

Place in the flow: notes -> a MIDI file, the last step of a transcription; a MIDI file -> notes, the reference
of an evaluation; a MIDI file -> parts, what `synthesis` plays. `events` reads the bytes of a file, `reading`
makes parts and notes of its events, `parts` is what can be done with them, `writing` the way back. Reading
follows every change of tempo. In files written here the tempo is constant: it places bar lines and moves no
note.
"""

from audiocnn.midi.parts import (
    MIDI,
    OFFSET,
    ONSET,
    SAME_ONSET_S,
    VELOCITY,
    Part,
    merge_notes,
    sort_rows,
    sustain,
)
from audiocnn.midi.reading import read_midi, read_parts, read_texts
from audiocnn.midi.writing import N_CHANNELS, assign_channels, check_tempo, write_midi, write_parts

__all__ = [
    "MIDI",
    "N_CHANNELS",
    "OFFSET",
    "ONSET",
    "SAME_ONSET_S",
    "VELOCITY",
    "Part",
    "assign_channels",
    "check_tempo",
    "merge_notes",
    "read_midi",
    "read_parts",
    "read_texts",
    "sort_rows",
    "sustain",
    "write_midi",
    "write_parts",
]
