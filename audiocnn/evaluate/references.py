"""Recordings with their notes beside them -> the scores of a transcription.

NAME.wav goes with NAME.tsv, or else the next of `REFERENCE_SUFFIXES`. Notes that audiocnn transcribed are no
reference, wherever they lie and whatever they are called: their files say so.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np

from audiocnn import audio, files, formats, inputs, records
from audiocnn.evaluate.notes import MEASURES, MIN_LENGTH_S, Metrics, Score, score_notes
from audiocnn.formats import Annotation
from audiocnn.notes import Note

NOT_USED = "files of notes not used, for another stands beside the recording"
MIN_NOTES = 5  # by which a reference is known for the transcription itself,
SAME_S = 2e-3  # whose onsets differ by half a tick of a MIDI file; those of a real reference by 5 ms and more
REFERENCE_SUFFIXES = (".tsv", ".mid", ".midi", ".jams")  # in the order in which they are looked for


@dataclass(frozen=True)
class Pairs:
    """Recordings, and the files of notes beside them.

    Attributes:
        references: of each recording that has some, the files of notes in the order in which they are used.
        skipped: "recordings without notes beside them" and the like -> what is not evaluated.
        unreadable: what could not be searched.
    """

    references: dict[Path, list[Path]]
    skipped: dict[str, list[Path]] = field(default_factory=dict)
    unreadable: list[files.FileError] = field(default_factory=list)


@dataclass(frozen=True)
class NotesReport:
    """Result of `evaluate_notes`.

    Attributes:
        scores: of each recording, by its path in the folder; a measure is None where the reference does not
            hold what it needs.
        mean: over the recordings, each of the same weight; None where there is none.
        counts: of the recordings that have a measure and are in its mean.
        unreadable: path of each recording that could not be evaluated, folder that could not be searched, and
            output that could not be written, and why.
        skipped: "recordings without notes beside them" and the like -> paths of what is not evaluated.
    """

    scores: dict[str, Score]
    mean: Score | None
    counts: dict[str, int]
    unreadable: dict[str, str]
    skipped: dict[str, list[str]]


def evaluate_notes(
    folder: str | os.PathLike,
    transcribe: Callable[[Path], Iterable[Note]],
    output: str | os.PathLike | None = None,
    describe: Callable[[Exception], str] = repr,
) -> NotesReport:
    """Evaluate a transcription on each recording that has its notes beside it.

    A recording or a file of notes that cannot be read is reported, and the others are evaluated.

    Args:
        folder: folder with recordings and notes, see `find_pairs`; or one recording.
        transcribe: function from the path of a recording to its notes.
        output: JSON file to write the report to.
        describe: function from an error that is none of a file to a line.

    Returns:
        The report.

    Raises:
        files.FileError: there is no folder, no recording with notes, or `output` is no place for a file.
    """
    pairs = find_pairs(folder)
    if output is not None:
        read = [path for recording, paths in pairs.references.items() for path in (recording, *paths)]
        files.check_writable(output, files.identify(read))
    base = Path(folder) if Path(folder).is_dir() else Path(folder).parent
    scores: dict[str, Score] = {}
    unreadable = {_name(Path(error.path), base): str(error) for error in pairs.unreadable}
    skipped = {reason: list(paths) for reason, paths in pairs.skipped.items()}
    for recording, references in pairs.references.items():
        name = _name(recording, base)
        try:
            used, annotation = read_reference(references)
            others = [path for path in references if path != used]
            skipped.setdefault(NOT_USED, []).extend(others)
            estimate = list(transcribe(recording))
            scores[name] = score_notes(annotation.notes, estimate, annotation.has_velocities)
            files.warn(used, _compare(recording, annotation.notes, estimate))
        except files.FileError as error:
            unreadable[name] = str(error)
        except Exception as error:
            unreadable[name] = f"{recording}: {describe(error)}"
    named = {reason: [_name(path, base) for path in paths] for reason, paths in skipped.items() if paths}
    report = NotesReport(scores, *_average(list(scores.values())), unreadable, named)
    if output is not None:
        _write(report, output)
    return report


def _write(report: NotesReport, output: str | os.PathLike) -> None:
    """Write a report; where that fails, say so in it, for the scores are there all the same."""
    text = json.dumps(asdict(report), indent=1, allow_nan=False) + "\n"
    try:
        with files.write_atomically(output) as partial:
            partial.write_text(text, encoding="utf-8")
    except files.FileError as error:
        report.unreadable[str(output)] = str(error)


def read_reference(references: list[Path]) -> tuple[Path, Annotation]:
    """Read the first of the files of notes of a recording that was not transcribed.

    Args:
        references: files of notes, one at least.

    Returns:
        The file that is used, and what it holds.

    Raises:
        files.FileError: a file before it cannot be read, or all were transcribed.
    """
    refusals = []
    for path in references:
        annotation = formats.read_annotation(path)
        by = annotation.transcribed_by or "audiocnn wrote it, by the record beside it" * _is_ours(path)
        if not by:
            _report_oddities(path, annotation)
            return path, annotation
        refusals.append(files.FileError(path, f"is no reference: {by}"))
    raise refusals[0]


def _is_ours(path: Path) -> bool:
    """Say whether a file is as audiocnn wrote it."""
    state, record = records.inspect(path)
    return record is not None and state == "whole"


def _compare(recording: Path, reference: list[Note], estimate: list[Note]) -> Iterator[str]:
    """Yield a remark on what of a reference does not go with its recording, or goes too well."""
    end_s = audio.read_duration_s(recording)
    if n_late := sum(note.onset_s > end_s > 0 for note in reference):
        yield f"{n_late} of its {len(reference)} notes begin after the end of the recording, at {end_s:.1f} s"
    if _is_same(reference, estimate):
        yield "its notes begin to the millisecond as the model's do: was it transcribed?"


def _is_same(reference: list[Note], estimate: list[Note]) -> bool:
    """Say whether a reference seems to be the transcription itself, from which a program removed its mark."""
    if not MIN_NOTES <= len(reference) == len(estimate):
        return False
    here, there = ([(note.midi, note.onset_s) for note in notes] for notes in (reference, estimate))
    return np.allclose(sorted(here), sorted(there), rtol=0, atol=SAME_S)


def _report_oddities(path: Path, annotation: Annotation) -> None:
    n_short = sum(note.onset_s == note.offset_s for note in annotation.notes)
    remarks = (
        [f"{n_short} notes without a length are taken for {MIN_LENGTH_S * 1000:g} ms"] if n_short else []
    )
    files.warn(path, remarks if annotation.notes else ["holds no notes: its scores are 0"])


def find_pairs(folder: str | os.PathLike) -> Pairs:
    """Find the recordings in a folder and its subfolders that have a file of notes beside them.

    Args:
        folder: folder to search, or one recording.

    Returns:
        The recordings with their files of notes, and what is not evaluated.

    Raises:
        files.FileError: there is none.
    """
    found = audio.find_recordings(folder)
    found.n_others = 0  # references are among them
    files.warn(folder, filter(None, [found.describe_skipped()]))
    listed: dict[Path, dict[str, list[Path]]] = {}
    for parent in {recording.parent for recording in found}:
        listed[parent] = _list_references(parent)
    beside = {recording: listed[recording.parent].get(recording.stem, []) for recording in found}
    references = {recording: paths for recording, paths in beside.items() if paths}
    if not references:
        raise files.FileError(folder, f"no recording with notes beside it ({', '.join(REFERENCE_SUFFIXES)})")
    skipped = {
        "recordings without notes beside them": [one for one in found if not beside[one]],
        "files of notes without a recording beside them": _find_lonely(folder, references),
    }
    return Pairs(references, skipped, found.unreadable)


def _list_references(folder: Path) -> dict[str, list[Path]]:
    """Return the files of notes in a folder by the names that they share with recordings."""
    listed = sorted(folder.iterdir(), key=lambda path: (_rank(path), path.name))
    named: dict[str, list[Path]] = {}
    for path in listed:
        if _rank(path) < len(REFERENCE_SUFFIXES) and not path.name.startswith(".") and path.is_file():
            named.setdefault(path.stem, []).append(path)
    return named


def _rank(path: Path) -> int:
    """Return the place of a file's suffix among those of references; behind them, where it is none."""
    suffix = path.suffix.lower()
    return REFERENCE_SUFFIXES.index(suffix) if suffix in REFERENCE_SUFFIXES else len(REFERENCE_SUFFIXES)


def _find_lonely(folder: str | os.PathLike, references: dict[Path, list[Path]]) -> list[Path]:
    """Return the files of notes of a folder that belong to no recording; not those that audiocnn wrote."""
    if not Path(folder).is_dir():
        return []
    try:
        found = inputs.find_files(folder, REFERENCE_SUFFIXES, "notes")
    except files.FileError:  # all of them are results of audiocnn
        return []
    paired = {path for paths in references.values() for path in paths}
    return [path for path in found if path not in paired]


def _name(path: Path, base: Path) -> str:
    """Return a path as it is named in a report."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _average(scores: list[Score]) -> tuple[Score | None, dict[str, int]]:
    """Return the mean of scores, and how many have each measure."""
    having = {name: [some for one in scores if (some := one[name]) is not None] for name in MEASURES}
    mean = {name: _average_measure(some) for name, some in having.items()}
    return mean if scores else None, {name: len(some) for name, some in having.items()}


def _average_measure(some: list[Metrics]) -> Metrics | None:
    return {name: fmean(one[name] for one in some) for name in some[0]} if some else None
