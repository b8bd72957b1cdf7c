"""Listening for labels: an audio file or an array, and a model -> what it is, over the whole and along time.

The windows are those of `ClipModel.windows`, taken from the recording while it is read: however it comes, in
blocks or whole, they are the same, and so are the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiocnn import audio, formats
from audiocnn import labels as labelling
from audiocnn.labels import Prediction
from audiocnn.models.clips import ClipModel, window_starts
from audiocnn.models.load import fused, load_clips

BATCH = 16  # windows in one run of the network
BLOCK_S = 10.0  # of a file that is read at once


@dataclass(frozen=True)
class Timeline:
    """The probabilities along time.

    Attributes:
        starts_s: where each window begins, (windows,) in seconds.
        window_s: how long it is; the whole recording where that is shorter.
        outputs: what the columns are: the labels and, with one of them, UNKNOWN.
        probabilities: (windows, outputs).
    """

    starts_s: np.ndarray
    window_s: float
    outputs: list[str]
    probabilities: np.ndarray

    @property
    def edges_s(self) -> np.ndarray:
        """Each window stands for what lies between two of these, (windows + 1,): what is nearest to it."""
        between_s = (self.starts_s[1:] + self.starts_s[:-1] + self.window_s) / 2
        return np.array([0.0, *between_s, self.starts_s[-1] + self.window_s])


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording in which the same labels are heard; none where it is unknown."""

    start_s: float
    end_s: float
    heard: list[Prediction]


@dataclass(frozen=True)
class Classification:
    """What a recording is.

    Attributes:
        multi_label: whether a recording may have several labels.
        threshold: with several, the probability from which one is heard.
        models: the names of what has listened.
        source: the audio file, where there is one.
    """

    multi_label: bool
    threshold: float
    timeline: Timeline
    duration_s: float
    models: list[str]
    source: Path | None = None

    @property
    def values(self) -> np.ndarray:
        """The probability of each of the timeline's outputs, over the whole: (outputs,)."""
        return labelling.average_windows(self.timeline.probabilities, self.multi_label)

    @property
    def labels(self) -> list[Prediction]:
        """All labels with their probabilities, the likeliest first."""
        return labelling.rank_labels(self.timeline.outputs, self.values)

    @property
    def unknown(self) -> bool:
        """Whether it is none of them."""
        return not self.heard

    @property
    def heard(self) -> list[Prediction]:
        """What there is to say: the likeliest label, or with several all likely ones; none if unknown."""
        return self._heard(self.values)

    @property
    def segments(self) -> list[Segment]:
        """What there is to say along time."""
        edges_s, rows = self.timeline.edges_s, self.timeline.probabilities
        segments = []
        for _, group in groupby(range(len(rows)), lambda i: {one.label for one in self._heard(rows[i])}):
            windows = list(group)
            start_s, end_s = float(edges_s[windows[0]]), float(edges_s[windows[-1] + 1])
            segments.append(Segment(start_s, end_s, self._heard(rows[windows].mean(axis=0))))
        return segments

    def _heard(self, values: np.ndarray) -> list[Prediction]:
        return labelling.predict_labels(self.timeline.outputs, values, self.multi_label, self.threshold)

    def to_json(self, path: str | Path) -> None:
        """Writes all that is known."""
        formats.LABEL_WRITERS["json"](self, path)

    def to_csv(self, path: str | Path) -> None:
        """Writes the probabilities along time, a window a line."""
        formats.LABEL_WRITERS["csv"](self, path)

    def to_png(self, path: str | Path) -> None:
        """Draws the probabilities along time under the spectrogram."""
        formats.LABEL_WRITERS["png"](self, path)


class StreamingClassifier:
    """The logits of a recording's windows, from samples that arrive in arrays of any size.

    Attributes:
        starts: the samples at which the windows heard so far begin.
        n_samples: how many samples have come.
    """

    def __init__(self, model: ClipModel) -> None:
        self.model = fused(model)
        self.starts: list[int] = []
        self.n_samples = 0
        self._samples = np.zeros(0, np.float32)  # those that are still needed
        self._logits: list[np.ndarray] = []

    @property
    def logits(self) -> np.ndarray:
        """Of the windows heard so far: (windows, outputs)."""
        return np.concatenate(self._logits)

    def push(self, samples: np.ndarray) -> None:
        """Takes more samples (samples,), and hears the windows that are whole, `BATCH` of them at a time."""
        self._samples = np.concatenate([self._samples, samples.astype(np.float32, copy=False)])
        self.n_samples += len(samples)
        n_window, hop = self.model.n_window, self.model.n_window // 2
        first = self.starts[-1] + hop if self.starts else 0
        whole = range(first, self.n_samples - n_window + 1, hop)
        for i in range(0, len(whole) // BATCH * BATCH, BATCH):
            self._hear([*whole[i : i + BATCH]])
        if self.starts:  # the last window of all may begin anywhere after the last one so far
            needed = self.n_samples - self.starts[-1]
            self._samples = self._samples[-needed:]

    def flush(self) -> None:
        """Hears the rest: no more samples come."""
        if self.n_samples < self.model.n_window:
            self._judge([0], list(self.model.windows(torch.from_numpy(self._samples))))
            return
        rest = window_starts(self.n_samples, self.model.n_window)[len(self.starts) :]
        for i in range(0, len(rest), BATCH):
            self._hear(rest[i : i + BATCH])

    def _hear(self, starts: list[int]) -> None:
        origin = self.n_samples - len(self._samples)
        samples = torch.from_numpy(self._samples)
        self._judge(starts, [samples[start - origin :][: self.model.n_window] for start in starts])

    def _judge(self, starts: list[int], windows: list[Tensor]) -> None:
        with torch.inference_mode():
            logits = self.model(torch.stack(windows).to(self.model.device))
        self.starts += starts
        self._logits.append(logits.float().cpu().numpy())


def classify(
    audio_file: str | Path | tuple[np.ndarray, int],
    model: str | Path | ClipModel | Sequence[str | Path | ClipModel] = "genre",
    *,
    device: str = "cpu",
    progress: Callable[[float], object] | None = None,
) -> Classification:
    """What an audio file is, or samples (samples,) or (channels, samples) with their rate in Hz.

    Args:
        model: name or file of a model, or one that `load` gave; of several models the mean is taken.
        progress: told the seconds heard so far, now and then.
    Raises: AudioError when the file cannot be read; ModelError when a model cannot, or is not for labels;
        ValueError when several models differ in their labels or windows.
    """
    given = [model] if isinstance(model, str | Path | ClipModel) else model
    models = [one if isinstance(one, ClipModel) else load_clips(one, device) for one in given]
    check_alike(models)
    first = models[0]
    listeners = [StreamingClassifier(one.to(device)) for one in models]
    for samples in audio.stream(audio_file, first.sample_rate, round(BLOCK_S * first.sample_rate)):
        for listener in listeners:
            listener.push(samples)
        if progress:
            progress(listeners[0].n_samples / first.sample_rate)
    duration_s = listeners[0].n_samples / first.sample_rate
    for listener in listeners:
        listener.flush()
    windows = np.mean(
        [
            labelling.compute_probabilities(listener.logits, one.temperature.item(), one.multi_label)
            for listener, one in zip(listeners, models, strict=True)
        ],
        axis=0,
    )
    starts_s = np.array(listeners[0].starts) / first.sample_rate
    return Classification(
        multi_label=first.multi_label,
        threshold=first.threshold,
        timeline=Timeline(starts_s, min(first.window_s, duration_s), first.outputs, windows),
        duration_s=duration_s,
        models=[one.name for one in models],
        source=None if isinstance(audio_file, tuple) else Path(audio_file),
    )


def check_alike(models: Sequence[ClipModel]) -> None:
    """Raises ValueError when models cannot answer together: they differ in their labels or windows."""
    if not models:
        raise ValueError("no model given, expected at least one")
    first = models[0]
    for other in models[1:]:
        for name in ("labels", "multi_label", "sample_rate", "window_s"):
            if getattr(other, name) != getattr(first, name):
                found, expected = getattr(other, name), getattr(first, name)
                raise ValueError(f"{name} of {other.name}: {found}, expected {expected} as of {first.name}")
