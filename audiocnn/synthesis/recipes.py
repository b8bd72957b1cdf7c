"""A song's parts -> a recipe of instruments and performance: all that `render` draws at random.

Programs are General MIDI's, counted from 0.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from audiocnn import midi
from audiocnn.midi import MIDI, OFFSET, ONSET, VELOCITY, Part
from audiocnn.synthesis import performance
from audiocnn.synthesis.fluidsynth import Reverb

PIANOS = (0, 1, 2, 3)  # grand, bright, electric grand, honky-tonk
PIANO_WEIGHTS = (0.6, 0.3, 0.05, 0.05)
# Left out of the pitched, as their sound has another pitch than the key or several: tubular bells, the organs
# with drawbars, guitar harmonics, timpani, orchestra hit, fifths lead, bass and lead.
PITCHED = tuple(sorted({*range(96), *range(104, 112)} - {14, 16, 17, 18, 31, 47, 55, 86, 87}))
GUITARS = tuple(range(24, 31))
COMPING = (*range(0, 8), *GUITARS, 19, 21, 46, 106)  # keys, guitars, church and reed organ, harp, shamisen
PEDALLED = tuple(range(0, 16))  # keys and struck bars
# Lowest and highest key of each family of eight programs, MIDI numbers.
FAMILY_RANGES = (
    (21, 108), (53, 96), (36, 96), (40, 86), (28, 60), (36, 96), (36, 88), (36, 82),
    (44, 86), (55, 96), (36, 96), (36, 96), (36, 96), (48, 84), (48, 96), (36, 96),
)  # fmt: skip
# Of single programs within their families.
RANGES = {
    9: (72, 108), 40: (55, 100), 41: (48, 91), 42: (36, 79), 43: (28, 58), 45: (36, 88), 56: (54, 84),
    57: (40, 72), 58: (28, 60), 59: (54, 82), 60: (36, 77), 64: (56, 88), 65: (49, 82), 66: (44, 76),
    67: (36, 70), 68: (58, 91), 69: (52, 82), 70: (34, 74), 71: (50, 91), 72: (74, 105),
}  # fmt: skip
DRUMS_SHARE = 0.2
SAMPLED_SHARE = {"piano": 0.4, "any": 0.6}  # of parts played from recordings of notes, where there are some
SCATTERED_SHARE = 0.08  # of excerpts with pitches drawn evenly, so that no register is rare


@dataclass(frozen=True)
class Recipe:
    """A recipe of a rendering: parts played by a soundfont, and parts by banks of recorded notes."""

    soundfont: Path
    parts: tuple[Part, ...]
    sampled: tuple[tuple[Path, Part], ...]
    reverb: Reverb | None
    touch: tuple[float, float]  # of recorded notes: release_s, dynamics


def draw_recipe(
    parts: list[Part],
    rng: np.random.Generator,
    programs: Literal["piano", "any"],
    soundfonts: Sequence[Path],
    banks: Sequence[Path],
    length_s: float,
) -> Recipe:
    """Draw a recipe for an excerpt of a song.

    Args:
        parts: of the song.
        rng: random number generator.
        programs: `piano` plays all on one piano, `any` each part on an instrument of its own.
        soundfonts: General MIDI soundfonts.
        banks: of recorded notes.
        length_s: of the excerpt at most.

    Returns:
        The recipe.
    """
    parts = [performance.stretch(part, 1 / rng.uniform(0.8, 1.25)) for part in parts if not part.is_drum]
    parts = random_excerpt(parts, rng, length_s - 1)
    parts = _arrange_piano(parts, rng) if programs == "piano" else _arrange_any(parts, rng)
    lead_s = rng.uniform(0.05, 1)
    parts = [performance.delay(part, lead_s) for part in parts]
    chosen = [_bank_for(part, rng, programs, banks) for part in parts]
    played = [part for part, bank in zip(parts, chosen, strict=True) if bank is None]
    if programs == "any" and played and rng.uniform() < DRUMS_SHARE:
        played.append(draw_drums(max(part.notes[:, OFFSET].max() for part in played), rng))
    return Recipe(
        soundfonts[int(rng.integers(len(soundfonts)))],
        tuple(played),
        tuple((bank, part) for part, bank in zip(parts, chosen, strict=True) if bank is not None),
        Reverb(*rng.uniform((0, 0, 0), (1, 0.8, 1))) if rng.uniform() < 0.6 else None,
        (rng.uniform(0.08, 0.3), rng.uniform(1, 2)),
    )


def random_excerpt(parts: list[Part], rng: np.random.Generator, length_s: float) -> list[Part]:
    """Cut an excerpt that begins at an onset; every onset that leaves so much is as likely.

    Args:
        parts: of a song.
        rng: random number generator.
        length_s: of the excerpt.

    Returns:
        The parts that have notes in it.
    """
    onsets = np.unique(np.concatenate([part.notes[:, ONSET] for part in parts]))
    end_s = max(part.notes[:, OFFSET].max() for part in parts)
    early = onsets[onsets <= max(end_s - length_s, onsets[0])]
    return performance.excerpt(parts, early[rng.integers(len(early))], length_s)


def _arrange_piano(parts: list[Part], rng: np.random.Generator) -> list[Part]:
    """Return one piano part: of all parts, or of the part with the most notes."""
    fullest = max(parts, key=lambda part: len(part.notes))
    whole = len(parts) == 1 or rng.uniform() < 0.6
    notes = midi.merge_notes([part.notes for part in parts]) if whole else midi.merge_notes([fullest.notes])
    pedal = max((part.pedal for part in parts), key=len)
    part = Part(notes, pedal, int(rng.choice(PIANOS, p=PIANO_WEIGHTS)))
    part = performance.transpose(double_octaves(part, rng), _semitones(part, rng))
    if rng.uniform() < SCATTERED_SHARE:
        part = scatter_pitches(part, rng)
    part = performance.articulate(part, rng.uniform(0.6, 1.05))
    part = performance.humanise(part, rng, rng.uniform(0, 0.012), rng.uniform(35, 95), rng.uniform(2, 14))
    part = replace(part, notes=midi.merge_notes([part.notes]))
    kind = rng.uniform()
    if kind < 0.2:
        return [replace(part, pedal=part.pedal[:0])]
    return [
        part if len(pedal) and kind < 0.7 else replace(part, pedal=performance.random_pedal(part.notes, rng))
    ]


def _arrange_any(parts: list[Part], rng: np.random.Generator) -> list[Part]:
    """Return up to four parts, each for an instrument of its own; half of the time one part alone."""
    style = rng.uniform()
    melody = max(parts, key=lambda part: part.notes[:, MIDI].mean())
    chords = max(parts, key=lambda part: len(part.notes))
    if style < 0.25:
        parts = [replace(melody, program=int(rng.choice(PITCHED)))]
    elif style < 0.5:
        pool = GUITARS if rng.uniform() < 0.5 else COMPING
        parts = [replace(chords, program=int(rng.choice(pool)))]
    else:
        parts = [replace(part, program=int(rng.choice(PITCHED))) for part in parts[:4]]
    semitones = _semitones(melody, rng)
    return [perform(part, semitones, rng) for part in parts]


def perform(part: Part, semitones: int, rng: np.random.Generator) -> Part:
    """Bring a part into its instrument's range and play it as a player would.

    Args:
        part: with its program.
        semitones: that it is transposed by before.
        rng: random number generator.

    Returns:
        The part.
    """
    part = fit_to_range(replace(part, notes=part.notes + np.array([0, 0, semitones, 0])))
    if rng.uniform() < SCATTERED_SHARE:
        part = scatter_pitches(part, rng, *get_range(part.program))
    part = performance.articulate(part, rng.uniform(0.6, 1.05))
    if part.program in GUITARS or rng.uniform() < 0.1:
        part = strum(part, rng.uniform(0, 0.025))
    part = performance.humanise(part, rng, rng.uniform(0, 0.012), rng.uniform(45, 105), rng.uniform(2, 12))
    notes = midi.merge_notes([part.notes])
    return replace(part, notes=notes, pedal=part.pedal if part.program in PEDALLED else part.pedal[:0])


def _semitones(part: Part, rng: np.random.Generator) -> int:
    """Return a transposition by -5..6 that keeps the part on the keys, where one does."""
    low, high = part.notes[:, MIDI].min(), part.notes[:, MIDI].max()
    allowed = [
        step
        for step in range(-5, 7)
        if low + step >= performance.LOWEST and high + step <= performance.HIGHEST
    ]
    return int(rng.choice(allowed or [0]))


def _bank_for(part: Part, rng: np.random.Generator, programs: str, banks: Sequence[Path]) -> Path | None:
    """Return a bank that plays the part, or None for the soundfont.

    With "piano" every bank is a piano; else a bank plays only what its name's program says.
    """
    if programs == "any":
        banks = [bank for bank in banks if parse_program(bank) == part.program]
    if not banks or rng.uniform() >= SAMPLED_SHARE[programs]:
        return None
    return banks[int(rng.integers(len(banks)))]


def parse_program(bank: Path) -> int | None:
    """Return the program that a bank's name begins with, counted from 0.

    24 for `025-Acoustic Guitar.sfz` and `024_Nylon_Guitar.pat`: patches count from 0, as their own names do.

    Args:
        bank: its path.

    Returns:
        The program, None for a name without a number.
    """
    match = re.match(r"\d{3}(?=[-_ .]|$)", bank.name)
    return int(match[0]) - (bank.suffix != ".pat") if match else None


def get_range(program: int) -> tuple[int, int]:
    """Return the range of a program.

    Args:
        program: counted from 0.

    Returns:
        Its lowest and highest key, MIDI numbers.
    """
    return RANGES.get(program, FAMILY_RANGES[program // 8])


def fit_to_range(part: Part) -> Part:
    """Move a part by the octaves that bring most notes into its instrument's range.

    Args:
        part: left as it is.

    Returns:
        The part without the notes that are still outside.
    """
    low, high = get_range(part.program)
    pitches = part.notes[:, MIDI]
    octaves = sorted(range(-4, 5), key=abs)
    inside = [np.sum((pitches + 12 * octave >= low) & (pitches + 12 * octave <= high)) for octave in octaves]
    notes = part.notes + np.array([0, 0, 12 * octaves[int(np.argmax(inside))], 0])
    return replace(part, notes=notes[(notes[:, MIDI] >= low) & (notes[:, MIDI] <= high)])


def double_octaves(part: Part, rng: np.random.Generator) -> Part:
    """Double at times the upper half of a part in octaves above, or its lower half below.

    Args:
        part: left as it is.
        rng: random number generator.

    Returns:
        The part.
    """
    tables, upper = [part.notes], part.notes[:, MIDI] >= np.median(part.notes[:, MIDI])
    for half, octaves in ((upper, (12, 24)), (~upper, (-12, -12))):
        if rng.uniform() < 0.2:
            tables.append(part.notes[half] + np.array([0, 0, rng.choice(octaves), 0]))
    return replace(part, notes=midi.merge_notes(tables))


def scatter_pitches(
    part: Part, rng: np.random.Generator, low: int = performance.LOWEST, high: int = performance.HIGHEST
) -> Part:
    """Keep the rhythm of a part and draw its pitches evenly.

    Args:
        part: left as it is.
        rng: random number generator.
        low: lowest pitch.
        high: highest pitch.

    Returns:
        The part.
    """
    notes = part.notes.copy()
    notes[:, MIDI] = rng.integers(low, high + 1, len(notes))
    return replace(part, notes=midi.merge_notes([notes]))


def strum(part: Part, spread_s: float) -> Part:
    """Spread the chords of a part, from the lowest note up.

    Args:
        part: left as it is.
        spread_s: from one note of a chord to the next.

    Returns:
        The part.
    """
    notes = part.notes[np.lexsort((part.notes[:, MIDI], part.notes[:, ONSET]))]
    begins = np.append(True, np.diff(notes[:, ONSET]) > midi.SAME_ONSET_S)
    first = np.maximum.accumulate(np.where(begins, np.arange(len(notes)), 0))
    notes[:, ONSET] += (np.arange(len(notes)) - first) * spread_s
    notes[:, OFFSET] = np.maximum(notes[:, OFFSET], notes[:, ONSET] + performance.MIN_NOTE_S)
    return replace(part, notes=notes)


def draw_drums(length_s: float, rng: np.random.Generator) -> Part:
    """Draw a quiet beat of bass drum, snare and hi-hat.

    Args:
        length_s: of the part.
        rng: random number generator.

    Returns:
        The part.
    """
    eighth_s = rng.uniform(0.15, 0.35)
    steps = np.arange(int(length_s / eighth_s))
    pitches = np.where(steps % 4 == 0, 36, np.where(steps % 4 == 2, 38, 42))
    steps, pitches = steps[keep := rng.uniform(size=len(steps)) < 0.85], pitches[keep]
    notes = np.zeros((len(steps), 4))
    notes[:, ONSET], notes[:, MIDI] = steps * eighth_s, pitches
    notes[:, OFFSET] = notes[:, ONSET] + 0.1
    notes[:, VELOCITY] = np.clip(rng.normal(rng.uniform(25, 60), 8, len(steps)).round(), 1, 90)
    return Part(notes, is_drum=True)
