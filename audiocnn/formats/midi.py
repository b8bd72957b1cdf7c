"""Notes <-> MIDI files.

One channel holds one note of a pitch at a time and one pitch bend, so notes that would be in each other's
way go to channels of their own, each in a track. The tempo places bar lines; it moves no note.
"""

import os
import warnings
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pretty_midi

from audiocnn import files
from audiocnn.formats.tempo import check_tempo
from audiocnn.notes import BEND_STEP_S, Note, sort_notes

TICKS_PER_QUARTER = 480  # a tick is 1 ms at 120 quarters a minute; pretty_midi reads up to 1e7 ticks, 2.9 h
BEND_RANGE = 2.0  # semitones at MIDI's full bend of 8192, what synthesisers take without being told
SUSTAIN = 64  # the pedal's controller number; values from 64 are down
N_CHANNELS = 15  # MIDI's 16 without the drums'


def read_midi(path: Path) -> list[Note]:
    """The notes of all parts but drums, offsets as heard.

    A key let go while the sustain pedal is down sounds until the pedal is up or the key is struck again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # tempi outside the first track are read all the same
        file = pretty_midi.PrettyMIDI(str(path))
    return [note for part in file.instruments if not part.is_drum for note in _heard(part)]


def _heard(part: pretty_midi.Instrument) -> Iterable[Note]:
    moves = sorted((move.time, move.value >= 64) for move in part.control_changes if move.number == SUSTAIN)
    last_s = max((note.end for note in part.notes), default=0.0)
    strikes = defaultdict(list)
    for note in sorted(part.notes, key=lambda note: note.start):
        strikes[note.pitch].append(note.start)
    for note in part.notes:
        number = bisect_right(moves, (note.end, True))
        offset_s = note.end
        if number and moves[number - 1][1]:
            up_s = next((time_s for time_s, down in moves[number:] if not down), last_s)
            again = strikes[note.pitch][bisect_right(strikes[note.pitch], note.start) :][:1]
            offset_s = max(min([up_s, *again]), note.end)
        yield Note(float(note.start), float(offset_s), note.pitch, note.velocity)


def write_midi(
    notes: Iterable[Note], path: str | os.PathLike, tempo: float = 120.0, pitch_bend: bool = False
) -> None:
    """Writes a MIDI file of constant tempo (quarters a minute), times rounded to its ticks.

    Bends beyond BEND_RANGE are cut to it; more than N_CHANNELS bent notes at once bend each other.
    """
    check_tempo(tempo)
    # A file holds whole microseconds a quarter, cut off; with ticks of another length, notes would drift.
    tempo = 6e7 / (round(6e7 / tempo) + 1e-3)
    file = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=tempo)
    file.instruments = [
        _instrument(voice, 60 / tempo / TICKS_PER_QUARTER, pitch_bend)
        for voice in channels(notes, pitch_bend) or [[]]
    ]
    with files.write_atomically(path) as partial:
        file.write(str(partial))


def channels(notes: Iterable[Note], pitch_bend: bool) -> list[list[Note]]:
    """Notes parted in channels, each in the order of its onsets.

    Notes of one pitch that overlap need two; with `pitch_bend`, so do any that overlap of which one is bent.
    """
    parted: list[list[Note]] = []
    sounding: list[list[Note]] = []  # of each channel, at the onset of the note in hand
    for note in sort_notes(notes):
        sounding = [[other for other in others if other.offset_s > note.onset_s] for others in sounding]
        free = [
            number
            for number, others in enumerate(sounding)
            if not any(_collide(note, other, pitch_bend) for other in others)
        ]
        if not free and len(parted) < N_CHANNELS:
            free = [len(parted)]
            parted.append([])
            sounding.append([])
        number = free[0] if free else min(range(N_CHANNELS), key=lambda number: len(sounding[number]))
        parted[number].append(note)
        sounding[number].append(note)
    return parted


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
