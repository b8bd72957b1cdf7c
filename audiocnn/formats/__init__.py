"""Notes <-> files, labels -> files: one table of formats behind `read_notes`, `write_notes`, `write_labels`.

Place in the flow: the last step, notes -> MIDI, CSV, JSON, JAMS, a piano roll, sound, and raw scores -> NPZ;
and the first one of an evaluation, a file of reference notes -> notes. Times are seconds from the start of
the recording. A file stands whole at its path or not at all.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audiocnn import files
from audiocnn.formats import labels
from audiocnn.formats import tempo as tempo_grid
from audiocnn.formats.annotation import MARK, Annotation, find_mark
from audiocnn.formats.arrays import write_npz
from audiocnn.formats.documents import read_jams, read_json, write_jams, write_json
from audiocnn.formats.piano_roll import write_piano_roll
from audiocnn.formats.sound import write_wav
from audiocnn.formats.tables import read_table, write_csv
from audiocnn.formats.tempo import DEFAULT_TEMPO, estimate_tempo, find_tempo, quantise
from audiocnn.midi import read_midi, read_texts, write_midi
from audiocnn.notes import Note, sort_notes

__all__ = [
    "DEFAULT_TEMPO",
    "FORMATS",
    "LABEL_FORMATS",
    "NOTE_FORMATS",
    "Annotation",
    "create_writer",
    "estimate_tempo",
    "find_tempo",
    "quantise",
    "read_annotation",
    "read_notes",
    "write_csv",
    "write_jams",
    "write_json",
    "write_labels",
    "write_midi",
    "write_notes",
    "write_npz",
    "write_piano_roll",
    "write_wav",
]


@dataclass(frozen=True)
class Format:
    """What can be done with files of one suffix; None where it cannot.

    Args:
        read_notes: path -> what the file holds.
        write_notes: transcription, path and options of MIDI files -> a file.
        write_labels: classification, path -> a file.
    """

    read_notes: Callable[[Path], Annotation] | None = None
    write_notes: Callable[..., None] | None = None
    write_labels: Callable[[Any, str | os.PathLike], None] | None = None


def _read_midi(path: Path) -> Annotation:
    return Annotation(read_midi(path), transcribed_by=find_mark(read_texts(path)))


def _write_midi(
    made: Any,
    path: str | os.PathLike,
    *,
    tempo: float | None = None,
    quantise: bool = False,
    pitch_bend: bool = False,
) -> None:
    tempo = estimate_tempo(made.notes) if tempo is None else tempo
    notes = tempo_grid.quantise(made.notes, tempo) if quantise else made.notes
    write_midi(notes, path, tempo, pitch_bend, MARK)


# A format is a row here: the command line offers what `NOTE_FORMATS` and `LABEL_FORMATS` list.
FORMATS = {
    "mid": Format(_read_midi, _write_midi),
    "midi": Format(_read_midi),
    "tsv": Format(read_table),
    "csv": Format(read_table, lambda made, path, **_: write_csv(made.notes, path), labels.write_csv),
    "txt": Format(read_table),
    "json": Format(read_json, lambda made, path, **_: write_json(made.notes, path, MARK), labels.write_json),
    "jams": Format(read_jams, lambda made, path, **_: write_jams(made.notes, path, made.duration_s, MARK)),
    "npz": Format(write_notes=lambda made, path, **_: write_npz(_scores(made, path), path, made.frame_s)),
    "png": Format(
        write_notes=lambda made, path, **_: write_piano_roll(made.notes, _source(made, path), path),
        write_labels=labels.write_plot,
    ),
    "wav": Format(write_notes=lambda made, path, **_: write_wav(_as_tuned(made), _source(made, path), path)),
}
NOTE_FORMATS = [name for name, format in FORMATS.items() if format.write_notes]
LABEL_FORMATS = [name for name, format in FORMATS.items() if format.write_labels]
METHOD_DOC = """{summary}

Args:
    path: file to write.

Raises:
    files.FileError: as by `formats.{write}`.
"""


def read_notes(path: str | os.PathLike) -> list[Note]:
    """Read the notes of a file, in the format of its suffix.

    Args:
        path: a file of one of the `FORMATS` that can be read.

    Returns:
        The notes by onset, then pitch.

    Raises:
        files.FileError: another suffix, a file that is missing or damaged, or a note that cannot be.
    """
    return read_annotation(path).notes


def read_annotation(path: str | os.PathLike) -> Annotation:
    """Read the notes of a file, in the format of its suffix, and what else it says of them.

    Args:
        path: a file of one of the `FORMATS` that can be read.

    Returns:
        The notes by onset, then pitch; whether they have velocities, and whether they were transcribed.

    Raises:
        files.FileError: another suffix, a file that is missing or damaged, or a note that cannot be.
    """
    path = Path(path)
    format = FORMATS.get(path.suffix[1:].lower(), Format())
    if format.read_notes is None:
        readable = " ".join(f".{name}" for name, format in FORMATS.items() if format.read_notes)
        raise files.FileError(path, f"not a format of notes, expected one of {readable}")
    try:
        annotation = format.read_notes(path)
    except (files.FileError, files.FileWarning, MemoryError):
        raise
    # What a damaged file does to a parser cannot be foreseen; whatever it is, this file is the reason.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise files.FileError(path, f"not readable as {path.suffix.lower()}: {reason}") from error
    return replace(annotation, notes=sort_notes(annotation.notes))


def write_notes(
    transcription: Any, path: str | os.PathLike, format: str | None = None, **midi_options: Any
) -> None:
    """Write a transcription.

    Args:
        transcription: has `notes`, `source`, `duration_s`, `frame_s`, `scores` and `tuning_cents`, as
            `inference.transcribe.Transcription`.
        path: file to write.
        format: one of `NOTE_FORMATS`; the suffix of the path when None.
        midi_options: of MIDI files, which other formats ignore: `tempo` in quarters a minute, estimated from
            the notes when None; `quantise`, whether to move them to its sixteenths; `pitch_bend`, whether to
            write bends.

    Raises:
        ValueError: a note cannot be, or the tempo is out of range.
        files.FileError: no such format, the file cannot be written, or the transcription does not hold what
            the format needs: raw scores that are finite, or the recording.
    """
    _writer("write_notes", NOTE_FORMATS, path, format)(transcription, path, **midi_options)


def write_labels(classification: Any, path: str | os.PathLike, format: str | None = None) -> None:
    """Write a classification.

    Args:
        classification: as `inference.classify.Classification`, or `inference.images.ImageClassification`.
        path: file to write.
        format: one of `LABEL_FORMATS`; the suffix of the path when None.

    Raises:
        files.FileError: no such format, the file cannot be written, a plot's recording or image is not known,
            or a probability is not finite.
    """
    write = _writer("write_labels", LABEL_FORMATS, path, format)
    shown = classification if classification.timeline is None else classification.timeline
    if not np.isfinite(shown.probabilities).all():
        raise files.FileError(path, "is not written: there are probabilities that are not finite")
    write(classification, path)


def create_writer(
    write: Callable[[Any, str | os.PathLike, str], None], format: str, summary: str
) -> Callable[[Any, str | os.PathLike], None]:
    """Create the method of a result that writes it in one format, such as `to_csv`.

    Args:
        write: `write_notes` or `write_labels`.
        format: one of `FORMATS`.
        summary: first line of the method's docstring.

    Returns:
        The method: it takes the file to write.
    """

    def method(self: Any, path: str | os.PathLike) -> None:
        write(self, path, format)

    method.__name__ = f"to_{format}"
    method.__doc__ = METHOD_DOC.format(summary=summary, write=write.__name__)
    return method


def _writer(kind: str, names: list[str], path: str | os.PathLike, format: str | None) -> Callable[..., None]:
    format = format or Path(path).suffix[1:].lower()
    if format not in names:
        raise files.FileError(path, f"format is {format or 'missing'}, expected one of {' '.join(names)}")
    return getattr(FORMATS[format], kind)


def _scores(transcription: Any, path: str | os.PathLike) -> Any:
    if not transcription.scores:
        raise files.FileError(path, "needs the raw scores, which this transcription does not hold")
    if not all(np.isfinite(score).all() for score in transcription.scores.values()):
        raise files.FileError(path, "is not written: there are scores that are not finite")
    return transcription.scores


def _as_tuned(transcription: Any) -> list[Note]:
    """Return the notes with their bends from 440 Hz instead of the tuning, to sound with the recording."""
    notes, tuning = transcription.notes, transcription.tuning_cents / 100
    if not tuning:
        return notes
    return [replace(note, bend=tuple(tuning + bend for bend in note.bend or (0.0,))) for note in notes]


def _source(transcription: Any, path: str | os.PathLike) -> Path:
    if transcription.source is None:
        raise files.FileError(path, "needs the recording, which this transcription does not hold")
    return transcription.source
