"""Labels: from logits to calibrated probabilities, and to predictions that may be "unknown".

Place in the flow: scores -> labels. Probabilities are calibrated per window: the temperature is fitted to
windows (`fit_temperature`), and a recording's probabilities are means over its windows (`average_windows`).
Conventions: logits, probabilities and targets are arrays whose last axis is the outputs; `multi_label` says
whether a clip may have several labels (each output by itself, a sigmoid) or has one of them (a softmax over
the labels and, last, UNKNOWN).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax, softmax

# Of instruments: a confusion within a family is a smaller error than one between families.
FAMILIES: dict[str, tuple[str, ...]] = {
    "keys": ("piano", "electric piano", "organ"),
    "mallets": ("vibraphone",),
    "plucked strings": ("acoustic guitar", "electric guitar", "bass"),
    "bowed strings": ("violin", "cello", "double bass"),
    "brass": ("trumpet", "trombone", "horn"),
    "woodwind": ("saxophone", "clarinet", "oboe", "flute"),
    "voice": ("voice",),
    "drums": ("drums",),
}
UNKNOWN = "unknown"
N_CONFIDENCE_BINS = 15  # of the reliability diagram, as in Guo et al., 2017
TEMPERATURE_RANGE = (0.05, 20.0)  # searched by `fit_temperature`: a factor of 20 to both sides of 1
# Fraction of a recording's windows, those with the highest probabilities of a label, whose mean is the
# recording's probability if multi-label: an instrument may rest most of the time.
TOP_SHARE = 0.25


@dataclass(frozen=True)
class Prediction:
    """A label and its probability: calibrated of a window, the mean over windows of a recording."""

    label: str
    probability: float


def output_names(labels: Sequence[str], multi_label: bool) -> list[str]:
    """Return the names of a model's outputs: the labels and, unless multi-label, UNKNOWN.

    Args:
        labels: the model's labels.
        multi_label: whether a clip may have several labels.
    """
    return list(labels) if multi_label else [*labels, UNKNOWN]


def compute_probabilities(logits: np.ndarray, temperature: float, multi_label: bool) -> np.ndarray:
    """Compute the probability of each output from logits divided by a temperature.

    Args:
        logits: (..., outputs).
        temperature: above 0; the higher, the less confident.
        multi_label: sigmoids, not a softmax.

    Returns:
        Probabilities, (..., outputs).

    Source:
        Guo et al., "On calibration of modern neural networks", 2017, equation 9.
    """
    scaled = np.asarray(logits, float) / temperature
    return expit(scaled) if multi_label else softmax(scaled, axis=-1)


def average_windows(windows: np.ndarray, multi_label: bool) -> np.ndarray:
    """Average the probabilities of a recording's windows.

    Return the mean over all windows or, if multi-label, of each output the mean over `TOP_SHARE` of the
    windows, those with its highest probabilities. The windows' probabilities are calibrated; this mean need
    not be.

    Args:
        windows: probabilities, (windows, outputs).
        multi_label: whether a clip may have several labels.

    Returns:
        The recording's probabilities, (outputs,).
    """
    if not multi_label:
        return windows.mean(axis=0)
    n_highest = max(1, round(TOP_SHARE * len(windows)))
    return np.sort(windows, axis=0)[-n_highest:].mean(axis=0)


def rank_labels(outputs: list[str], probabilities: np.ndarray) -> list[Prediction]:
    """Sort the labels by probability, the most probable first, without UNKNOWN.

    Args:
        outputs: names of the outputs.
        probabilities: (outputs,).
    """
    order = np.argsort(-probabilities, kind="stable")
    return [Prediction(outputs[i], float(probabilities[i])) for i in order if outputs[i] != UNKNOWN]


def predict_labels(
    outputs: list[str], probabilities: np.ndarray, multi_label: bool, threshold: float
) -> list[Prediction]:
    """Predict labels: the most probable one or, if multi-label, all that reach the threshold.

    Args:
        outputs: names of the outputs.
        probabilities: (outputs,).
        multi_label: whether a clip may have several labels.
        threshold: if multi-label, minimum probability of a predicted label.

    Returns:
        Predictions, the most probable first. An empty list means unknown: UNKNOWN is the most probable output
        or, if multi-label, no label reaches the threshold.
    """
    ranked = rank_labels(outputs, probabilities)
    if multi_label:
        return [prediction for prediction in ranked if prediction.probability >= threshold]
    return [] if outputs[int(probabilities.argmax())] == UNKNOWN else ranked[:1]


def format_predictions(predictions: Sequence[Prediction]) -> str:
    """Format predictions as text, `jazz 81 %, blues 11 %`; UNKNOWN for none.

    Args:
        predictions: as of `predict_labels` or `rank_labels`.
    """
    return ", ".join(f"{one.label} {100 * one.probability:.0f} %" for one in predictions) or UNKNOWN


def fit_temperature(logits: np.ndarray, targets: np.ndarray, multi_label: bool) -> float:
    """Find the temperature at which the targets are most likely.

    Args:
        logits: (examples, outputs).
        targets: 0 to 1, (examples, outputs).
        multi_label: whether a clip may have several labels.

    Returns:
        A temperature within `TEMPERATURE_RANGE`.

    Source:
        Guo et al., "On calibration of modern neural networks", 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar  # 0.1 s

    logits, targets = np.asarray(logits, float), np.asarray(targets, float)

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        if multi_label:
            return float(np.mean(np.logaddexp(0, scaled) - targets * scaled))
        return float(-np.mean(np.sum(targets * log_softmax(scaled, axis=-1), axis=-1)))

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURE_RANGE)), method="bounded")
    return float(np.exp(found["x"]))


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: accuracy of predictions by their confidence, each (bins,), without empty bins.

    Attributes:
        confidence: mean probability of the predictions in a bin.
        accuracy: fraction of them that is correct.
        count: number of predictions in a bin.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance between confidence and accuracy, weighted by count.

        Source:
            Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
            2015.
        """
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.count))


def measure_reliability(
    probabilities: np.ndarray, targets: np.ndarray, multi_label: bool, n_bins: int = N_CONFIDENCE_BINS
) -> Reliability:
    """Measure how well probabilities are calibrated.

    Each example's most probable output is a prediction; if multi-label, every output is one.

    Args:
        probabilities: (examples, outputs).
        targets: 0 or 1, (examples, outputs).
        multi_label: whether an example may have several labels.
        n_bins: equal intervals of confidence from 0 to 1.

    Returns:
        The reliability diagram.
    """
    probabilities, targets = np.asarray(probabilities, float), np.asarray(targets, float)
    if multi_label:
        confidence, correct = probabilities.ravel(), targets.ravel()
    else:
        best = probabilities.argmax(axis=1)
        rows = np.arange(len(probabilities))
        confidence, correct = probabilities[rows, best], targets[rows, best]
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    count = np.bincount(bins, minlength=n_bins)
    used = count > 0
    means = [np.bincount(bins, weights, n_bins)[used] / count[used] for weights in (confidence, correct)]
    return Reliability(means[0], means[1], count[used])
