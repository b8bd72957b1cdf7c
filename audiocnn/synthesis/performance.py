"""Parts -> varied performances: cut, transposed, stretched in time, and humanised.

Place in the flow: MIDI file -> `midi.Part` -> here -> sound. Random values are drawn from the generator
that is handed in, so a seed repeats them.
"""

from dataclasses import replace

import numpy as np

from audiocnn.midi import MIDI, OFFSET, ONSET, VELOCITY, Part, sort_rows
from audiocnn.notes import LOWEST_MIDI, N_PITCHES

LOWEST, HIGHEST = LOWEST_MIDI, LOWEST_MIDI + N_PITCHES - 1  # MIDI numbers of the piano's keys
MIN_NOTE_S = 0.02


def excerpt(parts: list[Part], start_s: float, length_s: float) -> list[Part]:
    """Cut an excerpt out of parts.

    Args:
        parts: of a song.
        start_s: becomes time 0.
        length_s: notes begin within it, and end with it at the latest.

    Returns:
        The parts that have notes in it.
    """
    cut = []
    for part in parts:
        notes, pedal = part.notes.copy(), part.pedal.copy()
        notes[:, :MIDI] -= start_s
        notes = notes[(notes[:, ONSET] >= 0) & (notes[:, ONSET] < length_s - MIN_NOTE_S)]
        notes[:, OFFSET] = np.minimum(notes[:, OFFSET], length_s)
        pedal = np.clip(pedal - start_s, 0, length_s)
        cut.append(replace(part, notes=notes, pedal=pedal[pedal[:, 1] > pedal[:, 0]]))
    return [part for part in cut if len(part.notes)]


def transpose(part: Part, semitones: int) -> Part:
    """Transpose a part; notes that leave the piano's keys are dropped.

    Args:
        part: left as it is.
        semitones: up, or down where negative.

    Returns:
        The transposed part.
    """
    notes = part.notes.copy()
    notes[:, MIDI] += semitones
    return replace(part, notes=notes[(notes[:, MIDI] >= LOWEST) & (notes[:, MIDI] <= HIGHEST)])


def stretch(part: Part, factor: float) -> Part:
    """Stretch a part in time.

    Args:
        part: left as it is.
        factor: times as long.

    Returns:
        The stretched part.
    """
    notes = part.notes.copy()
    notes[:, :MIDI] *= factor
    return replace(part, notes=notes, pedal=part.pedal * factor)


def delay(part: Part, seconds: float) -> Part:
    """Delay a part.

    Args:
        part: left as it is.
        seconds: that it begins later.

    Returns:
        The delayed part.
    """
    notes = part.notes.copy()
    notes[:, :MIDI] += seconds
    return replace(part, notes=notes, pedal=part.pedal + seconds)


def humanise(part: Part, rng: np.random.Generator, timing_s: float, level: float, depth: float) -> Part:
    """Vary onsets, offsets and velocities as another player would.

    Args:
        part: left as it is.
        rng: random number generator.
        timing_s: standard deviation of onsets and of offsets.
        level: mean velocity, 1 to 127.
        depth: standard deviation of velocities, half of it a slow wave, half from note to note; the
            differences that the part has already are kept.

    Returns:
        The varied part.
    """
    notes = part.notes.copy()
    count = len(notes)
    notes[:, ONSET] = np.maximum(notes[:, ONSET] + rng.normal(0, timing_s, count), 0)
    notes[:, OFFSET] += rng.normal(0, timing_s, count)
    notes[:, OFFSET] = np.maximum(notes[:, OFFSET], notes[:, ONSET] + MIN_NOTE_S)
    wave = np.sin(2 * np.pi * (notes[:, ONSET] / rng.uniform(4, 30) + rng.uniform()))
    drawn = depth * (0.7 * wave + 0.7 * rng.normal(0, 1, count))
    velocity = notes[:, VELOCITY] - notes[:, VELOCITY].mean() + level + drawn
    notes[:, VELOCITY] = np.clip(np.round(velocity), 1, 127)
    return replace(part, notes=sort_rows(notes))


def articulate(part: Part, factor: float) -> Part:
    """Change how long each key is held.

    Args:
        part: left as it is.
        factor: times as long; below 1 is more detached.

    Returns:
        The part with other offsets.
    """
    notes = part.notes.copy()
    length = np.maximum((notes[:, OFFSET] - notes[:, ONSET]) * factor, MIN_NOTE_S)
    notes[:, OFFSET] = notes[:, ONSET] + length
    return replace(part, notes=notes)


def random_pedal(notes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a use of the sustain pedal as a pianist's: changed just after an onset.

    Args:
        notes: (notes, 4), sorted.
        rng: random number generator.

    Returns:
        Presses (presses, 2), down and up in seconds.
    """
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
