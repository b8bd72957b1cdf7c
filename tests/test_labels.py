"""Calibrated probabilities by worked examples, and the predictions made of them."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from audiocnn import labels
from audiocnn.labels import UNKNOWN, Prediction

NAMES = ["jazz", "rock", "pop"]


def test_output_names() -> None:
    assert labels.output_names(NAMES, multi_label=True) == NAMES
    assert labels.output_names(NAMES, multi_label=False) == [*NAMES, UNKNOWN]


def test_probabilities_of_one_label_sum_to_one() -> None:
    logits = np.log([[0.5, 0.25, 0.25], [0.9, 0.05, 0.05]])
    got = labels.compute_probabilities(logits, 1.0, multi_label=False)
    np.testing.assert_allclose(got, [[0.5, 0.25, 0.25], [0.9, 0.05, 0.05]])
    # At temperature 2 the square roots: 1 / (1 + 2 sqrt(1/2)) of the first.
    halved = labels.compute_probabilities(logits, 2.0, multi_label=False)
    assert halved[0, 0] == pytest.approx(1 / (1 + np.sqrt(2)))


def test_probabilities_of_several_labels_are_independent() -> None:
    got = labels.compute_probabilities(np.log([3.0, 1 / 3]), 1.0, multi_label=True)
    np.testing.assert_allclose(got, [0.75, 0.25])
    assert labels.compute_probabilities(np.log([9.0]), 2.0, multi_label=True) == pytest.approx(0.75)


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
    # The logits of an overconfident model, or an underconfident one.
    found = labels.fit_temperature(temperature * logits, targets, multi_label)
    assert found == pytest.approx(temperature, rel=0.03)
    values = labels.compute_probabilities(temperature * logits, found, multi_label)
    assert labels.measure_reliability(values, targets, multi_label).expected_calibration_error < 0.01


RIGHT, WRONG = np.array([[9.0, 0, 0]]), np.array([[0, 9.0, 0]])
FIRST = np.array([[1.0, 0, 0]])


@pytest.mark.parametrize("multi_label", [False, True])
def test_few_clips_that_are_all_right_move_the_temperature_little(multi_label: bool) -> None:
    """Of one class or not; without a prior it would be at an end of the range, 0.05."""
    n = labels.MIN_CALIBRATION
    found = labels.fit_temperature(np.repeat(RIGHT, n, 0), np.repeat(FIRST, n, 0), multi_label)
    assert 0.9 < found < 1
    classes = np.arange(n) % 3
    assert labels.fit_temperature(9 * np.eye(3)[classes], np.eye(3)[classes], multi_label) == pytest.approx(
        found, rel=1e-3
    )
    # A hundred windows of each recording say no more than one.
    windows = np.repeat(RIGHT, 100 * n, 0), np.repeat(FIRST, 100 * n, 0)
    assert labels.fit_temperature(*windows, multi_label, n) == pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize("multi_label", [False, True])
def test_clips_that_are_all_wrong_leave_no_confidence(multi_label: bool) -> None:
    wrong, targets = np.repeat(WRONG, 30, 0), np.repeat(FIRST, 30, 0)
    found = labels.fit_temperature(wrong, targets, multi_label)
    assert 9 < found < labels.TEMPERATURE_RANGE[1]
    assert labels.compute_probabilities(WRONG, found, multi_label).max() < 0.75


@pytest.mark.parametrize("n", [0, 12, labels.MIN_CALIBRATION - 1])
def test_too_few_clips_to_calibrate_on_are_refused(n: int) -> None:
    logits, targets = np.repeat(RIGHT, n, 0), np.repeat(FIRST, n, 0)
    with pytest.raises(ValueError, match=f"{n} recordings to calibrate on, expected 30 or more"):
        labels.fit_temperature(logits, targets, multi_label=False)
    with pytest.raises(ValueError, match=f"{n} recordings to calibrate on, expected 30 or more"):
        labels.fit_temperature(np.repeat(RIGHT, 500, 0), np.repeat(FIRST, 500, 0), False, n)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("multi_label", [False, True])
def test_scores_that_are_not_finite_are_no_prediction(multi_label: bool, number: float) -> None:
    logits = np.array([[number, 1.0, 2.0], [0.0, 1.0, 2.0]])
    message = "1 of 6 logits are NaN or infinite, expected finite numbers"
    with pytest.raises(ValueError, match=message):
        labels.compute_probabilities(logits, 1.0, multi_label)
    with pytest.raises(ValueError, match=message):
        labels.fit_temperature(logits, np.eye(3)[:2], multi_label)
    with pytest.raises(ValueError, match="1 of 3 probabilities are NaN or infinite"):
        labels.predict_labels(NAMES, logits[0], multi_label, threshold=0.5)


def test_reliability_by_hand() -> None:
    """Of three predictions near 0.95 two are correct, of two near 0.55 one is."""
    values = np.array([[0.95, 0.05], [0.05, 0.95], [0.95, 0.05], [0.55, 0.45], [0.45, 0.55]])
    targets = np.array([[1, 0], [0, 1], [0, 1], [1, 0], [1, 0]])
    got = labels.measure_reliability(values, targets, multi_label=False, n_bins=10)
    np.testing.assert_array_equal(got.count, [2, 3])
    np.testing.assert_allclose(got.confidence, [0.55, 0.95])
    np.testing.assert_allclose(got.accuracy, [1 / 2, 2 / 3])
    assert got.expected_calibration_error == pytest.approx((2 * 0.05 + 3 * (0.95 - 2 / 3)) / 5)


def test_reliability_with_several_labels_counts_every_output() -> None:
    values, targets = np.array([[0.1, 0.9], [0.1, 1.0]]), np.array([[0, 1], [1, 1]])
    got = labels.measure_reliability(values, targets, multi_label=True, n_bins=10)
    np.testing.assert_array_equal(got.count, [2, 2])
    np.testing.assert_allclose(got.confidence, [0.1, 0.95])
    np.testing.assert_allclose(got.accuracy, [0.5, 1.0])
    assert got.expected_calibration_error == pytest.approx((0.4 + 0.05) / 2)


def test_a_recording_is_the_mean_of_its_windows() -> None:
    windows = np.array([[0.2, 0.8], [0.6, 0.4]])
    np.testing.assert_allclose(labels.average_windows(windows, multi_label=False), [0.4, 0.6])


@pytest.mark.parametrize(("n_windows", "n_highest"), [(1, 1), (4, 1), (8, 2), (40, 10)])
def test_an_instrument_may_rest(n_windows: int, n_highest: int) -> None:
    windows = np.zeros((n_windows, 2))
    windows[:n_highest, 0] = 0.8
    np.testing.assert_allclose(labels.average_windows(windows, multi_label=True), [0.8, 0.0])


def test_predictions_with_one_label() -> None:
    outputs = labels.output_names(NAMES, multi_label=False)
    values = np.array([0.1, 0.5, 0.1, 0.3])
    got = labels.rank_labels(outputs, values)
    assert got == [Prediction("rock", 0.5), Prediction("jazz", 0.1), Prediction("pop", 0.1)]
    assert labels.predict_labels(outputs, values, multi_label=False, threshold=0.5) == got[:1]
    unknown = np.array([0.1, 0.3, 0.1, 0.5])
    assert not labels.predict_labels(outputs, unknown, multi_label=False, threshold=0.5)


def test_predictions_with_several_labels() -> None:
    values = np.array([0.5, 0.9, 0.4])
    got = labels.rank_labels(NAMES, values)
    assert [one.label for one in got] == ["rock", "jazz", "pop"]
    assert labels.predict_labels(NAMES, values, multi_label=True, threshold=0.5) == got[:2]
    assert not labels.predict_labels(NAMES, np.array([0.1, 0.3, 0.49]), multi_label=True, threshold=0.5)


@pytest.mark.parametrize(
    ("values", "multi_label", "text"),
    [
        ([0.1, 0.58, 0.1, 0.22], False, "rock 58 %"),
        ([0.1, 0.3, 0.1, 0.5], False, "unknown"),
        ([0.5, 0.9, 0.4], True, "rock 90 %, jazz 50 %"),
        ([0.1, 0.3, 0.4], True, "unknown"),
    ],
)
def test_predictions_as_text(values: list[float], multi_label: bool, text: str) -> None:
    names = labels.output_names(NAMES, multi_label)
    predictions = labels.predict_labels(names, np.array(values), multi_label, threshold=0.5)
    assert labels.format_predictions(predictions) == text
