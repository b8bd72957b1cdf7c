"""Clips with reference labels evaluated by models of tones; recordings from their clips."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiocnn import evaluate, files
from audiocnn.datasets.clips.sources import Clip
from audiocnn.models.clips import ClipModel
from audiocnn.models.load import load


def test_clips_and_recordings(album: Path, clips: list[Clip], one_tone: Path) -> None:
    read: list[Path] = []
    model = load(one_tone, kind=ClipModel)
    report = evaluate.evaluate_clips(clips, [model], album, progress=read.append)
    assert [path.name for path in read] == ["low.wav", "high.wav", "none.wav", "both.wav"]
    assert report.clips.names == [
        *("low.wav", "high.wav", "none.wav", "both.wav 0-1.5 s", "both.wav 1.5-3 s", "both.wav 3- s"),
    ]
    assert report.clips.metrics["accuracy"] == pytest.approx(5 / 6)
    assert [report.clips.outputs[i] for i in report.clips.predicted_index] == [
        *("low", "high", "unknown", "low", "low", "middle"),
    ]
    assert report.recordings is not None
    assert report.recordings.names == ["low.wav", "high.wav", "none.wav", "both.wav", "both.wav"]
    np.testing.assert_allclose(
        report.recordings.probabilities[3], report.clips.probabilities[3:5].mean(axis=0)
    )
    assert (report.unreadable, report.models) == ({}, ["one"])
    # Whole files of no group are recordings already.
    assert evaluate.evaluate_clips(clips[:3], [model], album).recordings is None


def test_groups(album: Path, clips: list[Clip], one_tone: Path) -> None:
    grouped = [replace(clip, group="take 1") for clip in clips[:2]]
    report = evaluate.evaluate_clips(grouped, [load(one_tone, kind=ClipModel)], album)
    assert report.recordings is not None
    assert report.recordings.names == ["take 1"]
    np.testing.assert_allclose(report.recordings.probabilities[0], [0.5, 0, 0.5, 0], atol=1e-3)


def test_several_labels(album: Path, clips: list[Clip], many_tones: Path) -> None:
    report = evaluate.evaluate_clips(clips, [load(many_tones, kind=ClipModel)], album)
    assert report.clips.outputs == ["low", "middle", "high", "unknown"]
    assert report.clips.metrics["accuracy"] == pytest.approx(5 / 6)
    np.testing.assert_allclose(report.clips.probabilities[0], [1, 0, 0, 0], atol=2e-3)


def test_failures(album: Path, clips: list[Clip], tmp_path: Path, one_tone: Path) -> None:
    (tmp_path / "bad.wav").write_text("la la la\n" * 1000)
    models = [load(one_tone, kind=ClipModel)]
    broken, late = Clip(tmp_path / "bad.wav", ("low",)), Clip(album / "low.wav", ("low",), 5.0)
    report = evaluate.evaluate_clips([broken, late, *clips[1:]], models, album)
    assert len(report.clips.names) == 5
    assert list(report.unreadable) == [str(tmp_path / "bad.wav"), "low.wav 5- s"]
    assert (
        report.unreadable["low.wav 5- s"]
        == f"{album}/low.wav: start is 5.0 s, expected less than its end, 2.0 s"
    )
    with pytest.raises(files.FileError, match=r"no file could be read; .*bad\.wav: no audio"):
        evaluate.evaluate_clips([broken], models, tmp_path)
    with pytest.raises(ValueError, match=r"that the model lacks: drone \(1\), expected low, middle, high"):
        evaluate.evaluate_clips([replace(broken, labels=("drone",))], models)
