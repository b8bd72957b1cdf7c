"""Probabilities that mean what they say, by worked examples, and what is said of them."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from audiocnn import labels
from audiocnn.labels import UNKNOWN, Labelled

NAMES = ["jazz", "rock", "pop"]


def test_outputs() -> None:
    assert labels.outputs(NAMES, multi_label=True) == NAMES
    assert labels.outputs(NAMES, multi_label=False) == [*NAMES, UNKNOWN]


def test_probabilities_of_one_label_sum_to_one() -> None:
    logits = np.log([[0.5, 0.25, 0.25], [0.9, 0.05, 0.05]])
    got = labels.probabilities(logits, 1.0, multi_label=False)
    np.testing.assert_allclose(got, [[0.5, 0.25, 0.25], [0.9, 0.05, 0.05]])
    # At temperature 2 the square roots: 1 / (1 + 2 sqrt(1/2)) of the first.
    assert labels.probabilities(logits, 2.0, multi_label=False)[0, 0] == pytest.approx(1 / (1 + np.sqrt(2)))


def test_probabilities_of_several_stand_alone() -> None:
    got = labels.probabilities(np.log([3.0, 1 / 3]), 1.0, multi_label=True)
    np.testing.assert_allclose(got, [0.75, 0.25])
    assert labels.probabilities(np.log([9.0]), 2.0, multi_label=True) == pytest.approx(0.75)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("multi_label", [False, True])
def test_the_temperature_of_a_miscalibration_is_found(multi_label: bool, temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4))
    if multi_label:
        targets = (rng.random(logits.shape) < expit(logits)).astype(float)
    else:
        drawn = (rng.random((len(logits), 1)) > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)
        targets = np.eye(4)[drawn]
    # The logits of a model that is too sure, or not sure enough.
    found = labels.fit_temperature(temperature * logits, targets, multi_label)
    assert found == pytest.approx(temperature, rel=0.03)
    values = labels.probabilities(temperature * logits, found, multi_label)
    assert labels.reliability(values, targets, multi_label).error < 0.01


def test_reliability_by_hand() -> None:
    """Five recordings: three answers near 0.95 of which two are right, two near 0.55 of which one is."""
    values = np.array([[0.95, 0.05], [0.05, 0.95], [0.95, 0.05], [0.55, 0.45], [0.45, 0.55]])
    targets = np.array([[1, 0], [0, 1], [0, 1], [1, 0], [1, 0]])
    got = labels.reliability(values, targets, multi_label=False, n_bins=10)
    np.testing.assert_array_equal(got.count, [2, 3])
    np.testing.assert_allclose(got.confidence, [0.55, 0.95])
    np.testing.assert_allclose(got.accuracy, [1 / 2, 2 / 3])
    assert got.error == pytest.approx((2 * 0.05 + 3 * (0.95 - 2 / 3)) / 5)


def test_reliability_of_every_yes_and_no() -> None:
    values, targets = np.array([[0.1, 0.9], [0.1, 1.0]]), np.array([[0, 1], [1, 1]])
    got = labels.reliability(values, targets, multi_label=True, n_bins=10)
    np.testing.assert_array_equal(got.count, [2, 2])
    np.testing.assert_allclose(got.confidence, [0.1, 0.95])
    np.testing.assert_allclose(got.accuracy, [0.5, 1.0])
    assert got.error == pytest.approx((0.4 + 0.05) / 2)


def test_a_recording_is_the_mean_of_its_windows() -> None:
    windows = np.array([[0.2, 0.8], [0.6, 0.4]])
    np.testing.assert_allclose(labels.of_recording(windows, multi_label=False), [0.4, 0.6])


@pytest.mark.parametrize(("n_windows", "n_loudest"), [(1, 1), (4, 1), (8, 2), (40, 10)])
def test_an_instrument_may_rest(n_windows: int, n_loudest: int) -> None:
    windows = np.zeros((n_windows, 2))
    windows[:n_loudest, 0] = 0.8
    np.testing.assert_allclose(labels.of_recording(windows, multi_label=True), [0.8, 0.0])


def test_ranked_with_one_label() -> None:
    outputs = labels.outputs(NAMES, multi_label=False)
    values = np.array([0.1, 0.5, 0.1, 0.3])
    got = labels.ranked(outputs, values)
    assert got == [Labelled("rock", 0.5), Labelled("jazz", 0.1), Labelled("pop", 0.1)]
    assert labels.heard(outputs, values, multi_label=False, threshold=0.5) == got[:1]
    assert not labels.heard(outputs, np.array([0.1, 0.3, 0.1, 0.5]), multi_label=False, threshold=0.5)


def test_ranked_with_several() -> None:
    values = np.array([0.5, 0.9, 0.4])
    got = labels.ranked(NAMES, values)
    assert [one.label for one in got] == ["rock", "jazz", "pop"]
    assert labels.heard(NAMES, values, multi_label=True, threshold=0.5) == got[:2]
    assert not labels.heard(NAMES, np.array([0.1, 0.3, 0.49]), multi_label=True, threshold=0.5)


@pytest.mark.parametrize(
    ("values", "multi_label", "said"),
    [
        ([0.1, 0.58, 0.1, 0.22], False, "rock 58 %"),
        ([0.1, 0.3, 0.1, 0.5], False, "unknown"),
        ([0.5, 0.9, 0.4], True, "rock 90 %, jazz 50 %"),
        ([0.1, 0.3, 0.4], True, "unknown"),
    ],
)
def test_what_is_said(values: list[float], multi_label: bool, said: str) -> None:
    names = labels.outputs(NAMES, multi_label)
    assert labels.said(labels.heard(names, np.array(values), multi_label, threshold=0.5)) == said
