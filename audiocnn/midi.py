"""MIDI file -> parts -> the same music played otherwise -> MIDI file.

Place in the flow: before the sound; `render` turns parts into recordings with exact notes. A part's notes are
a table (notes, 4) of `ONSET, OFFSET, MIDI, VELOCITY` as columns: seconds, seconds, MIDI number, 1..127. In a
part, an offset is where the key is let go; `sustain` carries it on to where the pedal is. What is random is
drawn from the generator that is handed in, so a seed repeats it.
"""

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pretty_midi

ONSET, OFFSET, MIDI, VELOCITY = range(4)
LOWEST, HIGHEST = 21, 108  # MIDI numbers of the piano's keys
SUSTAIN_PEDAL = 64  # controller number; values from 64 are down
TICKS_PER_QUARTER = 9600  # 0.05 ms at MIDI's 120 quarters a minute
SAME_ONSET_S = 0.03  # two notes of one pitch this close are heard as one
SHORTEST_S = 0.02  # of any note


@dataclass(frozen=True)
class Part:
    """What one instrument plays: its notes (notes, 4) and its pedal (presses, 2: down and up in seconds)."""

    notes: np.ndarray
    pedal: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    program: int = 0
    is_drum: bool = False


def read(path: Path) -> list[Part]:
    """Returns the parts of a MIDI file that hold notes."""
    with warnings.catch_warnings():
        # Tempo changes outside the first track are read all the same.
        warnings.simplefilter("ignore", RuntimeWarning)
        file = pretty_midi.PrettyMIDI(str(path))
    return [_part(instrument) for instrument in file.instruments if instrument.notes]


def _part(instrument: pretty_midi.Instrument) -> Part:
    rows = [(note.start, note.end, note.pitch, note.velocity) for note in instrument.notes]
    presses, down_s = [], None
    for change in sorted(instrument.control_changes, key=lambda change: change.time):
        if change.number != SUSTAIN_PEDAL:
            continue
        if change.value >= 64 and down_s is None:
            down_s = change.time
        elif change.value < 64 and down_s is not None:
            presses.append((down_s, change.time))
            down_s = None
    if down_s is not None:
        presses.append((down_s, max(down_s, max(row[OFFSET] for row in rows))))
    pedal = np.array(presses, dtype=float).reshape(-1, 2)
    return Part(_sorted(np.array(rows, dtype=float)), pedal, instrument.program, instrument.is_drum)


def write(parts: list[Part], path: Path) -> None:
    """Writes parts as a MIDI file at 120 quarters a minute, each on a channel of its own."""
    file = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=120.0)
    for part in parts:
        instrument = pretty_midi.Instrument(int(part.program), part.is_drum)
        instrument.notes = [
            pretty_midi.Note(int(velocity), int(pitch), onset_s, offset_s)
            for onset_s, offset_s, pitch, velocity in part.notes.tolist()
        ]
        for down_s, up_s in part.pedal.tolist():
            instrument.control_changes.append(pretty_midi.ControlChange(SUSTAIN_PEDAL, 127, down_s))
            instrument.control_changes.append(pretty_midi.ControlChange(SUSTAIN_PEDAL, 0, up_s))
        file.instruments.append(instrument)
    file.write(str(path))


def sustain(notes: np.ndarray, pedal: np.ndarray) -> np.ndarray:
    """Returns the notes with the offsets that are heard.

    A key let go while the pedal is down sounds until the pedal is up, and no longer than to the next onset of
    its pitch.
    """
    notes = _sorted(notes)
    for down_s, up_s in pedal:
        held = (notes[:, OFFSET] >= down_s) & (notes[:, OFFSET] < up_s)
        notes[held, OFFSET] = up_s
    for pitch in np.unique(notes[:, MIDI]):
        rows = np.flatnonzero(notes[:, MIDI] == pitch)
        notes[rows[:-1], OFFSET] = np.minimum(notes[rows[:-1], OFFSET], notes[rows[1:], ONSET])
    return notes


def merge(tables: list[np.ndarray]) -> np.ndarray:
    """Returns the notes of several parts as one table in which no two notes of one pitch sound together.

    Onsets within `SAME_ONSET_S` become one note, the first, the longest and the loudest of them; else the
    earlier note ends where the later begins.
    """
    kept: list[np.ndarray] = []
    last: dict[float, np.ndarray] = {}
    for row in _sorted(np.concatenate(tables)):
        before = last.get(row[MIDI])
        if before is not None and row[ONSET] - before[ONSET] < SAME_ONSET_S:
            before[OFFSET:] = np.maximum(before[OFFSET:], row[OFFSET:])
            continue
        if before is not None:
            before[OFFSET] = min(before[OFFSET], row[ONSET])
        last[row[MIDI]] = row
        kept.append(row)
    return np.array(kept).reshape(-1, 4)


def excerpt(parts: list[Part], start_s: float, length_s: float) -> list[Part]:
    """Returns what begins in the length_s from start_s on, with start_s as time 0 and nothing beyond."""
    cut = []
    for part in parts:
        notes, pedal = part.notes.copy(), part.pedal.copy()
        notes[:, :MIDI] -= start_s
        notes = notes[(notes[:, ONSET] >= 0) & (notes[:, ONSET] < length_s - SHORTEST_S)]
        notes[:, OFFSET] = np.minimum(notes[:, OFFSET], length_s)
        pedal = np.clip(pedal - start_s, 0, length_s)
        cut.append(replace(part, notes=notes, pedal=pedal[pedal[:, 1] > pedal[:, 0]]))
    return [part for part in cut if len(part.notes)]


def transpose(part: Part, semitones: int) -> Part:
    """Returns the part moved by semitones; notes that leave the piano's keys are dropped."""
    notes = part.notes.copy()
    notes[:, MIDI] += semitones
    return replace(part, notes=notes[(notes[:, MIDI] >= LOWEST) & (notes[:, MIDI] <= HIGHEST)])


def stretch(part: Part, factor: float) -> Part:
    """Returns the part factor times as long."""
    notes = part.notes.copy()
    notes[:, :MIDI] *= factor
    return replace(part, notes=notes, pedal=part.pedal * factor)


def delay(part: Part, seconds: float) -> Part:
    """Returns the part begun later."""
    notes = part.notes.copy()
    notes[:, :MIDI] += seconds
    return replace(part, notes=notes, pedal=part.pedal + seconds)


def humanise(part: Part, rng: np.random.Generator, timing_s: float, level: float, depth: float) -> Part:
    """Returns the part as another player would give it.

    Args:
        rng: draws every deviation.
        timing_s: standard deviation of onsets and of offsets.
        level: mean velocity, 1..127.
        depth: standard deviation of velocities, half of it a slow swell, half from note to note; the
            differences that the part has already are kept.
    """
    notes = part.notes.copy()
    count = len(notes)
    notes[:, ONSET] = np.maximum(notes[:, ONSET] + rng.normal(0, timing_s, count), 0)
    notes[:, OFFSET] += rng.normal(0, timing_s, count)
    notes[:, OFFSET] = np.maximum(notes[:, OFFSET], notes[:, ONSET] + SHORTEST_S)
    onsetless = np.sin(2 * np.pi * (notes[:, ONSET] / rng.uniform(4, 30) + rng.uniform()))
    drawn = depth * (0.7 * onsetless + 0.7 * rng.normal(0, 1, count))
    velocity = notes[:, VELOCITY] - notes[:, VELOCITY].mean() + level + drawn
    notes[:, VELOCITY] = np.clip(np.round(velocity), 1, 127)
    return replace(part, notes=_sorted(notes))


def articulate(part: Part, factor: float) -> Part:
    """Returns the part with every key held factor times as long: below 1 more detached."""
    notes = part.notes.copy()
    length = np.maximum((notes[:, OFFSET] - notes[:, ONSET]) * factor, SHORTEST_S)
    notes[:, OFFSET] = notes[:, ONSET] + length
    return replace(part, notes=notes)


def random_pedal(notes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns pedal presses (presses, 2) in seconds, as a pianist might: changed just after an onset."""
    onsets = np.unique(notes[:, ONSET])
    end_s = notes[:, OFFSET].max()
    presses, change_s = [], onsets[0]
    while change_s < end_s:
        following = onsets[onsets >= change_s + rng.uniform(0.3, 3.0)]
        next_s = following[0] if len(following) else end_s
        down_s, up_s = change_s + rng.uniform(0.03, 0.25), next_s + rng.uniform(-0.05, 0.03)
        if up_s > down_s and rng.uniform() < 0.85:
            presses.append((down_s, up_s))
        change_s = next_s
    return np.array(presses).reshape(-1, 2)


def _sorted(notes: np.ndarray) -> np.ndarray:
    """Returns a copy in the order of onset, then pitch."""
    return notes[np.lexsort((notes[:, MIDI], notes[:, ONSET]))]
