"""Notes against reference notes -> precision, recall and F1, for one file or a folder.

The figures are mir_eval's (Raffel et al., "mir_eval: A transparent implementation of common MIR metrics",
2014):

- onset: same pitch, onset within 50 ms;
- onset_offset: and offset within 50 ms or 20 % of the reference's length, whichever is more;
- onset_offset_velocity: and velocity within 0.1 of the reference's range, after a line is fitted through the
  velocities of the matched notes (Hawthorne et al., "Onsets and Frames", 2018);
- frame: same pitches sounding at every multiple of 10 ms, as mir_eval.multipitch counts them.

Each is a share of 1, and 0 where one side has no notes. mir_eval compares every two notes, which takes
gigabytes on a long recording. Here it is given one pitch after the other, with the same result: notes of
two pitches never match.
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

FRAME_S = 0.01
VELOCITY_TOLERANCE = 0.1  # of the range of the reference's velocities
MEASURES = ("onset", "onset_offset", "onset_offset_velocity", "frame")
REFERENCE_SUFFIXES = (".tsv", ".mid", ".midi", ".jams")  # the first one there is taken

Figures = dict[str, float]
Score = dict[str, Figures]
Matching = list[tuple[int, int]]


def score(reference: Iterable[Note], estimate: Iterable[Note]) -> Score:
    """`precision`, `recall` and `f1` of each of `MEASURES`."""
    reference, estimate = list(reference), list(estimate)
    matched = match(reference, estimate, offsets=True)
    counts = {
        "onset": len(match(reference, estimate, offsets=False)),
        "onset_offset": len(matched),
        "onset_offset_velocity": int(_alike_in_velocity(reference, estimate, matched).sum()),
    }
    figures = {name: _figures(n, len(reference), len(estimate)) for name, n in counts.items()}
    return {**figures, "frame": _score_frames(reference, estimate)}


def match(reference: Sequence[Note], estimate: Sequence[Note], offsets: bool) -> Matching:
    """As many pairs of notes that agree as there can be: (index in reference, index in estimate)."""
    from mir_eval import transcription  # 0.8 s

    pairs = []
    for midi in {note.midi for note in reference} & {note.midi for note in estimate}:
        rows = [index for index, note in enumerate(reference) if note.midi == midi]
        columns = [index for index, note in enumerate(estimate) if note.midi == midi]
        found = transcription.match_notes(
            *_intervals(reference, rows),
            *_intervals(estimate, columns),
            offset_ratio=0.2 if offsets else None,  # pyright: ignore[reportArgumentType], None is documented
        )
        pairs += [(rows[row], columns[column]) for row, column in found]
    return sorted(pairs)


def _intervals(notes: Sequence[Note], rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """(notes, 2) onsets and offsets in seconds, (notes,) pitches in Hz."""
    intervals = np.array([(notes[row].onset_s, notes[row].offset_s) for row in rows])
    return intervals, units.midi_to_hz(np.array([notes[row].midi for row in rows]))


def _alike_in_velocity(reference: Sequence[Note], estimate: Sequence[Note], matched: Matching) -> np.ndarray:
    """Which of the matched notes agree in velocity, booleans (pairs,).

    Source: mir_eval.transcription_velocity.match_notes, for notes that are matched already.
    """
    if not matched:
        return np.zeros(0, bool)
    velocities = np.array([note.velocity for note in reference])
    lowest, span = velocities.min(), max(np.ptp(velocities), 1)
    wanted = np.array([(reference[row].velocity - lowest) / span for row, _ in matched])
    heard = np.array([(estimate[column].velocity, 1) for _, column in matched], float)
    line, *_ = np.linalg.lstsq(heard, wanted, rcond=None)
    return np.abs(heard @ line - wanted) < VELOCITY_TOLERANCE


def _score_frames(reference: Sequence[Note], estimate: Sequence[Note]) -> Figures:
    n_frames = max((_first_frame(note.offset_s) for note in (*reference, *estimate)), default=0)
    wanted, heard = _roll(reference, n_frames), _roll(estimate, n_frames)
    return _figures(int((wanted & heard).sum()), int(wanted.sum()), int(heard.sum()))


def _roll(notes: Iterable[Note], n_frames: int) -> np.ndarray:
    """Which pitches sound at which multiples of FRAME_S, booleans (128 pitches, frames)."""
    roll = np.zeros((128, n_frames), bool)
    for note in notes:
        roll[note.midi, _first_frame(note.onset_s) : _first_frame(note.offset_s)] = True
    return roll


def _first_frame(time_s: float) -> int:
    """The first frame at or after a time; 1e-6 of a frame is rounding."""
    return int(np.ceil(round(time_s / FRAME_S, 6)))


def _figures(n_right: int, n_reference: int, n_estimate: int) -> Figures:
    precision = n_right / n_estimate if n_estimate else 0.0
    recall = n_right / n_reference if n_reference else 0.0
    f1 = 2 * precision * recall / (precision + recall) if n_right else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


@dataclass(frozen=True)
class Report:
    """What `evaluate_folder` found: by the recordings' paths in the folder, scores and reasons of failure."""

    scores: dict[str, Score]
    mean: Score | None
    failed: dict[str, str]


def evaluate_folder(
    folder: str | os.PathLike,
    transcribe: Callable[[Path], Iterable[Note]],
    output: str | os.PathLike | None = None,
) -> Report:
    """Scores of what `transcribe` hears in each recording that has notes beside it (see `pairs`).

    A recording or a file of notes that cannot be read goes to `failed`, and the others on. The mean is over
    recordings, each of the same weight. `output` names a JSON file for it all.

    Raises:
        files.FileError: there is no folder, no recording with notes, or `output` cannot be written.
    """
    scores, failed = {}, {}
    for recording, notes in pairs(folder):
        name = recording.name if recording == Path(folder) else recording.relative_to(folder).as_posix()
        try:
            scores[name] = score(formats.read_notes(notes), transcribe(recording))
        except files.FileError as error:
            failed[name] = str(error)
    report = Report(scores, _mean(list(scores.values())), failed)
    if output is not None:
        with files.write_atomically(output) as partial:
            partial.write_text(json.dumps(vars(report), indent=1) + "\n", encoding="utf-8")
    return report


def pairs(folder: str | os.PathLike) -> list[tuple[Path, Path]]:
    """The recordings of a folder and the folders in it, each with the file of notes beside it.

    NAME.wav goes with NAME.tsv, or else the next of `REFERENCE_SUFFIXES`; recordings without notes are left
    out.

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


def _mean(scores: list[Score]) -> Score | None:
    if not scores:
        return None
    return {
        measure: {name: fmean(one[measure][name] for one in scores) for name in scores[0][measure]}
        for measure in MEASURES
    }
