"""Notes against reference notes -> precision, recall and F1.

The metrics are mir_eval's (Raffel et al., "mir_eval: A transparent implementation of common MIR metrics",
2014):

- note: same pitch, onset within 50 ms;
- note_offset: and offset within 50 ms or 20 % of the reference's length, whichever is more;
- note_offset_velocity: and velocity within 0.1 of the reference's range, after a line is fitted through the
  velocities of the matched notes (Hawthorne et al., "Onsets and Frames", 2018);
- frame: same pitches sounding at every multiple of 10 ms, as mir_eval.multipitch counts them.

Precision, recall and F1 are fractions between 0 and 1, and 0 where one side has no notes. mir_eval's onset
and offset metrics, which ignore the pitch, are not among them.

Differs: mir_eval compares every two notes, which takes gigabytes on a long recording. Here it is given one
pitch after the other, and of these the notes whose onsets are near to others, with the same result: the rest
never matches. mir_eval refuses notes without a length; here they are `MIN_LENGTH_S` long.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from audiocnn import units
from audiocnn.notes import Note

FRAME_S = 0.01  # as in MIREX's multiple fundamental frequency estimation
VELOCITY_TOLERANCE = 0.1  # fraction of the range of the reference's velocities, mir_eval's default
OFFSET_RATIO = 0.2  # fraction of the reference note's length, mir_eval's default
MEASURES = ("note", "note_offset", "note_offset_velocity", "frame")
MIN_LENGTH_S = 1e-3
NEAR_S = 0.06  # farther onsets never match: mir_eval's tolerance of 50 ms, and more than its rounding

Metrics = dict[str, float]  # precision, recall, f1
Score = dict[str, Metrics | None]  # by measure; None where it cannot be measured
Matching = list[tuple[int, int]]  # indices in the reference and in the estimate


def score_notes(reference: Iterable[Note], estimate: Iterable[Note], has_velocities: bool = True) -> Score:
    """Score estimated notes against reference notes.

    Args:
        reference: notes of the recording.
        estimate: notes of a transcription.
        has_velocities: whether the velocities of the reference are known.

    Returns:
        `precision`, `recall` and `f1` of each of `MEASURES`; None in place of note_offset_velocity where the
        velocities are not known.
    """
    reference, estimate = list(reference), list(estimate)
    matched = match_notes(reference, estimate, offsets=True)
    counts = {
        "note": len(match_notes(reference, estimate, offsets=False)),
        "note_offset": len(matched),
        "note_offset_velocity": int(_match_velocities(reference, estimate, matched).sum()),
    }
    score: Score = {name: _compute_metrics(n, len(reference), len(estimate)) for name, n in counts.items()}
    if not has_velocities:
        score["note_offset_velocity"] = None
    return {**score, "frame": _score_frames(reference, estimate)}


def match_notes(reference: Sequence[Note], estimate: Sequence[Note], offsets: bool) -> Matching:
    """Match as many notes of the reference and the estimate as possible, each at most once.

    Args:
        reference: notes of the recording.
        estimate: notes of a transcription.
        offsets: whether the offsets must agree too.

    Returns:
        Pairs of an index in the reference and one in the estimate, sorted.
    """
    from mir_eval import transcription  # 0.8 s

    pairs = []
    every_row, every_column = _index_pitches(reference), _index_pitches(estimate)
    for midi in every_row.keys() & every_column.keys():
        rows = _select_near(reference, every_row[midi], estimate, every_column[midi])
        columns = _select_near(estimate, every_column[midi], reference, rows)
        if rows and columns:
            found = transcription.match_notes(
                *_intervals(reference, rows),
                *_intervals(estimate, columns),
                offset_ratio=OFFSET_RATIO if offsets else None,  # pyright: ignore[reportArgumentType], None is documented
            )
            pairs += [(rows[row], columns[column]) for row, column in found]
    return sorted(pairs)


def _index_pitches(notes: Sequence[Note]) -> dict[int, list[int]]:
    """Return the indices of the notes of each pitch."""
    indices: dict[int, list[int]] = defaultdict(list)
    for index, note in enumerate(notes):
        indices[note.midi].append(index)
    return indices


def _select_near(
    notes: Sequence[Note], rows: list[int], others: Sequence[Note], columns: list[int]
) -> list[int]:
    """Return the rows of the notes whose onset is near to another's."""
    onsets_s = np.array([notes[row].onset_s for row in rows])
    near_s = np.sort([others[column].onset_s for column in columns])
    first = np.searchsorted(near_s, onsets_s - NEAR_S)
    is_near = np.append(near_s, np.inf)[first] <= onsets_s + NEAR_S
    return np.array(rows)[is_near].tolist()


def _intervals(notes: Sequence[Note], rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return onsets and offsets in seconds, (notes, 2), and pitches in Hz, (notes,)."""
    intervals = np.array([(notes[row].onset_s, notes[row].offset_s) for row in rows])
    intervals[:, 1] = np.maximum(intervals[:, 1], intervals[:, 0] + MIN_LENGTH_S)
    return intervals, units.midi_to_hz(np.array([notes[row].midi for row in rows]))


def _match_velocities(reference: Sequence[Note], estimate: Sequence[Note], matched: Matching) -> np.ndarray:
    """Tell which of the matched notes agree in velocity, booleans (pairs,).

    Source:
        mir_eval.transcription_velocity.match_notes, for notes that are matched already.
    """
    if not matched:
        return np.zeros(0, bool)
    velocities = np.array([note.velocity for note in reference])
    lowest, span = velocities.min(), max(np.ptp(velocities), 1)
    expected = np.array([(reference[row].velocity - lowest) / span for row, _ in matched])
    found = np.array([(estimate[column].velocity, 1) for _, column in matched], float)
    line, *_ = np.linalg.lstsq(found, expected, rcond=None)
    return np.abs(found @ line - expected) < VELOCITY_TOLERANCE


def _score_frames(reference: Sequence[Note], estimate: Sequence[Note]) -> Metrics:
    """Count the frames of intervals, not frame by frame: notes may lie hours apart."""
    spans = _frame_spans(reference), _frame_spans(estimate)
    counts = [sum(map(_count_frames, one.values())) for one in spans]
    either = {
        midi: np.concatenate([one[midi] for one in spans if midi in one]) for midi in spans[0] | spans[1]
    }
    n_matched = sum(counts) - sum(map(_count_frames, either.values()))
    return _compute_metrics(n_matched, *counts)


def _frame_spans(notes: Sequence[Note]) -> dict[int, np.ndarray]:
    """Return the first frame of each note of a pitch, and the first one after it, (notes, 2)."""
    times_s = np.array([(note.onset_s, note.offset_s) for note in notes]).reshape(-1, 2)
    frames = np.ceil(np.round(times_s / FRAME_S, 6))  # 1e-6 of a frame is rounding
    return {midi: frames[rows] for midi, rows in _index_pitches(notes).items()}


def _count_frames(spans: np.ndarray) -> int:
    """Count the frames that lie in one span at least."""
    starts, stops = spans[np.argsort(spans[:, 0])].T
    covered = np.concatenate([[0.0], np.maximum.accumulate(stops)[:-1]])
    return int(np.maximum(stops - np.maximum(starts, covered), 0).sum())


def _compute_metrics(n_matched: int, n_reference: int, n_estimate: int) -> Metrics:
    precision = n_matched / n_estimate if n_estimate else 0.0
    recall = n_matched / n_reference if n_reference else 0.0
    f1 = 2 * precision * recall / (precision + recall) if n_matched else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
