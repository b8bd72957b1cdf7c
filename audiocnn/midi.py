"""Notes and parts <-> MIDI files: the one place that knows tempo, programs, the sustain pedal and pitch bend.

Place in the flow: notes -> a MIDI file, the last step of a transcription; a MIDI file -> notes, the reference
of an evaluation; a MIDI file -> parts, what `synthesis` plays. A `Part` is what one instrument plays, with
its pedal; its notes are a table (notes, 4) with the columns `ONSET, OFFSET, MIDI, VELOCITY`: seconds,
seconds, MIDI number, 1 to 127. In a part, an offset is where the key is released; `sustain` extends it to
where the pedal is. Reading follows every change of tempo. In files written here the tempo is constant: it
places bar lines and moves no note.
"""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pretty_midi

from audiocnn import files
from audiocnn.notes import BEND_STEP_S, Note, sort_notes

ONSET, OFFSET, MIDI, VELOCITY = range(4)  # columns of a table of notes
SUSTAIN_PEDAL = 64  # controller number
PEDAL_DOWN = 64  # lowest value of the controller that means down
SAME_ONSET_S = 0.03  # two notes of one pitch this close are one
MIN_TEMPO, MAX_TEMPO = 4, 1000  # quarters a minute; MIDI holds none below 3.6
TICKS_PER_QUARTER = 480  # a tick is 1 ms at 120 quarters a minute; pretty_midi reads up to 1e7 ticks, 2.9 h
FINE_TICKS_PER_QUARTER = 9600  # of parts, which are rendered: 0.05 ms at 120 quarters a minute
BEND_RANGE = 2.0  # semitones at MIDI's full bend of 8192, the default of synthesisers
N_CHANNELS = 15  # MIDI's 16 without the drums'


@dataclass(frozen=True)
class Part:
    """What one instrument plays.

    Args:
        notes: (notes, 4), see above.
        pedal: presses of the sustain pedal (presses, 2): down and up in seconds.
        program: of General MIDI, counted from 0.
        is_drum: whether the MIDI numbers name drums instead of pitches.
    """

    notes: np.ndarray
    pedal: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    program: int = 0
    is_drum: bool = False


def check_tempo(tempo: float) -> None:
    """Refuse a tempo that music does not have or MIDI cannot hold.

    Args:
        tempo: quarters a minute.

    Raises:
        ValueError: the tempo is out of range.
    """
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ValueError(f"tempo is {tempo}, expected {MIN_TEMPO} to {MAX_TEMPO} quarters a minute")


def read_parts(path: Path) -> list[Part]:
    """Read the parts of a MIDI file that hold notes.

    Args:
        path: a MIDI file.

    Returns:
        A part for each instrument of each track, drums among them, with offsets where keys are released.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # tempi outside the first track are read all the same
        file = pretty_midi.PrettyMIDI(str(path))
    return [_part(instrument) for instrument in file.instruments if instrument.notes]


def read_midi(path: Path) -> list[Note]:
    """Read the notes of a MIDI file, of all parts but drums.

    Args:
        path: a MIDI file.

    Returns:
        The notes in the order of their onsets, each with the offset at which it ends under the pedal
        (`sustain`).
    """
    notes = [
        Note(onset_s, offset_s, int(midi), int(velocity))
        for part in read_parts(path)
        if not part.is_drum
        for onset_s, offset_s, midi, velocity in sustain(part.notes, part.pedal).tolist()
    ]
    return sort_notes(notes)


def _part(instrument: pretty_midi.Instrument) -> Part:
    rows = [(note.start, note.end, note.pitch, note.velocity) for note in instrument.notes]
    notes = sort_rows(np.array(rows, float))
    return Part(notes, _presses(instrument, notes[:, OFFSET].max()), instrument.program, instrument.is_drum)


def _presses(instrument: pretty_midi.Instrument, end_s: float) -> np.ndarray:
    """The pedal's presses (presses, 2); one that is never released ends with the last key."""
    presses, down_s = [], None
    for change in sorted(instrument.control_changes, key=lambda change: change.time):
        if change.number != SUSTAIN_PEDAL:
            continue
        if change.value >= PEDAL_DOWN and down_s is None:
            down_s = change.time
        elif change.value < PEDAL_DOWN and down_s is not None:
            presses.append((down_s, change.time))
            down_s = None
    if down_s is not None:
        presses.append((down_s, max(down_s, end_s)))
    return np.array(presses, float).reshape(-1, 2)


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


def write_parts(parts: list[Part], path: Path) -> None:
    """Write parts as a MIDI file at 120 quarters a minute, each in a track and on a channel of its own.

    Args:
        parts: with their pedal; at most 15 that are not drums.
        path: where to.
    """
    file = pretty_midi.PrettyMIDI(resolution=FINE_TICKS_PER_QUARTER, initial_tempo=120.0)
    for part in parts:
        instrument = pretty_midi.Instrument(int(part.program), part.is_drum)
        instrument.notes = [
            pretty_midi.Note(int(velocity), int(midi), onset_s, offset_s)
            for onset_s, offset_s, midi, velocity in part.notes.tolist()
        ]
        for down_s, up_s in part.pedal.tolist():
            instrument.control_changes.append(pretty_midi.ControlChange(SUSTAIN_PEDAL, 127, down_s))
            instrument.control_changes.append(pretty_midi.ControlChange(SUSTAIN_PEDAL, 0, up_s))
        file.instruments.append(instrument)
    file.write(str(path))


def write_midi(
    notes: Iterable[Note], path: str | os.PathLike, tempo: float = 120.0, pitch_bend: bool = False
) -> None:
    """Write notes as a MIDI file of constant tempo, times rounded to its ticks.

    Args:
        notes: in any order; those that would cut or bend each other go to tracks and channels of their own.
        path: where to.
        tempo: quarters a minute; it places bar lines.
        pitch_bend: whether to write the notes' bends. Those beyond `BEND_RANGE` are limited to it; where more
            than `N_CHANNELS` bent notes sound at once, they bend each other.

    Raises:
        ValueError: the tempo is out of range.
        files.FileError: the file cannot be written.
    """
    check_tempo(tempo)
    # A file holds whole microseconds a quarter, cut off; with ticks of another length, notes would drift.
    tempo = 6e7 / (round(6e7 / tempo) + 1e-3)
    file = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=tempo)
    file.instruments = [
        _instrument(voice, 60 / tempo / TICKS_PER_QUARTER, pitch_bend)
        for voice in assign_channels(notes, pitch_bend) or [[]]
    ]
    with files.write_atomically(path) as partial:
        file.write(str(partial))


def assign_channels(notes: Iterable[Note], pitch_bend: bool) -> list[list[Note]]:
    """Assign notes to channels, each of which holds one note of a pitch at a time and has one pitch bend.

    Args:
        notes: in any order.
        pitch_bend: whether notes that overlap need two channels where one is bent, too.

    Returns:
        The notes of each channel, at most `N_CHANNELS`, in the order of their onsets.
    """
    assigned: list[list[Note]] = []
    sounding: list[list[Note]] = []  # of each channel, at the onset of the note in hand
    for note in sort_notes(notes):
        sounding = [[other for other in others if other.offset_s > note.onset_s] for others in sounding]
        free = [
            number
            for number, others in enumerate(sounding)
            if not any(_collide(note, other, pitch_bend) for other in others)
        ]
        if not free and len(assigned) < N_CHANNELS:
            free = [len(assigned)]
            assigned.append([])
            sounding.append([])
        number = free[0] if free else min(range(N_CHANNELS), key=lambda number: len(sounding[number]))
        assigned[number].append(note)
        sounding[number].append(note)
    return assigned


def _collide(note: Note, other: Note, pitch_bend: bool) -> bool:
    return note.midi == other.midi or (pitch_bend and bool(note.bend or other.bend))


def _instrument(notes: list[Note], tick_s: float, pitch_bend: bool) -> pretty_midi.Instrument:
    instrument = pretty_midi.Instrument(program=0)
    for note in notes:
        end_s = max(note.offset_s, note.onset_s + 1.5 * tick_s)  # a note that lasts no tick would not be read
        instrument.notes.append(pretty_midi.Note(note.velocity, note.midi, note.onset_s, end_s))
    if pitch_bend and any(note.bend for note in notes):
        instrument.pitch_bends = [bend for note in notes for bend in _bends(note)]
    return instrument


def _bends(note: Note) -> Iterable[pretty_midi.PitchBend]:
    """The changes of a note's bend; each note begins with one, which undoes what the note before left."""
    before = None
    for step, semitones in enumerate(note.bend or (0.0,)):
        time_s = note.onset_s + step * BEND_STEP_S
        value = min(max(round(semitones / BEND_RANGE * 8192), -8192), 8191)
        if value != before and time_s <= note.offset_s:
            yield pretty_midi.PitchBend(value, time_s)
        before = value
