"""Wrong arguments of a training: one line each, in the spelling of the command line."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn.cli.fit_errors import name_backbones
from tests.training_warnings import FEW_WORKERS, OLD_NAMES, ignore

RATE = 16_000
QUIET = (
    *("--config", "genre_folder", "--data.path", "music", "--data.loader.workers=0"),
    *("--data.loader.cache=cache", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"),
    *("--trainer.enable_model_summary=false", "--trainer.logger=false", "--trainer.callbacks=null"),
    *("--trainer.default_root_dir=runs", "--model.window_s=0.5"),
)
pytestmark = ignore(*OLD_NAMES, FEW_WORKERS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--config x", "--config x"),
        (
            "--model.backbone tcn --trainer.max_epochs 3",
            "--model.backbone=audiocnn.create_backbone --model.backbone.name=tcn --trainer.max_epochs 3",
        ),
        ("--model.backbone=ResNet", "--model.backbone=audiocnn.backbones.ResNet"),
        ("--model.backbone.class_path VGG -c y", "--model.backbone=audiocnn.backbones.VGG -c y"),
        ("--model.backbone my_package.Net", "--model.backbone=my_package.Net"),
        ("--model.backbone.name tcn", "--model.backbone.name tcn"),
        ("--model.backbone --model.drop 0", "--model.backbone --model.drop 0"),
        ("", ""),
    ],
)
def test_a_backbone_is_given_by_its_name_alone(words: str, expected: str) -> None:
    assert name_backbones(words.split()) == expected.split()


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Half a second of tones in folders of two classes, in the folder where the command line runs."""
    monkeypatch.chdir(tmp_path)
    time_s = np.arange(RATE // 2) / RATE
    for label, hz in {"low": 220, "high": 880}.items():
        folder = tmp_path / "music" / label
        folder.mkdir(parents=True)
        for number in range(6):
            tone = 0.1 * np.sin(2 * np.pi * (hz + number) * time_s)
            soundfile.write(folder / f"{number}.wav", tone, RATE)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        ("--model.backbone resnt18", 2, "backbone is 'resnt18', expected one of .*did you mean resnet18 or"),
        ("--model.backbone.norm bacth", 2, "--model.backbone.norm is 'bacth', expected one of batch, "),
        ("--model.learning_rate -1", 2, "--model.learning_rate is -1.0, expected "),
        (
            "--model.front_end.sample_rate 32000 --data.sample_rate 16000",
            2,
            "sample_rate of the data is 16000, ",
        ),
        ("--data.crops.window_s 1", 2, "window_s of the data is 1.0, expected that of the model, 0.5"),
        (
            "--model.start_from nope.ckpt",
            1,
            "nope.ckpt: no such file on this machine, nor a run with best.ckpt",
        ),
        ("--model.start_from genre", 1, "genre: is of another backbone: "),
        (
            "--model.front_end audiocnn.frontends.Waveform --model.front_end.sample_rate 16000",
            2,
            "--model.backbone.dims is 2, expected 1: the front end Waveform has 1 bin",
        ),
        ("--data.labels [low,high,loud]", 2, "of 8 clips to train on none has the label loud"),
    ],
)
def test_a_wrong_argument_is_one_line(run, music: Path, words: str, status: int, line: str) -> None:
    done = run("fit", *QUIET, *words.split())
    *_, last = done.err
    assert done.status == status, done.err
    assert (last if status == 1 else last.removeprefix("audiocnn fit: ")).startswith(line.partition(".*")[0])
    assert line.rpartition(".*")[2] in last
    assert "Traceback" not in "".join(done.err)
    assert not list(music.glob("runs/**/*.ckpt"))


@pytest.mark.parametrize("name", ["tcn_small", "TemporalNet"])
def test_a_network_over_time_trains_by_its_name_alone(run, music: Path, name: str) -> None:
    done = run("fit", *QUIET, "--model.backbone", name)
    assert done.status == 0, done.err
