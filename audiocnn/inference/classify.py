"""Classification: sound or an image, and a model -> labels; those of sound also over time.

The windows are those of `ClipModel.split_windows`, taken from the recording while it is read: in chunks of
any size or whole, they are the same, and so are the predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from audiocnn import audio
from audiocnn.formats import create_writer, write_labels
from audiocnn.images import Image
from audiocnn.inference.images import ImageClassification, classify_image
from audiocnn.labels import (
    Prediction,
    average_windows,
    compute_probabilities,
    predict_labels,
    rank_labels,
)
from audiocnn.models.base import BaseModel
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError
from audiocnn.models.image import ImageModel
from audiocnn.models.load import describe_other, fuse_model, load
from audiocnn.ranges import ArgumentError

BATCH_SIZE = 16  # windows in one run of the network
BLOCK_S = 10.0  # of a recording that is read at once


@dataclass(frozen=True)
class Timeline:
    """The probabilities over time.

    Args:
        starts_s: where each window begins, in seconds, (windows,).
        window_s: length of a window in seconds; the whole recording where that is shorter.
        outputs: names of the columns: the labels and, unless multi-label, UNKNOWN.
        probabilities: of the windows, calibrated, (windows, outputs).
    """

    starts_s: np.ndarray
    window_s: float
    outputs: list[str]
    probabilities: np.ndarray

    @property
    def edges_s(self) -> np.ndarray:
        """The times between which each window is the nearest, in seconds, (windows + 1,)."""
        between_s = (self.starts_s[1:] + self.starts_s[:-1] + self.window_s) / 2
        return np.array([0.0, *between_s, self.starts_s[-1] + self.window_s])


@dataclass(frozen=True)
class Segment:
    """An excerpt of a recording with the same predicted labels.

    Args:
        start_s: its beginning in seconds.
        end_s: its end in seconds.
        predictions: the most probable first; none where it is unknown.
    """

    start_s: float
    end_s: float
    predictions: list[Prediction]


@dataclass(frozen=True)
class Classification:
    """The labels of a recording, with what is needed to write them down.

    Args:
        multi_label: whether a recording may have several labels.
        threshold: if multi-label, minimum probability of a predicted label.
        timeline: the probabilities over time.
        duration_s: length of the recording in seconds.
        models: names of the models.
        source: the audio file; None for an array.
    """

    multi_label: bool
    threshold: float
    timeline: Timeline
    duration_s: float
    models: list[str]
    source: Path | None = None

    @property
    def probabilities(self) -> np.ndarray:
        """The probability of each of the timeline's outputs for the whole recording, (outputs,)."""
        return average_windows(self.timeline.probabilities, self.multi_label)

    @property
    def ranked_labels(self) -> list[Prediction]:
        """All labels with their probabilities, the most probable first."""
        return rank_labels(self.timeline.outputs, self.probabilities)

    @property
    def predictions(self) -> list[Prediction]:
        """The most probable label or, if multi-label, all that reach the threshold; none if unknown."""
        return self._predict(self.probabilities)

    @property
    def is_unknown(self) -> bool:
        """Whether no label is predicted."""
        return not self.predictions

    @property
    def segments(self) -> list[Segment]:
        """The predictions over time: neighbouring windows with the same labels are one segment."""
        edges_s, rows = self.timeline.edges_s, self.timeline.probabilities
        segments = []
        for _, group in groupby(range(len(rows)), lambda i: {one.label for one in self._predict(rows[i])}):
            windows = list(group)
            start_s, end_s = float(edges_s[windows[0]]), float(edges_s[windows[-1] + 1])
            segments.append(Segment(start_s, end_s, self._predict(rows[windows].mean(axis=0))))
        return segments

    def _predict(self, probabilities: np.ndarray) -> list[Prediction]:
        return predict_labels(self.timeline.outputs, probabilities, self.multi_label, self.threshold)

    to_json = create_writer(write_labels, "json", "Write every field.")
    to_csv = create_writer(write_labels, "csv", "Write the probabilities over time, a window a line.")
    to_png = create_writer(write_labels, "png", "Plot the probabilities over time under the spectrogram.")


class StreamingClassifier:
    """The logits of a recording's windows, from samples that arrive in chunks of any size.

    Args:
        model: samples must have its sample rate.

    Attributes:
        starts: the samples at which the windows so far begin.
        n_samples: number of samples pushed so far.
    """

    def __init__(self, model: ClipModel) -> None:
        self.model = fuse_model(model)
        self.starts: list[int] = []
        self.n_samples = 0
        self._samples = np.zeros(0, np.float32)  # those that are still needed
        self._logits: list[np.ndarray] = []

    @property
    def logits(self) -> np.ndarray:
        """The logits of the windows so far, (windows, outputs)."""
        return np.concatenate(self._logits)

    def push(self, samples: np.ndarray) -> None:
        """Add samples, and run the network on the complete windows, `BATCH_SIZE` of them at a time.

        Args:
            samples: the next ones, (samples,).
        """
        self._samples = np.concatenate([self._samples, samples.astype(np.float32, copy=False)])
        self.n_samples += len(samples)
        first = self.starts[-1] + self.model.hop if self.starts else 0
        complete = range(first, self.n_samples - self.model.n_window + 1, self.model.hop)
        for i in range(0, len(complete) // BATCH_SIZE * BATCH_SIZE, BATCH_SIZE):
            self._run_at([*complete[i : i + BATCH_SIZE]])
        if self.starts:  # the last window of all may begin anywhere after the last one so far
            needed = self.n_samples - self.starts[-1]
            self._samples = self._samples[-needed:]

    def flush(self) -> None:
        """Run the network on the remaining windows, and end the stream.

        No samples may be pushed afterwards; `starts`, `n_samples` and `logits` are those of the whole
        recording.
        """
        if self.n_samples < self.model.n_window:
            self._run([0], list(self.model.split_windows(torch.from_numpy(self._samples))))
            return
        rest = self.model.find_window_starts(self.n_samples)[len(self.starts) :]
        for i in range(0, len(rest), BATCH_SIZE):
            self._run_at(rest[i : i + BATCH_SIZE])

    def _run_at(self, starts: list[int]) -> None:
        origin = self.n_samples - len(self._samples)
        samples = torch.from_numpy(self._samples)
        self._run(starts, [samples[start - origin :][: self.model.n_window] for start in starts])

    def _run(self, starts: list[int], windows: list[Tensor]) -> None:
        with torch.inference_mode():
            logits = self.model(torch.stack(windows).to(self.model.device))
        self.starts += starts
        self._logits.append(logits.float().cpu().numpy())


Sound = str | Path | tuple[np.ndarray, int]


@overload
def classify(
    source: Sound,
    model: ClipModel | Sequence[ClipModel],
    *,
    device: str = "cpu",
    progress: Callable[[float], object] | None = None,
) -> Classification: ...


@overload
def classify(
    source: str | Path | Image,
    model: ImageModel | Sequence[ImageModel],
    *,
    device: str = "cpu",
    progress: Callable[[float], object] | None = None,
) -> ImageClassification: ...


@overload
def classify(
    source: Sound | Image,
    model: str | Path | Sequence[str | Path | ClipModel | ImageModel] = "genre",
    *,
    device: str = "cpu",
    progress: Callable[[float], object] | None = None,
) -> Any: ...


def classify(
    source: Sound | Image,
    model: str | Path | BaseModel | Sequence[str | Path | BaseModel] = "genre",
    *,
    device: str = "cpu",
    progress: Callable[[float], object] | None = None,
) -> Classification | ImageClassification:
    """Classify a recording, its genre or the instruments in it; or an image; or by your own model.

    Args:
        source: an audio file; or samples, (samples,) or (channels, samples), and their sample rate in Hz; for
            a model of images an image file, or an image in memory.
        model: name or file of a model, or one that `load` returned, such as genre, or efficientnet_lite0 for
            photographs; of several models the probabilities are averaged.
        device: device to run the network on, such as `cpu` or `cuda`.
        progress: called now and then with the seconds of sound read so far.

    Returns:
        The labels of the whole recording and over time; of an image an `ImageClassification`.

    Raises:
        FileError: the file cannot be read: of sound an `audio.AudioError`; or a model's package is missing.
        models.file.ModelError: a model cannot be read, or does not predict labels.
        ArgumentError: several models differ in their labels or windows.

    Example:
        >>> import audiocnn
        >>> result = audiocnn.classify("data/examples/menuet_piano.flac", "instrument")
        >>> [prediction.label for prediction in result.predictions]
        ['piano']
    """
    models = [_load(one, device) for one in ([model] if isinstance(model, str | Path | BaseModel) else model)]
    of_images = [one for one in models if isinstance(one, ImageModel)]
    of_sound = [one for one in models if isinstance(one, ClipModel)]
    if of_images and of_sound:
        raise ArgumentError(
            f"{of_images[0].name} is of images, expected a model of sound as {of_sound[0].name}"
        )
    if of_images:
        assert not isinstance(source, tuple)
        return classify_image(source, [one.to(device) for one in of_images])
    assert not isinstance(source, Image)
    return _classify_sound(source, of_sound, device, progress)


def _load(model: str | Path | BaseModel, device: str) -> BaseModel:
    """Load a model that predicts labels, if it is not loaded already."""
    loaded = model if isinstance(model, BaseModel) else load(model, device)
    if not isinstance(loaded, ClipModel | ImageModel):
        raise ModelError(loaded.name, describe_other(loaded, ClipModel))
    return loaded


def _classify_sound(
    sound: Sound, models: Sequence[ClipModel], device: str, progress: Callable[[float], object] | None
) -> Classification:
    check_compatible(models)
    first = models[0]
    streams = [StreamingClassifier(one.to(device)) for one in models]
    for samples in audio.stream(sound, first.sample_rate, round(BLOCK_S * first.sample_rate)):
        for stream in streams:
            stream.push(samples)
        if progress:
            progress(streams[0].n_samples / first.sample_rate)
    for stream in streams:
        stream.flush()
    duration_s = streams[0].n_samples / first.sample_rate
    starts_s = np.array(streams[0].starts) / first.sample_rate
    timeline = Timeline(starts_s, min(first.window_s, duration_s), first.outputs, _average(streams))
    return Classification(
        multi_label=first.multi_label,
        threshold=first.threshold,
        timeline=timeline,
        duration_s=duration_s,
        models=[one.name for one in models],
        source=None if isinstance(sound, tuple) else Path(sound),
    )


def _average(streams: Sequence[StreamingClassifier]) -> np.ndarray:
    """Average the probabilities of several models, (windows, outputs)."""
    probabilities = [
        compute_probabilities(one.logits, one.model.temperature.item(), one.model.multi_label)
        for one in streams
    ]
    return np.mean(probabilities, axis=0)


def check_compatible(models: Sequence[ClipModel]) -> None:
    """Check that the probabilities of models can be averaged.

    Args:
        models: at least one.

    Raises:
        ArgumentError: there is none, or they differ in their labels, sample rate or windows.
    """
    if not models:
        raise ArgumentError("no model given, expected at least one")
    first = models[0]
    for other in models[1:]:
        for name in ("labels", "multi_label", "sample_rate", "window_s"):
            if getattr(other, name) != getattr(first, name):
                found, expected = getattr(other, name), getattr(first, name)
                raise ArgumentError(
                    f"{name} of {other.name}: {found}, expected {expected} as of {first.name}"
                )
