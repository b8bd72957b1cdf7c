"""Reports on labels: what the folder holds, and that it agrees with the metrics."""

import json
from pathlib import Path

import matplotlib.image
import pytest

from audiocnn import evaluate
from audiocnn.datasets.clips.sources import Clip
from audiocnn.models.clips import ClipModel
from audiocnn.models.load import load


def test_report(album: Path, clips: list[Clip], one_tone: Path, tmp_path: Path) -> None:
    report = evaluate.evaluate_clips(clips, [load(one_tone, kind=ClipModel)], album)
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
