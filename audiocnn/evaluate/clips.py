"""Clips with reference labels and models -> a report on what the models predict for them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiocnn import audio, files
from audiocnn.datasets.clips.sources import Clip
from audiocnn.evaluate.predictions import Predictions, collect_predictions
from audiocnn.inference.classify import classify
from audiocnn.models.clips import ClipModel
from audiocnn.ranges import ArgumentError


@dataclass(frozen=True)
class ClipReport:
    """Result of `evaluate_clips`.

    Attributes:
        models: names of the models.
        clips: predictions for the clips.
        recordings: predictions for recordings, whose clips share a group, or else a file; None where each
            clip is a recording.
        unreadable: each file that could not be read, or clip that could not be predicted, and why.
    """

    models: list[str]
    clips: Predictions
    recordings: Predictions | None
    unreadable: dict[str, str]

    @property
    def parts(self) -> dict[str, Predictions]:
        """The clips and, where there are any, the recordings, by these names."""
        return {"clips": self.clips} | ({"recordings": self.recordings} if self.recordings else {})


def evaluate_clips(
    clips: Sequence[Clip],
    models: Sequence[ClipModel],
    folder: str | Path = "",
    device: str = "cpu",
    progress: Callable[[Path], object] | None = None,
    describe: Callable[[Exception], str] = repr,
) -> ClipReport:
    """Evaluate the mean of models' probabilities on clips whose labels are known.

    A file that cannot be read, or clip that fails, is reported, and the others are evaluated.

    Args:
        clips: clips with reference labels.
        models: models of the same labels and sample rate.
        folder: paths in the report are relative to it.
        device: device that the models run on, such as cpu or cuda.
        progress: called with each file before it is read.
        describe: unexpected error -> what is reported of it.

    Returns:
        The report.

    Raises:
        files.FileError: no file can be read.
        ArgumentError: a clip has a label that the models lack.
    """
    first = models[0]
    _check_labels(clips, first)
    probabilities: dict[Clip, np.ndarray] = {}
    unreadable = {}
    for path, of_file in _group(clips, lambda clip: clip.path).items():
        if progress:
            progress(path)
        try:
            waveform = audio.load(path, first.sample_rate)
        except Exception as error:  # of a decoder
            unreadable[_relative(path, folder)] = _describe(path, error, describe)
            continue
        for clip in of_file:
            try:
                probabilities[clip] = _classify(clip, waveform, models, device)
            except Exception as error:  # of a network: no clip costs the others their results
                unreadable[_name_clip(clip, folder)] = _describe(path, error, describe)
    if not probabilities:
        reason = next(iter(unreadable.values()), "there is none")
        raise files.FileError(folder, f"no file could be read; {reason}")
    named = collect_predictions(
        [_name_clip(clip, folder) for clip in probabilities],
        [clip.labels for clip in probabilities],
        list(probabilities.values()),
        first,
    )
    recordings = _average_recordings(probabilities, first, folder)
    return ClipReport([model.name for model in models], named, recordings, unreadable)


def _check_labels(clips: Sequence[Clip], model: ClipModel) -> None:
    counts = Counter(label for clip in clips for label in clip.labels if label not in model.labels)
    if counts:
        foreign = ", ".join(f"{label} ({count})" for label, count in sorted(counts.items()))
        raise ArgumentError(
            f"clips have labels that the model lacks: {foreign}, expected {', '.join(model.labels)}"
        )


def _describe(path: Path, error: Exception, describe: Callable[[Exception], str]) -> str:
    return str(error if isinstance(error, files.FileError) else files.FileError(path, describe(error)))


def _average_recordings(
    probabilities: dict[Clip, np.ndarray], model: ClipModel, folder: str | Path
) -> Predictions | None:
    """Average the probabilities of each recording's clips.

    Clips of one recording with different labels have no label in common, and count as different recordings.
    """
    groups = _group(
        list(probabilities), lambda clip: (clip.group or _relative(clip.path, folder), clip.labels)
    )
    if len(groups) == len(probabilities):
        return None
    means = [np.mean([probabilities[clip] for clip in members], axis=0) for members in groups.values()]
    return collect_predictions([name for name, _ in groups], [labels for _, labels in groups], means, model)


def _group(clips: Sequence[Clip], key: Callable[[Clip], Any]) -> dict[Any, list[Clip]]:
    """Group clips by a key, in their order."""
    groups: dict[Any, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[key(clip)].append(clip)
    return groups


def _classify(clip: Clip, waveform: np.ndarray, models: Sequence[ClipModel], device: str) -> np.ndarray:
    """Compute the probabilities of a clip, (outputs,), from the waveform of its file."""
    rate = models[0].sample_rate
    end = None if clip.end_s is None else round(clip.end_s * rate)
    samples = waveform[round(clip.start_s * rate) : end]
    if not len(samples):
        end_s = len(waveform) / rate
        raise files.FileError(clip.path, f"start is {clip.start_s} s, expected less than its end, {end_s} s")
    probabilities = classify((samples, rate), models, device=device).probabilities
    if not np.isfinite(probabilities).all():
        raise files.FileError(clip.path, f"the model's probabilities are {probabilities}, expected numbers")
    return probabilities


def _relative(path: Path, folder: str | Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _name_clip(clip: Clip, folder: str | Path) -> str:
    """Name a clip by its file, and the seconds where it begins and ends: song.wav 3-6 s."""
    name = _relative(clip.path, folder)
    if clip.end_s is None and not clip.start_s:
        return name
    return f"{name} {clip.start_s:g}-{'' if clip.end_s is None else f'{clip.end_s:g}'} s"
