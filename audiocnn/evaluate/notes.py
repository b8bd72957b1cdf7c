"""Notes against reference notes -> precision, recall and F1, for one recording or a folder.

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
pitch after the other, with the same result: notes of two pitches never match.
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from audiocnn import audio, files, formats, units
from audiocnn.notes import Note

FRAME_S = 0.01  # as in MIREX's multiple fundamental frequency estimation
VELOCITY_TOLERANCE = 0.1  # fraction of the range of the reference's velocities, mir_eval's default
OFFSET_RATIO = 0.2  # fraction of the reference note's length, mir_eval's default
MEASURES = ("note", "note_offset", "note_offset_velocity", "frame")
REFERENCE_SUFFIXES = (".tsv", ".mid", ".midi", ".jams")  # in the order in which they are looked for

Metrics = dict[str, float]  # precision, recall, f1
Score = dict[str, Metrics]  # by measure
Matching = list[tuple[int, int]]  # indices in the reference and in the estimate


def score_notes(reference: Iterable[Note], estimate: Iterable[Note]) -> Score:
    """Score estimated notes against reference notes.

    Args:
        reference: notes of the recording.
        estimate: notes of a transcription.

    Returns:
        `precision`, `recall` and `f1` of each of `MEASURES`.
    """
    reference, estimate = list(reference), list(estimate)
    matched = match_notes(reference, estimate, offsets=True)
    counts = {
        "note": len(match_notes(reference, estimate, offsets=False)),
        "note_offset": len(matched),
        "note_offset_velocity": int(_match_velocities(reference, estimate, matched).sum()),
    }
    scores = {name: _compute_metrics(n, len(reference), len(estimate)) for name, n in counts.items()}
    return {**scores, "frame": _score_frames(reference, estimate)}


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
    for midi in {note.midi for note in reference} & {note.midi for note in estimate}:
        rows = [index for index, note in enumerate(reference) if note.midi == midi]
        columns = [index for index, note in enumerate(estimate) if note.midi == midi]
        found = transcription.match_notes(
            *_intervals(reference, rows),
            *_intervals(estimate, columns),
            offset_ratio=OFFSET_RATIO if offsets else None,  # pyright: ignore[reportArgumentType], None is documented
        )
        pairs += [(rows[row], columns[column]) for row, column in found]
    return sorted(pairs)


def _intervals(notes: Sequence[Note], rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return onsets and offsets in seconds, (notes, 2), and pitches in Hz, (notes,)."""
    intervals = np.array([(notes[row].onset_s, notes[row].offset_s) for row in rows])
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
    n_frames = max((_first_frame(note.offset_s) for note in (*reference, *estimate)), default=0)
    rolls = _draw_piano_roll(reference, n_frames), _draw_piano_roll(estimate, n_frames)
    n_matched = int((rolls[0] & rolls[1]).sum())
    return _compute_metrics(n_matched, int(rolls[0].sum()), int(rolls[1].sum()))


def _draw_piano_roll(notes: Iterable[Note], n_frames: int) -> np.ndarray:
    """Mark which pitches sound at which multiples of FRAME_S, booleans (128 pitches, frames)."""
    roll = np.zeros((128, n_frames), bool)
    for note in notes:
        roll[note.midi, _first_frame(note.onset_s) : _first_frame(note.offset_s)] = True
    return roll


def _first_frame(time_s: float) -> int:
    """Return the first frame at or after a time; 1e-6 of a frame is rounding."""
    return int(np.ceil(round(time_s / FRAME_S, 6)))


def _compute_metrics(n_matched: int, n_reference: int, n_estimate: int) -> Metrics:
    precision = n_matched / n_estimate if n_estimate else 0.0
    recall = n_matched / n_reference if n_reference else 0.0
    f1 = 2 * precision * recall / (precision + recall) if n_matched else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


@dataclass(frozen=True)
class NotesReport:
    """Result of `evaluate_notes`.

    Attributes:
        scores: of each recording, by its path in the folder.
        mean: over the recordings, each of the same weight; None where there is none.
        unreadable: path of each recording that could not be evaluated, and why.
    """

    scores: dict[str, Score]
    mean: Score | None
    unreadable: dict[str, str]


def evaluate_notes(
    folder: str | os.PathLike,
    transcribe: Callable[[Path], Iterable[Note]],
    output: str | os.PathLike | None = None,
) -> NotesReport:
    """Evaluate a transcription on each recording that has its notes beside it.

    A recording or a file of notes that cannot be read is reported, and the others are evaluated.

    Args:
        folder: folder with recordings and notes, see `find_pairs`; or one recording.
        transcribe: function from the path of a recording to its notes.
        output: JSON file to write the report to.

    Returns:
        The report.

    Raises:
        files.FileError: there is no folder, no recording with notes, or `output` cannot be written.
    """
    scores, unreadable = {}, {}
    for recording, notes in find_pairs(folder):
        name = recording.name if recording == Path(folder) else recording.relative_to(folder).as_posix()
        try:
            scores[name] = score_notes(formats.read_notes(notes), transcribe(recording))
        except files.FileError as error:
            unreadable[name] = str(error)
    report = NotesReport(scores, _average(list(scores.values())), unreadable)
    if output is not None:
        with files.write_atomically(output) as partial:
            partial.write_text(json.dumps(vars(report), indent=1) + "\n", encoding="utf-8")
    return report


def find_pairs(folder: str | os.PathLike) -> list[tuple[Path, Path]]:
    """Find the recordings in a folder and its subfolders that have a file of notes beside them.

    NAME.wav goes with NAME.tsv, or else the next of `REFERENCE_SUFFIXES`.

    Args:
        folder: folder to search, or one recording.

    Returns:
        Paths of recordings and of their notes.

    Raises:
        files.FileError: there is none.
    """
    found = [
        (recording, notes)
        for recording in audio.find_recordings(folder)
        if (notes := next(filter(Path.is_file, map(recording.with_suffix, REFERENCE_SUFFIXES)), None))
    ]
    if not found:
        raise files.FileError(folder, f"no recording with notes beside it ({', '.join(REFERENCE_SUFFIXES)})")
    return found


def _average(scores: list[Score]) -> Score | None:
    if not scores:
        return None
    return {
        measure: {name: fmean(one[measure][name] for one in scores) for name in scores[0][measure]}
        for measure in MEASURES
    }
