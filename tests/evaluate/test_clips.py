"""Predicted against reference labels: metrics by hand, recordings from their clips, and the report."""

import json
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile

from audiocnn import evaluate, files
from audiocnn.datasets.clips.sources import Clip
from audiocnn.evaluate import Predictions
from audiocnn.models.load import load_clips

RATE = 16_000
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
    assert ONE.best.tolist() == [0, 1, 1, 3]
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
    assert SEVERAL.best.tolist() == [0, 0, 2, 2]
    assert SEVERAL.correct.tolist() == [True, True, False, True]
    assert SEVERAL.estimates.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]]
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


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, tone) -> Path:
    """A low and a high tone, silence, and a file with a low tone and then a middle one."""
    folder = tmp_path_factory.mktemp("album")
    both = np.concatenate([tone("low", duration_s=3), tone("middle", duration_s=2)])
    for name, samples in {"low": tone("low"), "high": tone("high"), "none": tone(), "both": both}.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE)
    return folder


def clips(album: Path) -> list[Clip]:
    return [
        Clip(album / "low.wav", ("low",)),
        Clip(album / "high.wav", ("low",)),  # labelled low
        Clip(album / "none.wav", ()),
        Clip(album / "both.wav", ("low",), 0.0, 1.5),
        Clip(album / "both.wav", ("low",), 1.5, 3.0),
        Clip(album / "both.wav", ("middle",), 3.0),
    ]


def test_clips_and_recordings(album: Path, one_tone: Path) -> None:
    read: list[Path] = []
    model = load_clips(one_tone)
    report = evaluate.evaluate_clips(clips(album), [model], album, progress=read.append)
    assert [path.name for path in read] == ["low.wav", "high.wav", "none.wav", "both.wav"]
    assert report.clips.names == [
        *("low.wav", "high.wav", "none.wav", "both.wav 0-1.5 s", "both.wav 1.5-3 s", "both.wav 3- s"),
    ]
    assert report.clips.metrics["accuracy"] == pytest.approx(5 / 6)
    assert [report.clips.outputs[i] for i in report.clips.best] == [
        *("low", "high", "unknown", "low", "low", "middle"),
    ]
    assert report.recordings is not None
    assert report.recordings.names == ["low.wav", "high.wav", "none.wav", "both.wav", "both.wav"]
    np.testing.assert_allclose(
        report.recordings.probabilities[3], report.clips.probabilities[3:5].mean(axis=0)
    )
    assert (report.unreadable, report.models) == ({}, ["one"])
    # Whole files of no group are recordings already.
    assert evaluate.evaluate_clips(clips(album)[:3], [model], album).recordings is None


def test_groups(album: Path, one_tone: Path) -> None:
    grouped = [replace(clip, group="take 1") for clip in clips(album)[:2]]
    report = evaluate.evaluate_clips(grouped, [load_clips(one_tone)], album)
    assert report.recordings is not None
    assert report.recordings.names == ["take 1"]
    np.testing.assert_allclose(report.recordings.probabilities[0], [0.5, 0, 0.5, 0], atol=1e-3)


def test_several_labels(album: Path, many_tones: Path) -> None:
    report = evaluate.evaluate_clips(clips(album), [load_clips(many_tones)], album)
    assert report.clips.outputs == ["low", "middle", "high", "unknown"]
    assert report.clips.metrics["accuracy"] == pytest.approx(5 / 6)
    np.testing.assert_allclose(report.clips.probabilities[0], [1, 0, 0, 0], atol=2e-3)


def test_failures(album: Path, tmp_path: Path, one_tone: Path) -> None:
    (tmp_path / "bad.wav").write_text("la la la\n" * 1000)
    models = [load_clips(one_tone)]
    broken, late = Clip(tmp_path / "bad.wav", ("low",)), Clip(album / "low.wav", ("low",), 5.0)
    report = evaluate.evaluate_clips([broken, late, *clips(album)[1:]], models, album)
    assert len(report.clips.names) == 5
    assert list(report.unreadable) == [str(tmp_path / "bad.wav"), "low.wav"]
    assert (
        report.unreadable["low.wav"] == f"{album}/low.wav: start is 5.0 s, expected less than its end, 2.0 s"
    )
    with pytest.raises(files.FileError, match=r"no file could be read; .*bad\.wav: no audio"):
        evaluate.evaluate_clips([broken], models, tmp_path)
    with pytest.raises(ValueError, match="clips have drone, expected low, middle, high"):
        evaluate.evaluate_clips([replace(broken, labels=("drone",))], models)


def test_report(album: Path, one_tone: Path, tmp_path: Path) -> None:
    report = evaluate.evaluate_clips(clips(album), [load_clips(one_tone)], album)
    evaluate.write_report(report, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("calibration.png", "confusion.png", "report.md", "results.json"),
    ]
    document = json.loads((tmp_path / "results.json").read_text())
    assert list(document) == ["models", "clips", "recordings", "unreadable"]
    assert document["clips"]["metrics"]["accuracy"] == pytest.approx(5 / 6)
    assert document["clips"]["labels"]["low"]["n_reference"] == 4
    first = document["clips"]["predictions"][1]
    assert (first["name"], first["reference"], first["prediction"]) == ("high.wav", ["low"], "high")
    assert next(iter(first["probabilities"])) == "high"
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    lines = (tmp_path / "report.md").read_text().splitlines()
    assert lines[0] == "# Evaluation of one"
    metrics = " | ".join(f"{100 * metric:.1f}" for metric in report.clips.metrics.values())
    assert f"| 6 clips | {metrics} |" in lines
    assert any(line.startswith("| low | 4 | 100.0 | 75.0 | 85.7 | ") for line in lines)
    assert "| high.wav | low | high 100 % |" in lines
    for name in ("confusion", "calibration"):
        assert any(f"]({name}.png)" in line for line in lines)
        plot = matplotlib.image.imread(tmp_path / f"{name}.png")
        assert plot.shape[0] > 200 and plot.shape[1] > 400
        assert plot[..., :3].min() < 0.3 and plot[..., :3].max() == 1  # dark on white
