"""Labels against what is right: figures by hand and by scikit-learn, recordings from pieces, and the page."""

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
    targets=np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
    values=np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1], [0.1, 0.8, 0, 0.1], [0.1, 0.1, 0.1, 0.7]]),
    multi_label=False,
    threshold=0.5,
)
SEVERAL = Predictions(
    names=["a", "b", "c", "d"],
    outputs=["piano", "violin", "unknown"],
    targets=np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    values=np.array([[0.9, 0.6, 0.1], [0.8, 0.7, 0.2], [0.1, 0.4, 0.6], [0.2, 0.1, 0.8]]),
    multi_label=True,
    threshold=0.5,
)


def test_one_label_by_hand() -> None:
    """b, jazz, is taken for rock."""
    assert ONE.answers.tolist() == [0, 1, 1, 3]
    assert ONE.right.tolist() == [True, False, True, True]
    assert set(ONE.classes) == {"jazz", "rock", "unknown"}  # nothing is pop
    jazz, rock = ONE.classes["jazz"], ONE.classes["rock"]
    assert jazz == pytest.approx(
        {"clips": 2, "precision": 1, "recall": 1 / 2, "f1": 2 / 3, "average_precision": 1}
    )
    assert rock == pytest.approx(
        {"clips": 1, "precision": 1 / 2, "recall": 1, "f1": 2 / 3, "average_precision": 1}
    )
    assert ONE.figures == pytest.approx(
        {
            "accuracy": 3 / 4,
            "f1": (2 / 3 + 2 / 3 + 1) / 3,
            "map": 1.0,
            # Bins of 1/15: 0.6 is wrong; 0.7 twice and 0.8 are right.
            "calibration_error": (0.6 + 0.3 + 0.3 + 0.2) / 4,
        }
    )


def test_several_labels_by_hand() -> None:
    """b has a violin that is not there; in c nothing is heard."""
    assert SEVERAL.answers.tolist() == [0, 0, 2, 2]
    assert SEVERAL.right.tolist() == [True, True, False, True]
    assert SEVERAL.heard.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert SEVERAL.classes["piano"]["f1"] == 1
    violin = SEVERAL.classes["violin"]
    assert (violin["precision"], violin["recall"]) == (1 / 2, 1 / 2)
    # Of 0.7 no, 0.6 yes, 0.4 yes: the precision at the second is 1/2, at the third 2/3.
    assert violin["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert SEVERAL.figures["accuracy"] == 3 / 4


def test_families_of_instruments_by_hand() -> None:
    """A cello for a violin is right, a trumpet is not; what is faint counts, what has no label does not."""
    clips = Predictions(
        names=["a", "b", "c", "d"],
        outputs=["cello", "trumpet", "violin", "unknown"],
        targets=np.array([[0, 0, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
        values=np.array([[0.9, 0.6, 0.1, 0.1], [0.2, 0.7, 0.1, 0.3], [0.1, 0.3, 0.2, 0.7], [0, 0, 0, 1]]),
        multi_label=True,
        threshold=0.5,
    )
    assert clips.figures["family"] == pytest.approx(2 / 3)
    assert "family" not in ONE.figures and SEVERAL.figures["family"] == 1


def test_confusion() -> None:
    names, counts = ONE.confusion
    assert names == ["jazz", "rock", "unknown"]
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    names, counts = SEVERAL.confusion  # without a, which has two labels
    assert names == ["piano", "violin", "unknown"]
    assert counts.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_one_label_alone() -> None:
    """The figures hold also where one label is all there is."""
    alone = replace(
        SEVERAL,
        outputs=["piano", "unknown"],
        targets=SEVERAL.targets[:2, ::2],
        values=SEVERAL.values[:2, ::2],
    )
    assert alone.figures["f1"] == alone.figures["accuracy"] == alone.figures["map"] == 1


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
        Clip(album / "high.wav", ("low",)),  # said to be low
        Clip(album / "none.wav", ()),
        Clip(album / "both.wav", ("low",), 0.0, 1.5),
        Clip(album / "both.wav", ("low",), 1.5, 3.0),
        Clip(album / "both.wav", ("middle",), 3.0),
    ]


def test_clips_and_recordings(album: Path, one_tone: Path) -> None:
    told: list[Path] = []
    model = load_clips(one_tone)
    report = evaluate.evaluate_clips(clips(album), [model], album, progress=told.append)
    assert [path.name for path in told] == ["low.wav", "high.wav", "none.wav", "both.wav"]
    assert report.clips.names == [
        *("low.wav", "high.wav", "none.wav", "both.wav 0-1.5 s", "both.wav 1.5-3 s", "both.wav 3- s"),
    ]
    assert report.clips.figures["accuracy"] == pytest.approx(5 / 6)
    assert [report.clips.outputs[i] for i in report.clips.answers] == [
        *("low", "high", "unknown", "low", "low", "middle"),
    ]
    assert report.recordings is not None
    assert report.recordings.names == ["low.wav", "high.wav", "none.wav", "both.wav", "both.wav"]
    np.testing.assert_allclose(report.recordings.values[3], report.clips.values[3:5].mean(axis=0))
    assert (report.failed, report.models) == ({}, ["one"])
    # Whole files of no group are recordings already.
    assert evaluate.evaluate_clips(clips(album)[:3], [model], album).recordings is None


def test_groups(album: Path, one_tone: Path) -> None:
    grouped = [replace(clip, group="take 1") for clip in clips(album)[:2]]
    report = evaluate.evaluate_clips(grouped, [load_clips(one_tone)], album)
    assert report.recordings is not None
    assert report.recordings.names == ["take 1"]
    np.testing.assert_allclose(report.recordings.values[0], [0.5, 0, 0.5, 0], atol=1e-3)


def test_several_labels(album: Path, many_tones: Path) -> None:
    report = evaluate.evaluate_clips(clips(album), [load_clips(many_tones)], album)
    assert report.clips.outputs == ["low", "middle", "high", "unknown"]
    assert report.clips.figures["accuracy"] == pytest.approx(5 / 6)
    np.testing.assert_allclose(report.clips.values[0], [1, 0, 0, 0], atol=2e-3)


def test_failures(album: Path, tmp_path: Path, one_tone: Path) -> None:
    (tmp_path / "bad.wav").write_text("la la la\n" * 1000)
    models = [load_clips(one_tone)]
    broken, late = Clip(tmp_path / "bad.wav", ("low",)), Clip(album / "low.wav", ("low",), 5.0)
    report = evaluate.evaluate_clips([broken, late, *clips(album)[1:]], models, album)
    assert len(report.clips.names) == 5
    assert list(report.failed) == [str(tmp_path / "bad.wav"), "low.wav"]
    assert report.failed["low.wav"] == f"{album}/low.wav: start is 5.0 s, expected less than its end, 2.0 s"
    with pytest.raises(files.FileError, match=r"no file could be heard; .*bad\.wav: no audio"):
        evaluate.evaluate_clips([broken], models, tmp_path)
    with pytest.raises(ValueError, match="clips have drone, expected low, middle, high"):
        evaluate.evaluate_clips([replace(broken, labels=("drone",))], models)


def test_page(album: Path, one_tone: Path, tmp_path: Path) -> None:
    report = evaluate.evaluate_clips(clips(album), [load_clips(one_tone)], album)
    evaluate.write(report, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("calibration.png", "confusion.png", "report.md", "results.json"),
    ]
    document = json.loads((tmp_path / "results.json").read_text())
    assert list(document) == ["models", "clips", "recordings", "failed"]
    assert document["clips"]["figures"]["accuracy"] == pytest.approx(5 / 6)
    assert document["clips"]["classes"]["low"]["clips"] == 4
    first = document["clips"]["results"][1]
    assert (first["name"], first["right"], first["answer"]) == ("high.wav", ["low"], "high")
    assert next(iter(first["probabilities"])) == "high"
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    lines = (tmp_path / "report.md").read_text().splitlines()
    assert lines[0] == "# one: how right it is"
    figures = " | ".join(f"{100 * figure:.1f}" for figure in report.clips.figures.values())
    assert f"| 6 clips | {figures} |" in lines
    assert any(line.startswith("| low | 4 | 100.0 | 75.0 | 85.7 | ") for line in lines)
    assert "| high.wav | low | high 100 % |" in lines
    for name in ("confusion", "calibration"):
        assert any(f"]({name}.png)" in line for line in lines)
        plot = matplotlib.image.imread(tmp_path / f"{name}.png")
        assert plot.shape[0] > 200 and plot.shape[1] > 400
        assert plot[..., :3].min() < 0.3 and plot[..., :3].max() == 1  # dark on white
