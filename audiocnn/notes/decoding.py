"""Scores -> notes: whole, or as they arrive.

Each pitch is decoded by itself. A note begins at a peak of the onset score, or, if asked for, where the frame
score stays high without one (an onset-less note). It ends at the earliest of: its frame score is below the
threshold, its offset score peaks, the next onset of its pitch, the end of the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from audiocnn.notes.note import BEND_STEP_S, LOWEST_MIDI, N_PITCHES, Note, Scores, sort_notes
from audiocnn.notes.targets import EVENT_HALF_WIDTH
from audiocnn.ranges import FINITE, NOT_NEGATIVE, ArgumentError, Range, check_fields

# In frames; found on validation recordings with frames of 16 to 32 ms.
NEIGHBOURHOOD = 1  # on each side of a peak that are not higher; decoding looks this far ahead
MIN_ONSET_INTERVAL_FRAMES = 3  # from an onset to the next one of the same pitch
MIN_NOTE_FRAMES = 2  # from an onset to the end of its note: the frame score may still be rising
MIN_ONSETLESS_FRAMES = 6  # in which the frame score of an onset-less note must be above its threshold
OUTSIDE = -1.0  # stands for the scores before the first and after the last frame: below any score


@dataclass(frozen=True)
class DecodingOptions:
    """The options of `decode`, with the same names in Python, on the command line and in a model file.

    Args:
        onset_threshold: lowest onset score that begins a note, above 0 to 1.
        frame_threshold: a note ends where its frame score is below this, above 0 to 1.
        offset_threshold: lowest offset score that ends a note whose frame score is still high, above 0 to 1.
        onsetless_threshold: an onset-less note begins where the frame score stays above this, above 0 to 1;
            None: there are no onset-less notes.
        minimum_note_ms: shorter notes are dropped, in milliseconds.
        lowest_pitch: lowest MIDI note number kept.
        highest_pitch: highest MIDI note number kept.

    Raises:
        ArgumentError: a value is out of its range.
    """

    onset_threshold: float = 0.4
    frame_threshold: float = 0.4
    offset_threshold: float = 0.5
    onsetless_threshold: float | None = None
    minimum_note_ms: float = 30.0
    lowest_pitch: int = LOWEST_MIDI
    highest_pitch: int = LOWEST_MIDI + N_PITCHES - 1

    def __post_init__(self) -> None:
        thresholds = ("onset_threshold", "frame_threshold", "offset_threshold", "onsetless_threshold")
        above_0 = dict.fromkeys(thresholds, Range(0, 1, is_open=True))
        pitches = dict.fromkeys(("lowest_pitch", "highest_pitch"), FINITE)
        check_fields(self, minimum_note_ms=NOT_NEGATIVE, **above_0, **pitches)
        if not 0 <= self.lowest_pitch <= self.highest_pitch <= 127:
            raise ArgumentError(
                f"pitches are {self.lowest_pitch} to {self.highest_pitch}, expected a range within 0 to 127"
            )

    def keeps(self, note: Note) -> bool:
        """Return whether a note is long enough and within the range of pitches.

        Args:
            note: a note that has ended.
        """
        long_enough = (note.offset_s - note.onset_s) * 1000 >= self.minimum_note_ms
        return long_enough and self.lowest_pitch <= note.midi <= self.highest_pitch


def decode(scores: Scores, frame_s: float, decoding: DecodingOptions | None = None) -> list[Note]:
    """Decode the scores of a whole recording.

    Args:
        scores: (pitches, frames) each, named as in `encode`; `bend` may be missing.
        frame_s: seconds from one frame to the next.
        decoding: thresholds and limits; the defaults when None.

    Returns:
        The notes by onset, then pitch.
    """
    decoder = NoteDecoder(frame_s, decoding)
    return sort_notes([*decoder.push(scores), *decoder.flush()])


class NoteDecoder:
    """`decode` for scores that arrive in chunks: the same notes, each as soon as its end is known.

    The look-ahead is NEIGHBOURHOOD frames.

    Args:
        frame_s: seconds from one frame to the next.
        decoding: thresholds and limits; the defaults when None.
    """

    def __init__(self, frame_s: float, decoding: DecodingOptions | None = None) -> None:
        self.frame_s = frame_s
        self.decoding = decoding or DecodingOptions()
        self._reset()

    def _reset(self) -> None:
        self._n_frames = 0  # decoded so far
        self._tail: Scores | None = None  # the last frames pushed, which the next ones need as neighbours
        # In which of the last frames the frame score was above `onsetless_threshold`.
        self._high = np.zeros((N_PITCHES, MIN_ONSETLESS_FRAMES), bool)
        self._pitches = [_Pitch(row) for row in range(N_PITCHES)]

    @property
    def active_notes(self) -> list[Note]:
        """The notes that have begun and not ended, their offsets at the last frame that was decoded."""
        active = [pitch.active for pitch in self._pitches if pitch.active]
        return sort_notes(note.to_note(self._n_frames, self.frame_s, with_bend=False) for note in active)

    def push(self, scores: Scores) -> list[Note]:
        """Decode more frames.

        Args:
            scores: the next frames of each score, any number of them.

        Returns:
            The notes that end in the frames so far, except in the last NEIGHBOURHOOD of them.
        """
        tail = self._tail or _outside(scores)
        joined = {name: np.concatenate([tail[name], array], axis=1) for name, array in scores.items()}
        n_new = joined["onset"].shape[1] - 2 * NEIGHBOURHOOD
        if n_new <= 0:
            self._tail = joined
            return []
        chunk = _Chunk(joined, self._n_frames, self.decoding, self._high)
        notes = self._decode(chunk)
        self._n_frames, self._high = chunk.stop, chunk.high[:, -MIN_ONSETLESS_FRAMES:]
        self._tail = {name: array[:, n_new:] for name, array in joined.items()}
        return notes

    def flush(self) -> list[Note]:
        """Return the remaining notes; afterwards the decoder begins anew, at frame 0."""
        if self._tail is None:
            return []
        notes = self.push(_outside(self._tail))
        active = [pitch.active for pitch in self._pitches if pitch.active]
        notes += self._kept(note.to_note(self._n_frames, self.frame_s) for note in active)
        self._reset()
        return sort_notes(notes)

    def _decode(self, chunk: _Chunk) -> list[Note]:
        with_start = set(np.flatnonzero(chunk.starts.any(axis=1)).tolist())
        ended: list[tuple[_ActiveNote, float]] = []
        for pitch in self._pitches:
            if pitch.row in with_start:
                for frame in (np.flatnonzero(chunk.starts[pitch.row]) + chunk.first).tolist():
                    ended += pitch.step(frame, chunk)
            if pitch.active:
                ended += pitch.finish(chunk)
        return sort_notes(self._kept(note.to_note(offset, self.frame_s) for note, offset in ended))

    def _kept(self, notes: Iterator[Note]) -> list[Note]:
        return [note for note in notes if self.decoding.keeps(note)]


class _Chunk:
    """The scores of the frames from `first` to `stop` (excluded), and where a note may begin or end in them.

    `scores` reach NEIGHBOURHOOD frames further on both sides, `high` MIN_ONSETLESS_FRAMES further back.
    """

    def __init__(self, scores: Scores, first: int, decoding: DecodingOptions, high: np.ndarray) -> None:
        frame = scores["frame"][:, NEIGHBOURHOOD:-NEIGHBOURHOOD]
        self.scores, self.first, self.stop = scores, first, first + frame.shape[1]
        self.onsets = _peaks(scores["onset"], decoding.onset_threshold)
        self.offsets = _peaks(scores["offset"], decoding.offset_threshold)
        self.ends = self.offsets | (frame < decoding.frame_threshold)
        above = frame > (np.inf if decoding.onsetless_threshold is None else decoding.onsetless_threshold)
        self.high = np.concatenate([high, above], axis=1)
        self.onsetless = _complete_runs(self.high)
        self.starts: np.ndarray = self.onsets | self.onsetless

    def score(self, name: str, row: int, frame: int) -> float:
        return float(self.scores[name][row, frame - self.first + NEIGHBOURHOOD])

    def velocity(self, row: int, frame: int) -> int:
        return min(max(round(self.score("velocity", row, frame) * 127), 1), 127)

    def bend(self, row: int, first: int, stop: int) -> np.ndarray:
        """Return the bend from frame `first` to `stop` (excluded); empty without that score."""
        if "bend" not in self.scores:
            return np.zeros(0, np.float32)
        return self.scores["bend"][
            row, first - self.first + NEIGHBOURHOOD : stop - self.first + NEIGHBOURHOOD
        ]

    def refine_peak(self, name: str, row: int, frame: int) -> float:
        """Return how far an event lies from the frame of its peak, in frames from -0.5 to 0.5."""
        column = frame - self.first + NEIGHBOURHOOD
        before, peak, after = self.scores[name][row, column - 1 : column + 2].tolist()
        if OUTSIDE in (before, after):  # a triangle's slope tells the time from the other one
            ratio = max(before, after, 0.0) / peak
            inwards = max((EVENT_HALF_WIDTH * (ratio - 1) + 1) / (ratio + 1), 0.0)
            return inwards if before == OUTSIDE else -inwards
        rise = peak - min(before, after)
        return (after - before) / (2 * rise) if rise > 0 else 0.0

    def next_end(self, row: int, first: int, stop: int) -> int | None:
        """Return the first frame from `first` to `stop` (excluded) in which a note may end."""
        first = max(first, self.first)
        ends = self.ends[row, first - self.first : max(stop - self.first, 0)]
        return first + int(ends.argmax()) if ends.any() else None


@dataclass
class _ActiveNote:
    """A note whose end is not known yet; times in frames."""

    midi: int
    onset: float
    earliest_end: int
    velocity: int
    confidence: float
    bend_stop: int  # the first frame whose bend is still to be taken
    bend: list[np.ndarray] = field(default_factory=list)

    def to_note(self, offset: float, frame_s: float, with_bend: bool = True) -> Note:
        return Note(
            onset_s=max(self.onset * frame_s, 0.0),
            offset_s=offset * frame_s,
            midi=self.midi,
            velocity=self.velocity,
            confidence=self.confidence,
            bend=_resample_bend(self.bend, frame_s) if with_bend else (),
        )


@dataclass
class _Pitch:
    """The state of one pitch between frames: its active note, and when the last ones began and ended."""

    row: int
    active: _ActiveNote | None = None
    last_onset: int = -MIN_ONSET_INTERVAL_FRAMES
    last_end: int = 0

    def step(self, frame: int, chunk: _Chunk) -> Iterator[tuple[_ActiveNote, float]]:
        """Go on to a frame in which a note may begin; yield the notes that end, with their offsets."""
        yield from self._end_before(frame, chunk)
        column, run_start = frame - chunk.first, frame - MIN_ONSETLESS_FRAMES + 1
        if chunk.onsets[self.row, column] and frame - self.last_onset >= MIN_ONSET_INTERVAL_FRAMES:
            onset = frame + chunk.refine_peak("onset", self.row, frame)
            if self.active:
                yield self._end(self.active, frame, onset, chunk)
            self.active, self.last_onset = self._begin(frame, onset, chunk), frame
        elif chunk.onsetless[self.row, column] and not self.active and self.last_end <= run_start:
            self.active = self._begin_onsetless(frame, chunk)

    def finish(self, chunk: _Chunk) -> Iterator[tuple[_ActiveNote, float]]:
        """Go on to the end of the chunk; yield as `step`."""
        yield from self._end_before(chunk.stop, chunk)
        if self.active:
            self._take_bend(self.active, chunk.stop, chunk)

    def _end_before(self, frame: int, chunk: _Chunk) -> Iterator[tuple[_ActiveNote, float]]:
        if self.active and (end := chunk.next_end(self.row, self.active.earliest_end, frame)) is not None:
            is_peak = chunk.offsets[self.row, end - chunk.first]
            shift = chunk.refine_peak("offset", self.row, end) if is_peak else 0.0
            yield self._end(self.active, end, end + shift, chunk)

    def _end(self, note: _ActiveNote, frame: int, offset: float, chunk: _Chunk) -> tuple[_ActiveNote, float]:
        self._take_bend(note, frame, chunk)
        self.active, self.last_end = None, frame
        return note, offset

    def _take_bend(self, note: _ActiveNote, stop: int, chunk: _Chunk) -> None:
        note.bend.append(chunk.bend(self.row, note.bend_stop, stop))
        note.bend_stop = stop

    def _begin(self, frame: int, onset: float, chunk: _Chunk) -> _ActiveNote:
        return _ActiveNote(
            midi=self.row + LOWEST_MIDI,
            onset=onset,
            earliest_end=frame + MIN_NOTE_FRAMES,
            velocity=chunk.velocity(self.row, frame),
            confidence=min(chunk.score("onset", self.row, frame), 1.0),
            bend_stop=frame,
        )

    def _begin_onsetless(self, frame: int, chunk: _Chunk) -> _ActiveNote:
        """Return a note that has sounded for MIN_ONSETLESS_FRAMES up to this one."""
        return _ActiveNote(
            midi=self.row + LOWEST_MIDI,
            onset=frame - MIN_ONSETLESS_FRAMES + 1,
            earliest_end=frame + 1,
            velocity=chunk.velocity(self.row, frame),
            confidence=min(chunk.score("frame", self.row, frame), 1.0),
            bend_stop=frame,
            bend=[chunk.bend(self.row, frame, frame + 1).repeat(MIN_ONSETLESS_FRAMES - 1)],
        )


def _outside(scores: Scores) -> dict[str, np.ndarray]:
    """Return what stands for the neighbours of the first and last frame."""
    return {name: np.full((len(array), NEIGHBOURHOOD), OUTSIDE, np.float32) for name, array in scores.items()}


def _peaks(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return which inner frames hold the highest score of their neighbourhood (the first of equals)."""
    n = scores.shape[1] - 2 * NEIGHBOURHOOD
    centre = scores[:, NEIGHBOURHOOD : NEIGHBOURHOOD + n]
    peaks = centre >= threshold
    for distance in range(1, NEIGHBOURHOOD + 1):
        peaks &= centre > scores[:, NEIGHBOURHOOD - distance :][:, :n]
        peaks &= centre >= scores[:, NEIGHBOURHOOD + distance :][:, :n]
    return peaks


def _complete_runs(high: np.ndarray) -> np.ndarray:
    """Return where a run has just become MIN_ONSETLESS_FRAMES long; as many columns come before the first."""
    n = high.shape[1] - MIN_ONSETLESS_FRAMES
    complete = ~high[:, :n]
    for later in range(1, MIN_ONSETLESS_FRAMES + 1):
        complete &= high[:, later : later + n]
    return complete


def _resample_bend(frames: list[np.ndarray], frame_s: float) -> tuple[float, ...]:
    """Return the bends of consecutive frames as a value every BEND_STEP_S."""
    bend = np.concatenate(frames) if frames else np.zeros(0)
    if not len(bend):
        return ()
    times_s = np.arange(0, len(bend) * frame_s, BEND_STEP_S)
    return tuple(np.interp(times_s, np.arange(len(bend)) * frame_s, bend).tolist())
