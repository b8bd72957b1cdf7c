"""Notes, the targets they are trained as, and the scores they are read from.

Place in the flow: scores -> notes. `encode` and `decode` are each other's inverse and stand side by side.
Conventions: frame i lies at i * frame_s seconds; pitches are MIDI numbers, pitch row 0 is `LOWEST_MIDI`;
score and target arrays are (pitches, frames), float32.

Onsets and offsets are encoded as triangles, 1 at the event and 0 at `EVENT_WIDTH` frames from it, so that the
three frames around a peak give the time of the event to a fraction of a frame.
Source: Kong, Li, Song, Wan, Wang, "High-resolution piano transcription with pedals by regressing onset and
offset times", 2021, equations 1 and 8-10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

LOWEST_MIDI, N_PITCHES = 21, 88  # A0 to C8, the piano's range
EVENT_WIDTH = 2.5  # frames from the top of an onset's or offset's triangle to its foot
NEIGHBOURHOOD = 1  # frames on each side of a peak that are not higher; decoding looks this far ahead
REFRACTORY = 3  # frames from an onset to the next one of the same pitch, at least
RISE = 2  # frames from an onset to the end of its note, at least: its frame score may still be rising
ONSETLESS = 6  # frames for which a pitch must sound to be taken for a note that had no onset
OUTSIDE = -1.0  # stands for the scores before the first and after the last frame: below any score
BEND_STEP_S = 0.02  # between two values of Note.bend
MAX_BEND = 1.0  # semitones

Scores = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Note:
    """One note: times in seconds, MIDI pitch, MIDI velocity 1 to 127, confidence 0 to 1, bend in semitones.

    `bend` holds the deviation from `midi` every BEND_STEP_S from the onset; empty where it was not measured.
    """

    onset_s: float
    offset_s: float
    midi: int
    velocity: int = 100
    confidence: float = 1.0
    bend: tuple[float, ...] = ()


@dataclass(frozen=True)
class DecodingOptions:
    """The knobs of `decode`, with the same names in Python, in the CLI and in a model file.

    Args:
        onset_threshold: lowest onset score that starts a note.
        frame_threshold: a note ends where its frame score falls below this.
        offset_threshold: lowest offset score that ends a note although its frame score has not fallen yet.
        onsetless_threshold: a note without an onset starts where its frame score stays above this; 1: never.
        minimum_note_ms: shorter notes are dropped.
        lowest_pitch: lowest MIDI pitch kept.
        highest_pitch: highest MIDI pitch kept.
    """

    onset_threshold: float = 0.4
    frame_threshold: float = 0.4
    offset_threshold: float = 0.5
    onsetless_threshold: float = 1.0
    minimum_note_ms: float = 30.0
    lowest_pitch: int = LOWEST_MIDI
    highest_pitch: int = LOWEST_MIDI + N_PITCHES - 1

    def __post_init__(self) -> None:
        for name in ("onset_threshold", "frame_threshold", "offset_threshold", "onsetless_threshold"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(f"{name} is {value}, expected more than 0 and at most 1")
        if self.minimum_note_ms < 0:
            raise ValueError(f"minimum_note_ms is {self.minimum_note_ms}, expected 0 or more")
        if not 0 <= self.lowest_pitch <= self.highest_pitch <= 127:
            raise ValueError(
                f"pitches are {self.lowest_pitch} to {self.highest_pitch}, expected a range within 0 to 127"
            )


def encode(notes: Iterable[Note], n_frames: int, frame_s: float) -> dict[str, np.ndarray]:
    """Training targets of notes whose times count from frame 0.

    Shape: each (pitches, frames): `onset` and `offset` triangles, `frame` 1 while the note sounds, `velocity`
    0 to 1 where an onset triangle stands, `bend` in semitones while the note sounds.
    Notes outside the piano's range are left out; notes that began before frame 0 keep their later frames.
    """
    targets = {
        name: np.zeros((N_PITCHES, n_frames), np.float32)
        for name in ("onset", "frame", "offset", "velocity", "bend")
    }
    for note in notes:
        row = note.midi - LOWEST_MIDI
        if not 0 <= row < N_PITCHES:
            continue
        onset, offset = note.onset_s / frame_s, note.offset_s / frame_s
        first, last = _frame_span(onset, offset)
        span = slice(max(first, 0), max(last, 0))
        targets["frame"][row, span] = 1
        if note.bend:
            times_s = (np.arange(n_frames)[span] - onset) * frame_s
            targets["bend"][row, span] = np.interp(
                times_s, np.arange(len(note.bend)) * BEND_STEP_S, note.bend
            )
        attack = _add_triangle(targets["onset"][row], onset)
        targets["velocity"][row, attack] = note.velocity / 127
        _add_triangle(targets["offset"][row], offset)
    return targets


def _frame_span(onset: float, offset: float) -> tuple[int, int]:
    """The frames nearest to a note's onset (included) and offset (excluded), at least one."""
    first = round(onset)
    return first, max(round(offset), first + 1)


def _add_triangle(row: np.ndarray, position: float) -> slice:
    """Raise `row` to a triangle around a fractional frame, in place; gives the frames it covers."""
    first = max(int(np.ceil(position - EVENT_WIDTH)), 0)
    covered = slice(first, max(int(np.floor(position + EVENT_WIDTH)) + 1, first))
    frames = np.arange(first, min(covered.stop, len(row)))
    row[covered] = np.maximum(row[covered], 1 - np.abs(frames - position) / EVENT_WIDTH)
    return covered


def decode(scores: Scores, frame_s: float, decoding: DecodingOptions | None = None) -> list[Note]:
    """Notes in the order of their onsets, read from scores (pitches, frames) named as in `encode`.

    A note starts at each peak of its onset score, or where it swells without. It ends at the earliest of:
    its frame score falls below the threshold, its offset score peaks, its next onset, the end of the scores.
    """
    decoder = NoteDecoder(frame_s, decoding)
    return sort_notes([*decoder.push(scores), *decoder.flush()])


def sort_notes(notes: Iterable[Note]) -> list[Note]:
    """Return the notes in the order they have everywhere: by onset, then by pitch."""
    return sorted(notes, key=lambda note: (note.onset_s, note.midi))


@dataclass
class _ActiveNote:
    """A note whose end has not been heard: its first frame, the first that may end it, what is known."""

    frame: int
    earliest_end: int
    onset_s: float
    velocity: int
    confidence: float
    bend: list[np.ndarray]


class NoteDecoder:
    """`decode` for scores that arrive in pieces: the same notes, each given as soon as its end is known.

    It looks NEIGHBOURHOOD frames ahead.
    """

    def __init__(self, frame_s: float, decoding: DecodingOptions | None = None) -> None:
        self.frame_s = frame_s
        self.decoding = decoding or DecodingOptions()
        self._open: dict[int, _ActiveNote] = {}
        self._ended: dict[int, int] = {}  # frame in which the last note of a row ended
        self._high: np.ndarray | int = 0  # for how many frames, up to the last one read, each row has sounded
        self._start = -NEIGHBOURHOOD  # frame number of the first column of _held
        self._held: dict[str, np.ndarray] | None = None

    @property
    def sounding(self) -> list[Note]:
        """The notes that have begun and not ended, their offsets at the last frame that was read."""
        end_s = (self._start + NEIGHBOURHOOD) * self.frame_s
        return [
            Note(note.onset_s, end_s, int(row) + LOWEST_MIDI, note.velocity, note.confidence)
            for row, note in self._open.items()
        ]

    def push(self, scores: Scores) -> list[Note]:
        """Notes that end within the scores so far, except in their last NEIGHBOURHOOD frames."""
        before = self._held or _outside(scores)
        joined = {name: np.concatenate([before[name], array], axis=1) for name, array in scores.items()}
        n_new = joined["onset"].shape[1] - 2 * NEIGHBOURHOOD
        if n_new <= 0:
            self._held = joined
            return []
        notes = self._read(joined)
        self._start += n_new
        self._held = {name: array[:, n_new:] for name, array in joined.items()}
        return sort_notes(notes)

    def flush(self) -> list[Note]:
        """The remaining notes; the decoder then stands at its beginning again."""
        if self._held is None:
            return []
        notes = self.push(_outside(self._held))
        end = self._start + NEIGHBOURHOOD
        notes += [self._close(row, end, end * self.frame_s) for row in list(self._open)]
        self.__init__(self.frame_s, self.decoding)
        return sort_notes(self._kept(notes))

    def _read(self, scores: Scores) -> list[Note]:
        inner = slice(NEIGHBOURHOOD, -NEIGHBOURHOOD)
        onsets = _peaks(scores["onset"], self.decoding.onset_threshold)
        offsets = _peaks(scores["offset"], self.decoding.offset_threshold)
        silent = scores["frame"][:, inner] < self.decoding.frame_threshold
        onsetless = self._onsetless(scores["frame"][:, inner])
        busy = {*self._open, *np.flatnonzero((onsets | onsetless).any(axis=1)).tolist()}
        notes: list[Note] = []
        for row in sorted(busy):
            notes += self._read_row(row, scores, onsets[row], onsetless[row], offsets[row], silent[row])
        return self._kept(notes)

    def _onsetless(self, frame: np.ndarray) -> np.ndarray:
        """Which frames complete ONSETLESS frames above the threshold, as booleans."""
        lengths = np.empty(frame.shape, int)
        for column, high in enumerate((frame > self.decoding.onsetless_threshold).T):
            self._high = (self._high + 1) * high
            lengths[:, column] = self._high
        return lengths == ONSETLESS

    def _read_row(
        self,
        row: int,
        scores: Scores,
        onsets: np.ndarray,
        onsetless: np.ndarray,
        offsets: np.ndarray,
        silent: np.ndarray,
    ) -> list[Note]:
        first = self._start + NEIGHBOURHOOD
        strokes = set(self._apart(row, np.flatnonzero(onsets)))
        ends = np.flatnonzero(offsets | silent)
        begun = 0  # inner frame from which the open note's bend is still to be read
        notes = []
        for frame in [*sorted(strokes | set(np.flatnonzero(onsetless).tolist())), len(onsets)]:
            if row in self._open:
                end = ends[np.searchsorted(ends, self._open[row].earliest_end - first) :][:1]
                if len(end) and end[0] < frame:
                    shift = _shift(scores["offset"][row], end[0]) if offsets[end[0]] else 0.0
                    notes.append(self._end(row, scores, slice(begun, int(end[0])), shift))
                elif frame in strokes:
                    shift = _shift(scores["onset"][row], frame)
                    notes.append(self._end(row, scores, slice(begun, frame), shift))
                elif frame == len(onsets):
                    self._bend(row, scores, slice(begun, frame))
            if frame in strokes:
                self._open[row], begun = self._begin(row, scores, frame), frame
            elif frame < len(onsets) and self._may_begin_onsetless(row, first + frame):
                self._open[row], begun = self._begin_onsetless(row, scores, frame), frame
        return notes

    def _apart(self, row: int, starts: np.ndarray) -> list[int]:
        """The starts without those that follow another too soon to be a new stroke."""
        first = self._start + NEIGHBOURHOOD
        last = self._open[row].frame - first if row in self._open else -REFRACTORY
        kept = []
        for start in starts.tolist():
            if start - last >= REFRACTORY:
                kept.append(start)
                last = start
        return kept

    def _begin(self, row: int, scores: Scores, start: int) -> _ActiveNote:
        onset = scores["onset"][row]
        frame = self._start + NEIGHBOURHOOD + start
        return _ActiveNote(
            frame=frame,
            earliest_end=frame + RISE,
            onset_s=max(float(frame + _shift(onset, start)) * self.frame_s, 0.0),
            velocity=int(np.clip(round(float(scores["velocity"][row, start + NEIGHBOURHOOD]) * 127), 1, 127)),
            confidence=float(min(onset[start + NEIGHBOURHOOD], 1)),
            bend=[],
        )

    def _may_begin_onsetless(self, row: int, frame: int) -> bool:
        """Whether no note has sounded in the row in the ONSETLESS frames up to this one."""
        return row not in self._open and self._ended.get(row, 0) <= frame - ONSETLESS + 1

    def _begin_onsetless(self, row: int, scores: Scores, frame: int) -> _ActiveNote:
        """A note that has sounded for ONSETLESS frames up to this one."""
        here = frame + NEIGHBOURHOOD
        start = self._start + here - ONSETLESS + 1
        return _ActiveNote(
            frame=start,
            earliest_end=start + ONSETLESS,
            onset_s=max(start * self.frame_s, 0.0),
            velocity=int(np.clip(round(float(scores["velocity"][row, here]) * 127), 1, 127)),
            confidence=float(min(scores["frame"][row, here], 1)),
            bend=[np.full(ONSETLESS - 1, scores["bend"][row, here])] if "bend" in scores else [],
        )

    def _bend(self, row: int, scores: Scores, frames: slice) -> None:
        if "bend" in scores:
            columns = slice(frames.start + NEIGHBOURHOOD, frames.stop + NEIGHBOURHOOD)
            self._open[row].bend.append(scores["bend"][row, columns])

    def _end(self, row: int, scores: Scores, frames: slice, shift: float) -> Note:
        """Closes a note at the end of these inner frames, and a fraction of a frame."""
        self._bend(row, scores, frames)
        end = self._start + NEIGHBOURHOOD + frames.stop
        return self._close(row, end, (end + shift) * self.frame_s)

    def _close(self, row: int, end: int, offset_s: float) -> Note:
        note = self._open.pop(row)
        self._ended[row] = end
        bend = np.concatenate(note.bend)[: end - note.frame] if note.bend else np.zeros(0)
        steps = np.arange(0, len(bend) * self.frame_s, BEND_STEP_S) if len(bend) else np.zeros(0)
        resampled = np.interp(steps, np.arange(len(bend)) * self.frame_s, bend) if len(bend) else bend
        return Note(
            onset_s=note.onset_s,
            offset_s=float(offset_s),
            midi=int(row) + LOWEST_MIDI,
            velocity=note.velocity,
            confidence=note.confidence,
            bend=tuple(float(value) for value in resampled),
        )

    def _kept(self, notes: list[Note]) -> list[Note]:
        options = self.decoding
        return [
            note
            for note in notes
            if options.lowest_pitch <= note.midi <= options.highest_pitch
            and (note.offset_s - note.onset_s) * 1000 >= options.minimum_note_ms
        ]


def _outside(scores: Scores) -> dict[str, np.ndarray]:
    """What stands for the neighbours of the first and last frame."""
    return {name: np.full((len(array), NEIGHBOURHOOD), OUTSIDE, np.float32) for name, array in scores.items()}


def _peaks(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Which inner frames hold the highest score of their neighbourhood (the first of equals), as booleans."""
    n = scores.shape[1] - 2 * NEIGHBOURHOOD
    centre = scores[:, NEIGHBOURHOOD : NEIGHBOURHOOD + n]
    peaks = centre >= threshold
    for distance in range(1, NEIGHBOURHOOD + 1):
        peaks &= centre > scores[:, NEIGHBOURHOOD - distance :][:, :n]
        peaks &= centre >= scores[:, NEIGHBOURHOOD + distance :][:, :n]
    return peaks


def _shift(scores: np.ndarray, inner_frame: int) -> float:
    """How far an event lies from the frame of its peak, in frames between -0.5 and 0.5."""
    before, peak, after = scores[inner_frame + NEIGHBOURHOOD - 1 : inner_frame + NEIGHBOURHOOD + 2].tolist()
    if OUTSIDE in (before, after):  # a triangle's slope tells the time from the other one
        ratio = max(before, after, 0.0) / peak
        inwards = max((EVENT_WIDTH * (ratio - 1) + 1) / (ratio + 1), 0.0)
        return inwards if before == OUTSIDE else -inwards
    rise = peak - min(before, after)
    return (after - before) / (2 * rise) if rise > 0 else 0.0
