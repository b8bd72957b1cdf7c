"""Labels: from logits to probabilities that mean what they say, and to an honest "unknown".

Place in the flow: scores -> labels. Conventions: logits, probabilities and targets are arrays whose last
axis is the outputs; `multi_label` says whether a clip may have several labels (each output by itself, a sigmoid)
or has one of them (a softmax over the labels and, last, UNKNOWN).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax, softmax

# Of instruments: what is taken for another of the same family is nearly right.
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
N_BINS = 15  # of the reliability diagram
TEMPERATURES = (0.05, 20.0)  # among which one is sought
LOUDEST_SHARE = 0.25  # of a recording's windows in which an instrument must be heard to be named


@dataclass(frozen=True)
class Labelled:
    """A label and the probability that it is right."""

    label: str
    probability: float


def outputs(labels: list[str], multi_label: bool) -> list[str]:
    """The names of a model's outputs."""
    return list(labels) if multi_label else [*labels, UNKNOWN]


def probabilities(logits: np.ndarray, temperature: float, multi_label: bool) -> np.ndarray:
    """The probability of each output: the higher the temperature, the less sure.

    Source: Guo et al., "On calibration of modern neural networks", 2017, equation 9.
    """
    scaled = np.asarray(logits, float) / temperature
    return expit(scaled) if multi_label else softmax(scaled, axis=-1)


def of_recording(windows: np.ndarray, multi_label: bool) -> np.ndarray:
    """The probabilities of a recording, (outputs,), from those of its windows, (windows, outputs).

    With one label their mean. With several, the mean of the highest quarter of each: an instrument may
    rest most of the time.
    """
    if not multi_label:
        return windows.mean(axis=0)
    n_highest = max(1, round(LOUDEST_SHARE * len(windows)))
    return np.sort(windows, axis=0)[-n_highest:].mean(axis=0)


def ranked(names: list[str], values: np.ndarray) -> list[Labelled]:
    """The labels of a recording, the likeliest first, without UNKNOWN."""
    order = np.argsort(-values, kind="stable")
    return [Labelled(names[i], float(values[i])) for i in order if names[i] != UNKNOWN]


def heard(names: list[str], values: np.ndarray, multi_label: bool, threshold: float) -> list[Labelled]:
    """What there is to say: the likeliest label, or with several all that reach the threshold.

    Nothing where it is unknown: where that is likeliest, or of several none reaches the threshold.
    """
    labelled = ranked(names, values)
    if multi_label:
        return [one for one in labelled if one.probability >= threshold]
    return [] if names[int(values.argmax())] == UNKNOWN else labelled[:1]


def said(labelled: Sequence[Labelled]) -> str:
    """Labels in words, `jazz 81 %, blues 11 %`; UNKNOWN for none."""
    return ", ".join(f"{one.label} {100 * one.probability:.0f} %" for one in labelled) or UNKNOWN


def fit_temperature(logits: np.ndarray, targets: np.ndarray, multi_label: bool) -> float:
    """The temperature at which the targets are likeliest.

    Shape: both (examples, outputs), targets 0 to 1.
    """
    from scipy.optimize import minimize_scalar  # 0.1 s

    logits, targets = np.asarray(logits, float), np.asarray(targets, float)

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        if multi_label:
            return float(np.mean(np.logaddexp(0, scaled) - targets * scaled))
        return float(-np.mean(np.sum(targets * log_softmax(scaled, axis=-1), axis=-1)))

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Reliability:
    """How often what a model says is right, by how sure it is: each (bins,), empty bins left out.

    Attributes:
        confidence: mean probability of the bin's answers.
        accuracy: share of them that are right.
        count: how many there are.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: mean distance of confidence and accuracy.

        Source: Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
        2015.
        """
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.count))


def reliability(
    values: np.ndarray, targets: np.ndarray, multi_label: bool, n_bins: int = N_BINS
) -> Reliability:
    """How far the probabilities of recordings can be trusted.

    With one label it is the likeliest answer that is judged, with several every yes and no.
    Shape: both (recordings, outputs), targets 0 or 1.
    """
    values, targets = np.asarray(values, float), np.asarray(targets, float)
    if multi_label:
        confidence, right = values.ravel(), targets.ravel()
    else:
        best = values.argmax(axis=1)
        rows = np.arange(len(values))
        confidence, right = values[rows, best], targets[rows, best]
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    count = np.bincount(bins, minlength=n_bins)
    used = count > 0
    means = [np.bincount(bins, weights, n_bins)[used] / count[used] for weights in (confidence, right)]
    return Reliability(means[0], means[1], count[used])
