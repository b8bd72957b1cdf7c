"""Predicted labels against reference labels -> accuracy, F1, average precision, confusion and calibration.

The metrics are scikit-learn's, each a fraction between 0 and 1, and the means are over the labels that some
clip has:

- accuracy: fraction of the clips whose most probable output, a label or UNKNOWN, is correct. If multi-label,
  this is top-1 accuracy: the most probable label is one of the clip's; where none reaches the threshold,
  UNKNOWN counts as the most probable;
- macro_f1: mean of the labels' F1; if multi-label, every label that reaches the threshold is predicted;
- mean_average_precision: mean of the labels' average precision;
- family_accuracy, of instruments alone: fraction of the clips whose most probable label is of the family of a
  reference label, such as brass;
- expected_calibration_error: mean distance between confidence and accuracy, see `labels.measure_reliability`.

For a clip without a label, UNKNOWN is the correct prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiocnn.labels import FAMILIES, UNKNOWN, Reliability, measure_reliability, output_names
from audiocnn.models.clips import ClipModel

FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}


@dataclass(frozen=True)
class Predictions:
    """What a model predicts for clips, or for recordings, beside their reference labels.

    Attributes:
        names: of the clips.
        outputs: the labels and, last, UNKNOWN.
        references: 1 where a clip has a label, (clips, outputs).
        probabilities: (clips, outputs); if multi-label, UNKNOWN has 1 less the highest.
        multi_label: whether a clip may have several labels.
        threshold: if multi-label, minimum probability of a predicted label.
    """

    names: list[str]
    outputs: list[str]
    references: np.ndarray
    probabilities: np.ndarray
    multi_label: bool
    threshold: float

    @property
    def predicted_index(self) -> np.ndarray:
        """The index of each clip's most probable output; of UNKNOWN if no label reaches the threshold."""
        if not self.multi_label:
            return self.probabilities.argmax(axis=1)
        labels = self.probabilities[:, :-1]
        return np.where(labels.max(axis=1) < self.threshold, labels.shape[1], labels.argmax(axis=1))

    @property
    def correct(self) -> np.ndarray:
        """Whether each prediction is correct, booleans (clips,)."""
        index = self.predicted_index
        return self.references[np.arange(len(index)), index] == 1

    @property
    def predicted_labels(self) -> np.ndarray:
        """All labels predicted for each clip, 0 or 1, (clips, outputs)."""
        predicted = np.eye(len(self.outputs), dtype=int)[self.predicted_index]
        if self.multi_label:
            predicted[:, :-1] |= self.probabilities[:, :-1] >= self.threshold
        return predicted

    @property
    def reliability(self) -> Reliability:
        """How well the probabilities are calibrated."""
        judged = slice(None, -1 if self.multi_label else None)
        return measure_reliability(
            self.probabilities[:, judged], self.references[:, judged], self.multi_label
        )

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of all clips, by the names that the module's docstring explains."""
        rows = self.label_metrics.values()
        return {
            "accuracy": float(self.correct.mean()),
            "macro_f1": float(np.mean([row["f1"] for row in rows])),
            "mean_average_precision": float(np.mean([row["average_precision"] for row in rows])),
            **self._family_accuracy(),
            "expected_calibration_error": self.reliability.expected_calibration_error,
        }

    def _family_accuracy(self) -> dict[str, float]:
        """Compute `family_accuracy` where all labels are instruments and some clip has one."""
        *names, _ = self.outputs
        labelled = self.references[:, :-1].any(axis=1)
        if not labelled.any() or not FAMILY_OF.keys() >= {*names}:
            return {}
        families = np.array([FAMILY_OF[name] for name in names])
        same = families[self.probabilities[labelled, :-1].argmax(axis=1)][:, None] == families
        correct = (same & (self.references[labelled, :-1] == 1)).any(axis=1)
        return {"family_accuracy": float(correct.mean())}

    @property
    def label_metrics(self) -> dict[str, dict[str, float]]:
        """`n_reference`, `precision`, `recall`, `f1` and `average_precision` of each label of a clip."""
        columns = (self.references, self.predicted_labels, self.probabilities)
        return {
            self.outputs[i]: _measure_label(*(column[:, i] for column in columns))
            for i in np.flatnonzero(self.references.any(axis=0))
        }

    @property
    def confusion_matrix(self) -> tuple[list[str], np.ndarray]:
        """The labels that some clip has, and counts of the predictions for each of them, (labels, outputs).

        Clips with several labels are left out: which of them is confused is not known.
        """
        from sklearn.metrics import confusion_matrix

        single = self.references.sum(axis=1) == 1
        reference = self.references[single].argmax(axis=1)
        counts = confusion_matrix(reference, self.predicted_index[single], labels=range(len(self.outputs)))
        present = np.unique(reference)
        return [self.outputs[i] for i in present], counts[present]


def _measure_label(reference: np.ndarray, estimate: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Compute the metrics of a label from its columns, (clips,) each."""
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        reference,
        estimate,
        average="binary",
        zero_division=0,  # pyright: ignore[reportArgumentType], numbers are documented
    )
    return {
        "n_reference": int(reference.sum()),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "average_precision": float(average_precision_score(reference, probability)),
    }


def collect_predictions(
    names: list[str],
    labels: Sequence[tuple[str, ...]],
    probabilities: Sequence[np.ndarray],
    model: ClipModel,
) -> Predictions:
    """Set a model's probabilities beside reference labels.

    Args:
        names: of the clips.
        labels: reference labels of each clip; none stands for UNKNOWN.
        probabilities: of the model's outputs, (outputs,) for each clip.
        model: model that computed them.
    """
    outputs, rows = output_names(model.labels, multi_label=False), np.array(probabilities)
    if model.multi_label:
        rows = np.column_stack([rows, 1 - rows.max(axis=1)])
    references = np.array([[int(output in (own or (UNKNOWN,))) for output in outputs] for own in labels])
    return Predictions(names, outputs, references, rows, model.multi_label, model.threshold)
