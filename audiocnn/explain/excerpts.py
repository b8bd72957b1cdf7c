"""The excerpts of a recording that are explained: a window for each label, or the onset of a note."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiocnn import files
from audiocnn.explain.network import Target, get_layer, strip_front_end
from audiocnn.inference.classify import classify
from audiocnn.inference.transcribe import transcribe
from audiocnn.labels import format_predictions
from audiocnn.models.base import BaseModel, Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.image import ImageModel
from audiocnn.models.notes import NotesModel
from audiocnn.notes import LOWEST_MIDI, Note
from audiocnn.ranges import COUNT, NOT_NEGATIVE, ArgumentError, Range, check_fields

MAX_LISTED = 40  # labels in a message
NOTE_FRAMES = 16  # before and after a note's onset


@dataclass(frozen=True, kw_only=True)
class ExplanationOptions:
    """Options of what is explained of a recording or an image.

    Args:
        labels: labels to explain; none stands for the most probable ones.
        top: number of the most probable labels that are explained.
        time_s: time to explain, in seconds; None for that of each label's highest probability, or of the
            loudest note.
        midi: pitch of the note to explain, as a MIDI note number; None for any.
        layer: layer at which class activation maps and Grad-CAM are computed.

    Raises:
        ArgumentError: a number is out of its range.
    """

    labels: Sequence[str] = ()
    top: int = 3
    time_s: float | None = None
    midi: int | None = None
    layer: str = "backbone"

    def __post_init__(self) -> None:
        check_fields(self, top=COUNT, time_s=NOT_NEGATIVE, midi=Range(0, 127))

    def check(self, model: BaseModel) -> None:
        """Check that a model has these labels, notes, time and layer.

        Args:
            model: model to explain.

        Raises:
            ArgumentError: it has not.
        """
        known = model.outputs if isinstance(model, ClipModel | ImageModel) else []
        for label in self.labels:
            if label not in known:
                expected = _list_labels(known, label) if known else f"none: {model.name} transcribes notes"
                raise ArgumentError(f"label is {label!r}, expected {expected}")
        if self.time_s is not None and isinstance(model, ImageModel):
            raise ArgumentError(f"time is {self.time_s:g}, expected none: {model.name} is for images")
        if self.midi is not None and not isinstance(model, NotesModel):
            raise ArgumentError(f"note is {self.midi}, expected none: {model.name} predicts labels")
        get_layer(strip_front_end(model), self.layer)


def _list_labels(known: Sequence[str], label: str) -> str:
    """Say which labels there are: all of them, or of many those that look like one."""
    if len(known) <= MAX_LISTED:
        return f"one of {', '.join(known)}"
    near = difflib.get_close_matches(label, known) or known[:3]
    return f"one of {len(known)} labels, such as {', '.join(near)}"


@dataclass(frozen=True)
class Excerpt:
    """An excerpt of a recording as the network receives it, and the score that is explained.

    Attributes:
        target: the score that is explained.
        name: name of the target.
        title: title of the excerpt, with its probability and time.
        waveform: (samples,).
        spectrogram: with a batch axis of 1.
        start_s: where the excerpt begins in the recording, in seconds.
    """

    target: Target
    name: str
    title: str
    waveform: Tensor
    spectrogram: Tensor
    start_s: float


def select_windows(
    source: Path, model: ClipModel, waveform: Tensor, options: ExplanationOptions
) -> tuple[str, list[Excerpt]]:
    """Select a window for each label: the one where it is most probable, or the nearest to a time.

    Args:
        source: audio file.
        model: model that predicts labels.
        waveform: of the audio file, (samples,).
        options: labels and time.

    Returns:
        What is predicted for the recording, as text, and the excerpts.
    """
    result = classify(source, model, device=str(model.device))
    timeline = result.timeline
    windows = model.split_windows(waveform)
    middles_s = timeline.starts_s + timeline.window_s / 2
    excerpts = []
    for label in dict.fromkeys(options.labels) or [one.label for one in result.ranked_labels[: options.top]]:
        column = model.outputs.index(label)
        probabilities = timeline.probabilities[:, column]
        nearest = probabilities if options.time_s is None else -np.abs(middles_s - options.time_s)
        number = int(nearest.argmax())
        start_s = float(timeline.starts_s[number])
        title = f"{label}, {100 * probabilities[number]:.0f} % from {start_s:.1f} s on"
        spectrogram = compute_spectrogram(model, windows[number])
        excerpts.append(Excerpt(column, label, title, windows[number], spectrogram, start_s))
    return format_predictions(result.predictions), excerpts


def select_note(
    source: Path, model: NotesModel, waveform: Tensor, options: ExplanationOptions
) -> tuple[str, list[Excerpt]]:
    """Select the frames around the onset of a note.

    Args:
        source: audio file.
        model: model that transcribes notes.
        waveform: of the audio file, (samples,).
        options: pitch and time.

    Returns:
        The number of notes in the recording, as text, and the excerpt.

    Raises:
        files.FileError: no such note is transcribed.
    """
    # What is explained are the network's scores of the recording as it is, not of it brought to 440 Hz.
    notes = transcribe(source, model, device=str(model.device), tuning=0).notes
    note = choose_note(notes, options.time_s, options.midi)
    if note is None:
        asked = "note" if options.midi is None else f"note {options.midi}"
        raise files.FileError(source, f"no {asked} is transcribed that could be explained")
    hop = model.front_end.hop_length
    grid = model.backbone.time_grid
    frame = round(note.onset_s / model.front_end.frame_s)
    first = max(frame - NOTE_FRAMES, 0) // grid * grid
    spectrogram = compute_spectrogram(model, waveform)[..., first : frame + NOTE_FRAMES]
    samples = waveform[first * hop : (frame + NOTE_FRAMES) * hop]
    target = 0, note.midi - LOWEST_MIDI, (frame - first) // model.backbone.time_stride
    title = f"note {note.midi} at {note.onset_s:.2f} s, {100 * note.confidence:.0f} %"
    start_s = first * model.front_end.frame_s
    return f"{len(notes)} notes", [Excerpt(target, f"note {note.midi}", title, samples, spectrogram, start_s)]


def choose_note(notes: Sequence[Note], time_s: float | None, midi: int | None) -> Note | None:
    """Choose a note of a pitch: the one nearest to a time or, without a time, the loudest.

    Args:
        notes: notes of a recording.
        time_s: time in seconds.
        midi: MIDI note number; None for any.

    Returns:
        The note, or None where there is none.
    """
    candidates = [note for note in notes if midi in (None, note.midi)]
    if time_s is None:
        return max(candidates, key=lambda note: (note.velocity, note.confidence), default=None)
    return min(candidates, key=lambda note: abs(note.onset_s - time_s), default=None)


def compute_spectrogram(model: Model, waveform: Tensor) -> Tensor:
    """Compute a model's spectrogram of a waveform, with a batch axis of 1.

    Args:
        model: model with a front end.
        waveform: (samples,).
    """
    with torch.no_grad():
        return model.spectrogram(waveform[None].to(model.device))
