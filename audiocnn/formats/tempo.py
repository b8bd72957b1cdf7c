"""Notes -> their tempo -> the same notes on its grid.

The steps of a rhythm, such as eighths, are the slowest grid that nearly all onsets lie on: the frequency of
the onsets' spectrum at which they have nearly the same phase. A beat is a step, or two, or four of them,
whichever is nearest to a usual tempo; where every third step stands out, by its onsets as in swing and in
6/8, or by its accents as in triplets, three of them. What the ear takes for the beat, the quarter or the
half, notes alone do not say.

Source:
    P. Grosche and M. Müller, "Extracting predominant local pulse information from music recordings", 2011:
    the Fourier tempogram, summed over windows here, so that a performance without a click keeps its phase.
    J. H. Zar, "Biostatistical Analysis", 1999, eq. 27.4: the Rayleigh test, how likely onsets at random
    are to agree as well.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from audiocnn.midi import check_tempo
from audiocnn.notes import Note
from audiocnn.ranges import ArgumentError

DEFAULT_TEMPO = 120.0  # quarters a minute of notes without a rhythm, as of MIDI files without a tempo
USUAL_TEMPO = 110.0  # quarters a minute, in the middle of the tempi that people tap (Moelants, 2002)
MAX_EXCERPT_S = 600.0  # from the first note on; more does not make the estimate of a constant tempo better
CHORD_S = 0.03  # onsets this close are one
WINDOW_S = 12.0  # in which a performance keeps its tempo
MIN_STEPS_HZ, MAX_STEPS_HZ = 0.6, 15.0  # of the grid: quarters at 36 to sixteenths at 225 a minute
STEPS_HZ = np.arange(MIN_STEPS_HZ, MAX_STEPS_HZ, 1 / WINDOW_S / 8)  # an eighth of what a window resolves
AS_GOOD = 0.95  # of the best agreement: a slower grid with as much is the grid, the others are its divisions
MIN_THIRDS = 0.3  # agreement on every third step, from which on three steps are a beat
MIN_ACCENTS = 0.6  # the same of accents, what notes are louder or softer than the mean
# Steps of a beat, where it is divided in two or three. They are sixteenths at most, the grid of `quantise`.
BEATS = {2: [0.5, 1, 2, 4], 3: [1, 3, 6, 12, 24]}
MAX_DIVISION = 1024  # steps of a whole note: finer than a tick of a MIDI file
MAX_CHANCE = 1e-4  # that onsets at random agree as well; above it, the tempo is in doubt
MIN_AGREEMENT = 0.4  # below it, the tempo is in doubt, however many onsets there are

Onsets = tuple[np.ndarray, np.ndarray]  # times in seconds and loudness, (onsets,) each


def estimate_tempo(notes: Iterable[Note]) -> float:
    """Estimate the tempo of notes, taken as constant.

    Args:
        notes: in any order.

    Returns:
        Quarters a minute; `DEFAULT_TEMPO` where it is in doubt.
    """
    return find_tempo(notes) or DEFAULT_TEMPO


def find_tempo(notes: Iterable[Note]) -> float | None:
    """Find the tempo of notes, taken as constant, where they leave no doubt of it.

    Args:
        notes: in any order.

    Returns:
        Quarters a minute, within an octave of `USUAL_TEMPO`; None where onsets at random could well agree as
        much, as few notes and free rhythms do.
    """
    onsets = _merge_chords(notes)
    if len(onsets[0]) < 3:
        return None
    agreement, chance = _measure(onsets, STEPS_HZ, WINDOW_S)
    inner = agreement[1:-1]
    peaks = 1 + np.flatnonzero((inner >= agreement[:-2]) & (inner > agreement[2:]))
    if not len(peaks):
        return None
    peak = peaks[agreement[peaks] >= AS_GOOD * agreement[peaks].max()][0]
    steps_hz, whole_chance = _refine(onsets, float(STEPS_HZ[peak]))
    if agreement[peak] < MIN_AGREEMENT or min(chance[peak], whole_chance) > MAX_CHANCE:
        return None
    tempi = [60 * steps_hz / n for n in BEATS[3 if _is_ternary(onsets, steps_hz) else 2]]
    return min(tempi, key=lambda tempo: abs(np.log2(tempo / USUAL_TEMPO)))


def _is_ternary(onsets: Onsets, steps_hz: float) -> bool:
    """Whether every third step stands out, more than every second one: by its onsets, or by its accents."""
    halves, thirds = (_measure_at(onsets, steps_hz / n) for n in (2, 3))
    if thirds > max(halves, MIN_THIRDS):
        return True
    if 60 * steps_hz < 2 * USUAL_TEMPO:  # these are beats, and accents make bars of them
        return False
    seconds, accents, fourths = (_measure_accents(onsets, steps_hz / n) for n in (2, 3, 4))
    return accents > max(seconds, fourths, MIN_ACCENTS)


def _measure_accents(onsets: Onsets, hz: float) -> float:
    """Measure how well what is louder or softer than the mean agrees with a grid, as `_measure`.

    Returns:
        The agreement, 0 to 1; 0 where accents at random could well agree as much.
    """
    from scipy.special import gammaincc

    times_s, loudness = onsets
    accents = loudness - loudness.mean()
    waves = accents * np.exp(2j * np.pi * hz * times_s)
    windows = ((times_s - times_s[0]) / WINDOW_S).astype(int)
    insides = [windows == number for number in np.unique(windows)]
    power = sum(abs(waves[inside].sum()) ** 2 for inside in insides)
    total = sum(np.abs(accents[inside]).sum() ** 2 for inside in insides)
    if not total or gammaincc(len(insides), power / (accents**2).sum() * len(insides)) > MAX_CHANCE:
        return 0.0
    return float(np.sqrt(power / total))


def _merge_chords(notes: Iterable[Note]) -> Onsets:
    """Return the times of the onsets and how loud they are, notes that begin together as one."""
    times_s: list[float] = []
    loudness: list[float] = []
    for note in sorted(notes, key=lambda note: note.onset_s):
        if times_s and note.onset_s - times_s[-1] < CHORD_S:
            loudness[-1] += note.velocity
        elif not times_s or note.onset_s - times_s[0] < MAX_EXCERPT_S:
            times_s.append(note.onset_s)
            loudness.append(note.velocity)
    return np.array(times_s), np.array(loudness, float)


def _measure(onsets: Onsets, hz: np.ndarray, window_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Measure how well onsets agree with grids of these frequencies, each window with a phase of its own.

    Returns:
        The agreement, 0 to 1, and the chance that onsets at random have as much at one of all frequencies,
        (frequencies,) each.
    """
    from scipy.special import gammaincc  # 0.1 s

    times_s, loudness = onsets
    windows = ((times_s - times_s[0]) / window_s).astype(int)
    power, total, numbers = np.zeros(len(hz)), 0.0, np.unique(windows)
    for number in numbers:
        inside = windows == number
        power += np.abs(np.exp(2j * np.pi * np.outer(hz, times_s[inside])) @ loudness[inside]) ** 2
        total += loudness[inside].sum() ** 2
    # Onsets as loud as each other that would weigh as much as these, in each window.
    n_onsets = loudness.sum() ** 2 / (loudness**2).sum() / len(numbers)
    agreement = power / total
    n_tried = max(min(window_s, float(np.ptp(times_s))) * (MAX_STEPS_HZ - MIN_STEPS_HZ), 1.0)
    z = 1 + 2 * n_onsets - np.sqrt(1 + 4 * n_onsets + 4 * n_onsets**2 * (1 - agreement))  # in each window
    return np.sqrt(agreement), n_tried * gammaincc(len(numbers), len(numbers) * z)


def _measure_at(onsets: Onsets, hz: float) -> float:
    """Return the agreement near one frequency."""
    return float(_measure(onsets, hz * np.linspace(0.97, 1.03, 31), WINDOW_S)[0].max())


def _refine(onsets: Onsets, hz: float) -> tuple[float, float]:
    """Follow a grid through windows of twice the length, up to all onsets.

    Returns:
        Its frequency, and the chance that onsets at random agree as well over all of them.
    """
    length_s = 1.01 * float(np.ptp(onsets[0]))
    window_s = min(WINDOW_S, length_s)
    while True:
        near = hz + np.linspace(-1, 1, 81) / window_s
        agreement, chance = _measure(onsets, near, window_s)
        top = int(np.clip(agreement.argmax(), 1, len(near) - 2))
        before, here, after = agreement[top - 1 : top + 2]
        bend = before - 2 * here + after
        hz = near[top] + (near[1] - near[0]) * (0.5 * (before - after) / bend if bend else 0.0)
        if window_s >= length_s:
            return float(hz), float(chance.min())
        window_s = min(2 * window_s, length_s)


def quantise(notes: Iterable[Note], tempo: float, division: int = 16) -> list[Note]:
    """Quantise notes: move onsets and offsets to the nearest step of a tempo's grid.

    The grid is laid where the onsets are nearest to it; then the music is moved as a whole, by half a step
    at most, so that the grid starts at 0 s: bar lines of a MIDI file then fall on it. A note lasts one step
    at least.

    Args:
        notes: in any order.
        tempo: quarters a minute.
        division: a step is this part of a whole note; 16 for sixteenths.

    Returns:
        The notes in the same order.

    Raises:
        ArgumentError: the tempo or the division is out of range.
    """
    check_tempo(tempo)
    if not 1 <= division <= MAX_DIVISION:
        raise ArgumentError(f"division is {division}, expected 1 to {MAX_DIVISION} steps of a whole note")
    notes = list(notes)
    step_s = 240 / tempo / division
    onsets = np.array([note.onset_s for note in notes])
    shift = np.angle(np.exp(2j * np.pi * onsets / step_s).sum()) / (2 * np.pi)
    moved = []
    for note in notes:
        first = max(round(note.onset_s / step_s - shift), 0)
        last = max(round(note.offset_s / step_s - shift), first + 1)
        moved.append(replace(note, onset_s=first * step_s, offset_s=last * step_s))
    return moved
