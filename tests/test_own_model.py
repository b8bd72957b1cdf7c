"""A model of one's own in three commands, fit, export and classify; also with a package's own parts."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from audiocnn.cli import main
from audiocnn.models.clips import ClipModel
from audiocnn.models.load import load
from tests.training_warnings import FEW_WORKERS, OLD_NAMES, ignore

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "genre_folder.yaml"
RATE = 16_000
CLASSES = {"bells": 1900, "hum": 150, "whistle": 5200}  # Hz
N_CLIPS = 12  # of each class
SMALL = (
    "--trainer.max_epochs=12",
    "--data.crops={augment: null}",
    "--model.window_s=1",
    "--data.loader.workers=0",
)
QUIET = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")

pytestmark = ignore(*OLD_NAMES, FEW_WORKERS, "Checkpoint directory .* exists and is not empty")


def made_up(hz: float, rng: np.random.Generator, duration_s: float = 1.5) -> np.ndarray:
    """A tone near a frequency, loud or soft, in a little noise."""
    time_s = np.arange(round(duration_s * RATE)) / RATE
    tone = np.sin(2 * np.pi * hz * rng.uniform(0.95, 1.05) * time_s + rng.uniform(0, 6))
    return rng.uniform(0.05, 0.5) * (tone + 0.01 * rng.standard_normal(len(time_s)))


def write(folder: Path, n_clips: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for label, hz in CLASSES.items():
        (folder / label).mkdir(parents=True)
        for number in range(n_clips):
            soundfile.write(folder / label / f"{number}.wav", made_up(hz, rng), RATE)


@pytest.mark.slow
def test_from_a_folder_to_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["audiocnn"])
    write(tmp_path / "my_music", N_CLIPS, seed=0)
    write(tmp_path / "new", 4, seed=1)

    started_s = time.process_time()
    assert main(["fit", "--config", str(CONFIG), "--data.path", "my_music/", *SMALL, *QUIET]) == 0
    assert main(["export", "my.safetensors", "--checkpoint", "runs/genre_folder"]) == 0
    assert time.process_time() - started_s < 120  # of the processor: under a minute on two cores
    assert load("my.safetensors", kind=ClipModel).labels == sorted(CLASSES)

    capsys.readouterr()
    assert main(["classify", "new", "--model", "my.safetensors", "--output", "out"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 12
    for label in CLASSES:
        for path in sorted((tmp_path / "out" / label).glob("*.my.json")):
            document = json.loads(path.read_text())
            assert (document["predictions"], document["unknown"]) == ([label], False)

    assert main(["evaluate", "genre", "new", "--model", "my.safetensors"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("12 clips"))
    assert row.split()[2:5] == ["100.0", "100.0", "100.0"]


PLUGIN = Path(__file__).parent / "plugin" / "tiny_audiocnn"
ENTRY_POINTS = """
[audiocnn.backbones]
TinyNet = tiny_audiocnn.backbone
[audiocnn.frontends]
BandLevels = tiny_audiocnn.front_end
[audiocnn.layouts]
tiny = tiny_audiocnn.data:TINY
"""
TINY = {
    "trainer": {"max_epochs": 30, "accelerator": "cpu", "logger": False, "enable_checkpointing": True},
    "model": {
        "class_path": "audiocnn.training.clips.GenreTask",
        "init_args": {
            "front_end": {
                "class_path": "tiny_audiocnn.front_end.BandLevels",
                "init_args": {"sample_rate": RATE},
            },
            "backbone": {"class_path": "tiny_audiocnn.backbone.TinyNet", "init_args": {"in_channels": 32}},
            "window_s": 1.0,
            "learning_rate": 0.02,
        },
    },
    "data": {
        "class_path": "audiocnn.datasets.clips.loader.ClipsDataModule",
        "init_args": {
            "path": "my_music",
            "layout": "tiny",
            "loader": {"batch_size": 12, "workers": 0},
        },
    },
}


def install(site: Path, *, announced: bool) -> None:
    """Puts the package into a folder of packages as pip would; unless announced, without its entry points."""
    shutil.copytree(PLUGIN, site / "tiny_audiocnn")
    if announced:
        metadata = site / "tiny_audiocnn-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-audiocnn\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(ENTRY_POINTS)


def run(*arguments: str, site: Path, imports: str = "audiocnn.cli") -> subprocess.CompletedProcess[str]:
    """`audiocnn ARGUMENTS` in a process of its own that finds the packages of a folder."""
    program = f"import sys, {imports}; from audiocnn.cli import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])}
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.slow
def test_a_package_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its backbone and front end train on its data set and classify, in processes that never import them."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "by_label", N_CLIPS, seed=0)
    Path("my_music", "tiny").mkdir(parents=True)
    for path in Path("by_label").glob("*/*.wav"):
        path.rename(Path("my_music", "tiny", f"{path.parent.name}_{path.name}"))
    write(tmp_path / "new", 2, seed=1)
    Path("tiny.yaml").write_text(yaml.safe_dump(TINY))
    site, unannounced, empty = (tmp_path / name for name in ("site", "unannounced", "empty"))
    install(site, announced=True)
    install(unannounced, announced=False)

    assert "made up" in run("data", "info", "tiny", site=site).stdout
    done = run("fit", "--config", "tiny.yaml", *QUIET, site=site)
    assert done.returncode == 0, done.stderr
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    done = run("export", "my.safetensors", "--checkpoint", str(checkpoint), site=site)
    assert done.returncode == 0, done.stderr

    done = run("classify", "new", "--model", "my.safetensors", "--output", "out", site=site)
    assert done.returncode == 0, done.stderr
    for label in CLASSES:
        documents = [json.loads(path.read_text()) for path in (tmp_path / "out" / label).glob("*.json")]
        assert [document["predictions"] for document in documents] == [[label]] * 2

    refused = (
        "my.safetensors: class BandLevels is not registered; install or import the package tiny_audiocnn"
    )
    for folder in (unannounced, empty):
        done = run("classify", "new", "--model", "my.safetensors", "--output", "out2", site=folder)
        assert done.returncode == 1
        assert refused in done.stderr
    imports = "tiny_audiocnn.backbone, tiny_audiocnn.front_end"
    done = run("models", "tiny", site=unannounced, imports=imports)
    assert "tiny" in done.stdout
    done = run(
        *("classify", "new", "--model", "my.safetensors", "--output", "out3"),
        site=unannounced,
        imports=imports,
    )
    assert done.returncode == 0, done.stderr
