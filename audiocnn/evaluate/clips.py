"""Labels against reference labels -> accuracy, F1, average precision and calibration.

The figures are scikit-learn's, each a share of 1, and the means are over the labels that some clip has:

- accuracy: how often the answer is right. It is the likeliest label, or UNKNOWN: where that is likeliest, and
  of several labels where none reaches the threshold;
- f1: mean of the labels' F1; of several, all that reach the threshold are heard;
- map: mean of the labels' average precision;
- family, of instruments alone: how often the likeliest label is of a right family, such as brass;
- calibration_error: mean distance of confidence and accuracy, see `labels.measure_reliability`.

A clip without a label is right where UNKNOWN is the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import audiocnn
from audiocnn import audio, files
from audiocnn import labels as labelling
from audiocnn.datasets.clips.sources import Clip
from audiocnn.labels import FAMILIES, UNKNOWN
from audiocnn.models.clips import ClipModel

FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}


@dataclass(frozen=True)
class Predictions:
    """What was heard in clips, or in recordings, beside what is right.

    Attributes:
        names: of the clips.
        outputs: the labels and, last, UNKNOWN.
        targets: 1 where it is right, (clips, outputs).
        values: probabilities, (clips, outputs); of several labels UNKNOWN has what the likeliest lacks.
    """

    names: list[str]
    outputs: list[str]
    targets: np.ndarray
    values: np.ndarray
    multi_label: bool
    threshold: float

    @property
    def answers(self) -> np.ndarray:
        """The column of each clip's answer, (clips,)."""
        if not self.multi_label:
            return self.values.argmax(axis=1)
        labels = self.values[:, :-1]
        return np.where(labels.max(axis=1) < self.threshold, labels.shape[1], labels.argmax(axis=1))

    @property
    def right(self) -> np.ndarray:
        """Which answers are right, booleans (clips,)."""
        return self.targets[np.arange(len(self.answers)), self.answers] == 1

    @property
    def heard(self) -> np.ndarray:
        """What is said of each clip, 0 or 1, (clips, outputs)."""
        heard = np.eye(len(self.outputs), dtype=int)[self.answers]
        if self.multi_label:
            heard[:, :-1] |= self.values[:, :-1] >= self.threshold
        return heard

    @property
    def present(self) -> np.ndarray:
        """The columns that are right in some clip."""
        return np.flatnonzero(self.targets.any(axis=0))

    @property
    def reliability(self) -> labelling.Reliability:
        """How far the probabilities can be trusted."""
        judged = slice(None, -1 if self.multi_label else None)
        return labelling.measure_reliability(
            self.values[:, judged], self.targets[:, judged], self.multi_label
        )

    @property
    def figures(self) -> dict[str, float]:
        """`accuracy`, `f1`, `map`, of instruments `family`, and `calibration_error`."""
        rows = self.classes.values()
        return {
            "accuracy": float(self.right.mean()),
            "f1": float(np.mean([row["f1"] for row in rows])),
            "map": float(np.mean([row["average_precision"] for row in rows])),
            **self._family(),
            "calibration_error": self.reliability.expected_calibration_error,
        }

    def _family(self) -> dict[str, float]:
        """The share of the clips that have labels whose likeliest one is of a right family."""
        *names, _ = self.outputs
        labelled = self.targets[:, :-1].any(axis=1)
        if not labelled.any() or not FAMILY_OF.keys() >= {*names}:
            return {}
        families = np.array([FAMILY_OF[name] for name in names])
        same = families[self.values[labelled, :-1].argmax(axis=1)][:, None] == families
        return {"family": float((same & (self.targets[labelled, :-1] == 1)).any(axis=1).mean())}

    @property
    def classes(self) -> dict[str, dict[str, float]]:
        """`clips`, `precision`, `recall`, `f1` and `average_precision` of each label that is present."""
        return {
            self.outputs[i]: _class(*(of[:, i] for of in (self.targets, self.heard, self.values)))
            for i in self.present
        }

    @property
    def confusion(self) -> tuple[list[str], np.ndarray]:
        """How often each answer was given to each label: their names, and counts (labels, outputs).

        Of clips with several labels it cannot be told which one is confused: they are left out.
        """
        from sklearn.metrics import confusion_matrix

        plain = self.targets.sum(axis=1) == 1
        wanted = self.targets[plain].argmax(axis=1)
        counts = confusion_matrix(wanted, self.answers[plain], labels=range(len(self.outputs)))
        shown = np.unique(wanted)
        return [self.outputs[i] for i in shown], counts[shown]


def _class(targets: np.ndarray, heard: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """The figures of a label from its columns, (clips,) each."""
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        targets,
        heard,
        average="binary",
        zero_division=0,  # pyright: ignore[reportArgumentType], numbers are documented
    )
    return {
        "clips": int(targets.sum()),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "average_precision": float(average_precision_score(targets, values)),
    }


@dataclass(frozen=True)
class ClipReport:
    """What `evaluate_clips` found.

    Attributes:
        recordings: the clips that share a group, or else a file, taken together; None where none do.
        failed: path -> why a file could not be heard.
    """

    models: list[str]
    clips: Predictions
    recordings: Predictions | None
    failed: dict[str, str]


def evaluate_clips(
    clips: Sequence[Clip],
    models: Sequence[ClipModel],
    folder: str | Path = "",
    device: str = "cpu",
    progress: Callable[[Path], object] | None = None,
) -> ClipReport:
    """How right the mean of some models is about clips whose labels are known.

    A file that cannot be read goes to `failed`, and the others on.

    Args:
        folder: paths are told relative to it.
        progress: told each file before it is heard.
    Raises: FileError when no file can be heard; ValueError when a clip has a label that the models lack.
    """
    first = models[0]
    if foreign := {label for clip in clips for label in clip.labels} - {*first.labels}:
        raise ValueError(f"clips have {', '.join(sorted(foreign))}, expected {', '.join(first.labels)}")
    heard: dict[Clip, np.ndarray] = {}
    failed = {}
    for path, pieces in _by(clips, lambda clip: clip.path).items():
        if progress:
            progress(path)
        try:
            waveform = audio.load(path, first.sample_rate)
            heard |= {clip: _values(clip, waveform, models, device) for clip in pieces}
        except files.FileError as error:
            failed[_name(path, folder)] = str(error)
    if not heard:
        raise files.FileError(
            folder, f"no file could be heard; {next(iter(failed.values()), 'there is none')}"
        )
    # Pieces of one recording with different labels are not one thing to name.
    units = _by(list(heard), lambda clip: (clip.group or _name(clip.path, folder), clip.labels))
    names, recordings = [_clip_name(clip, folder) for clip in heard], None
    if len(units) < len(heard):
        means = [np.mean([heard[clip] for clip in members], axis=0) for members in units.values()]
        recordings = answers([name for name, _ in units], [labels for _, labels in units], means, first)
    pieces = answers(names, [clip.labels for clip in heard], list(heard.values()), first)
    return ClipReport([model.name for model in models], pieces, recordings, failed)


def _by(clips: Sequence[Clip], key: Callable[[Clip], Any]) -> dict[Any, list[Clip]]:
    """The clips by what they share, in their order."""
    groups: dict[Any, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[key(clip)].append(clip)
    return groups


def _values(clip: Clip, waveform: np.ndarray, models: Sequence[ClipModel], device: str) -> np.ndarray:
    """The probabilities of the models' outputs in a piece of a file, (outputs,)."""
    rate = models[0].sample_rate
    end = None if clip.end_s is None else round(clip.end_s * rate)
    samples = waveform[round(clip.start_s * rate) : end]
    if not len(samples):
        end_s = len(waveform) / rate
        raise files.FileError(clip.path, f"start is {clip.start_s} s, expected less than its end, {end_s} s")
    return audiocnn.classify((samples, rate), models, device=device).values


def _name(path: Path, folder: str | Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _clip_name(clip: Clip, folder: str | Path) -> str:
    """A file's name, and where in it a piece begins and ends: song.wav 3-6 s."""
    name = _name(clip.path, folder)
    if clip.end_s is None and not clip.start_s:
        return name
    return f"{name} {clip.start_s:g}-{'' if clip.end_s is None else f'{clip.end_s:g}'} s"


def answers(
    names: list[str], labels: list[tuple[str, ...]], values: list[np.ndarray], model: ClipModel
) -> Predictions:
    """What a model's probabilities of some clips, (outputs,) each, say beside their labels."""
    outputs, rows = labelling.output_names(model.labels, multi_label=False), np.array(values)
    if model.multi_label:
        rows = np.column_stack([rows, 1 - rows.max(axis=1)])
    wanted = [one or (UNKNOWN,) for one in labels]
    targets = np.array([[int(output in one) for output in outputs] for one in wanted])
    return Predictions(names, outputs, targets, rows, model.multi_label, model.threshold)
