"""Predicted against reference labels: metrics worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from audiocnn.evaluate import Predictions

ONE = Predictions(
    names=["a", "b", "c", "d"],
    outputs=["jazz", "rock", "pop", "unknown"],
    references=np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
    probabilities=np.array(
        [[0.7, 0.1, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1], [0.1, 0.8, 0, 0.1], [0.1, 0.1, 0.1, 0.7]]
    ),
    multi_label=False,
    threshold=0.5,
)
SEVERAL = Predictions(
    names=["a", "b", "c", "d"],
    outputs=["piano", "violin", "unknown"],
    references=np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    probabilities=np.array([[0.9, 0.6, 0.1], [0.8, 0.7, 0.2], [0.1, 0.4, 0.6], [0.2, 0.1, 0.8]]),
    multi_label=True,
    threshold=0.5,
)


def test_one_label_by_hand() -> None:
    """b, jazz, is taken for rock."""
    assert ONE.predicted_index.tolist() == [0, 1, 1, 3]
    assert ONE.correct.tolist() == [True, False, True, True]
    assert set(ONE.label_metrics) == {"jazz", "rock", "unknown"}  # nothing is pop
    jazz, rock = ONE.label_metrics["jazz"], ONE.label_metrics["rock"]
    assert jazz == pytest.approx(
        {"n_reference": 2, "precision": 1, "recall": 1 / 2, "f1": 2 / 3, "average_precision": 1}
    )
    assert rock == pytest.approx(
        {"n_reference": 1, "precision": 1 / 2, "recall": 1, "f1": 2 / 3, "average_precision": 1}
    )
    assert ONE.metrics == pytest.approx(
        {
            "accuracy": 3 / 4,
            "macro_f1": (2 / 3 + 2 / 3 + 1) / 3,
            "mean_average_precision": 1.0,
            # Bins of 1/15: 0.6 is wrong; 0.7 twice and 0.8 are right.
            "expected_calibration_error": (0.6 + 0.3 + 0.3 + 0.2) / 4,
        }
    )


def test_several_labels_by_hand() -> None:
    """b has a violin that is not there; c is predicted to be unknown."""
    assert SEVERAL.predicted_index.tolist() == [0, 0, 2, 2]
    assert SEVERAL.correct.tolist() == [True, True, False, True]
    assert SEVERAL.predicted_labels.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert SEVERAL.label_metrics["piano"]["f1"] == 1
    violin = SEVERAL.label_metrics["violin"]
    assert (violin["precision"], violin["recall"]) == (1 / 2, 1 / 2)
    # Of 0.7 no, 0.6 yes, 0.4 yes: the precision at the second is 1/2, at the third 2/3.
    assert violin["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert SEVERAL.metrics["accuracy"] == 3 / 4


def test_families_of_instruments_by_hand() -> None:
    """A cello for a violin is correct, a trumpet is not. Clips without a label do not count."""
    clips = Predictions(
        names=["a", "b", "c", "d"],
        outputs=["cello", "trumpet", "violin", "unknown"],
        references=np.array([[0, 0, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
        probabilities=np.array(
            [[0.9, 0.6, 0.1, 0.1], [0.2, 0.7, 0.1, 0.3], [0.1, 0.3, 0.2, 0.7], [0, 0, 0, 1]]
        ),
        multi_label=True,
        threshold=0.5,
    )
    assert clips.metrics["family_accuracy"] == pytest.approx(2 / 3)
    assert "family_accuracy" not in ONE.metrics and SEVERAL.metrics["family_accuracy"] == 1


def test_confusion() -> None:
    names, counts = ONE.confusion_matrix
    assert names == ["jazz", "rock", "unknown"]
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    names, counts = SEVERAL.confusion_matrix  # without a, which has two labels
    assert names == ["piano", "violin", "unknown"]
    assert counts.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_one_label_alone() -> None:
    """The metrics hold also where one label is all there is."""
    alone = replace(
        SEVERAL,
        outputs=["piano", "unknown"],
        references=SEVERAL.references[:2, ::2],
        probabilities=SEVERAL.probabilities[:2, ::2],
    )
    assert (
        alone.metrics["macro_f1"] == alone.metrics["accuracy"] == alone.metrics["mean_average_precision"] == 1
    )
