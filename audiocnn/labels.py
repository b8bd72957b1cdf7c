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

from audiocnn.ranges import ArgumentError

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
# Standard deviation of the logarithm of a temperature before anything is known of it: a factor of 2.
LOG_TEMPERATURE_STD = float(np.log(2))
# Recordings that a temperature is fitted to at least: with fewer the accuracy, by which confidences are
# judged, is known to no better than 11 points (two standard errors at an accuracy of 0.9).
MIN_CALIBRATION = 30
# Fraction of a recording's windows, those with the highest probabilities of a label, whose mean is the
# recording's probability if multi-label: an instrument may rest most of the time.
TOP_SHARE = 0.25


@dataclass(frozen=True)
class Prediction:
    """A label and its probability: calibrated of a window, the mean over windows of a recording."""

    label: str
    probability: float


def check_labels(labels: Sequence[str]) -> None:
    """Check the names of a model's outputs.

    Args:
        labels: as given.

    Raises:
        ArgumentError: there is none, or one twice, or one that is no text or UNKNOWN.
    """
    if isinstance(labels, str) or not all(isinstance(label, str) and label.strip() for label in labels):
        raise ArgumentError(f"labels are {labels!r}, expected a list of names")
    if not labels or len(set(labels)) < len(labels):
        raise ArgumentError(f"labels are {list(labels)}, expected at least one, and none twice")
    if UNKNOWN in labels:
        raise ArgumentError(f"labels are {list(labels)}, expected none of them to be {UNKNOWN!r}")


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

    Raises:
        ValueError: a logit is NaN or infinite, of which no label could be told.

    Source:
        Guo et al., "On calibration of modern neural networks", 2017, equation 9.
    """
    scaled = check_finite(logits, "logits") / temperature
    return expit(scaled) if multi_label else softmax(scaled, axis=-1)


def check_finite(values: np.ndarray, name: str) -> np.ndarray:
    """Check that numbers are finite: of NaNs the greatest is anything, "unknown" for example.

    Args:
        values: of any shape.
        name: what they are, for the message.

    Returns:
        The same in double precision.

    Raises:
        ValueError: some are not; the message holds how many.
    """
    values = np.asarray(values, float)
    if n_bad := np.count_nonzero(~np.isfinite(values)):
        raise ValueError(f"{n_bad} of {values.size} {name} are NaN or infinite, expected finite numbers")
    return values


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

    Raises:
        ValueError: a probability is NaN or infinite.
    """
    check_finite(probabilities, "probabilities")
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


def fit_temperature(
    logits: np.ndarray, targets: np.ndarray, multi_label: bool, n_recordings: int | None = None
) -> float:
    """Find the most probable temperature, given the targets of a validation.

    The prior of its logarithm is normal, with mean 0 and standard deviation `LOG_TEMPERATURE_STD`: of few
    examples that are all predicted right, or all wrong, it keeps the temperature from an end of the range.

    Args:
        logits: (examples, outputs).
        targets: 0 to 1, (examples, outputs).
        multi_label: whether a clip may have several labels.
        n_recordings: that the examples are windows of, since windows of one recording are alike; as many as
            examples when None.

    Returns:
        A temperature within `TEMPERATURE_RANGE`.

    Raises:
        ValueError: there are fewer recordings than `MIN_CALIBRATION`, or logits that are not finite.

    Source:
        Guo et al., "On calibration of modern neural networks", 2017, section 4.2.

    Differs:
        The temperature is that of the maximum a posteriori (Bishop, "Pattern recognition and machine
        learning", 2006, section 1.2.5), not of the maximum likelihood, which for examples that are all right
        is 0. Thousands of examples move it by less than a hundredth.
    """
    from scipy.optimize import minimize_scalar  # 0.1 s

    logits, targets = check_finite(logits, "logits"), np.asarray(targets, float)
    n = len(logits) if n_recordings is None else n_recordings
    if n < MIN_CALIBRATION:
        raise ValueError(f"{n} recordings to calibrate on, expected {MIN_CALIBRATION} or more")

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        if multi_label:
            of_examples = np.sum(np.logaddexp(0, scaled) - targets * scaled, axis=-1)
        else:
            of_examples = -np.sum(targets * log_softmax(scaled, axis=-1), axis=-1)
        return float(n * np.mean(of_examples) + (log_temperature / LOG_TEMPERATURE_STD) ** 2 / 2)

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
