"""Every config stands; smoke.yaml trains and resumes, and what it learned is exported and transcribes."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
import yaml

import audiocnn
from audiocnn import files, formats
from audiocnn.cli import main, training
from audiocnn.cli.configs import find_config, list_configs
from audiocnn.cli.training import CommandLine
from audiocnn.datasets.clips.loader import ClipsDataModule
from audiocnn.datasets.images.folder import ImageFolderDataModule
from audiocnn.datasets.images.mnist_loader import MnistDataModule
from audiocnn.datasets.notes import cache
from audiocnn.datasets.notes.loader import NotesDataModule
from audiocnn.models import weights
from audiocnn.models.file import REGISTRIES, check_described, describe_tensors, read_model
from audiocnn.training.autoencoder import AutoencoderTask
from audiocnn.training.base import Task
from audiocnn.training.callbacks.checkpoints import Checkpoints
from audiocnn.training.callbacks.loggers import MetricsLogger
from audiocnn.training.checkpoint import PARTS, TASKS, describe_task
from audiocnn.training.checks import SHARED
from audiocnn.training.clips import ClipTask
from audiocnn.training.contrastive import ContrastiveTask
from audiocnn.training.image import ImageTask
from audiocnn.training.notes import NotesTask
from audiocnn.training.style import StyleTask
from audiocnn.training.text import TextTask
from tests.training_warnings import FEW_WORKERS, OLD_NAMES, ignore

ROOT = Path(__file__).parents[1]
# Those of `audiocnn fit`; searches and sweeps have tests of their own.
OTHERS = ("base", "search", "sweep")
CONFIGS = [path for path in sorted((ROOT / "configs").glob("*.yaml")) if not path.stem.startswith(OTHERS)]
SMOKE = ROOT / "configs" / "smoke.yaml"
RATE = cache.SAMPLE_RATE

pytestmark = ignore(
    *OLD_NAMES,
    FEW_WORKERS,
    "Checkpoint directory .* exists and is not empty",
    ".*there is no last checkpoint available",
)


@pytest.fixture
def lightning_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in; what Lightning reads from the process is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["audiocnn"])
    return tmp_path


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], CommandLine]:
    """Makes what `audiocnn fit --config NAME` makes, in the folder of the repository."""

    def resolved(config: Path) -> CommandLine:
        monkeypatch.chdir(ROOT)
        text, given = config.read_text(), []
        if "ClipsDataModule" in text:
            given = ["--data.labels=[jazz,rock]"]  # for which else the clips would be read
        elif "ImageTask" in text and "n_classes" not in text:
            given = ["--model.labels=[sea,street]"]
        monkeypatch.setattr(sys, "argv", ["audiocnn", "--config", config.stem, *given])
        cli = CommandLine(run=False)
        cli.trainer.strategy.connect(cli.model)
        cli.datamodule.trainer = cli.trainer  # which asks its model
        return cli

    return resolved


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_stands(config: Path, resolved: Callable[[Path], CommandLine]) -> None:
    start_from = yaml.safe_load(config.read_text())["model"]["init_args"].get("start_from")
    if start_from and not (ROOT / weights.path(start_from)).exists():
        pytest.skip(f"{start_from} is not there yet")
    cli = resolved(config)
    check_trainer(config, cli.trainer)
    check_description(cli.model)
    with torch.inference_mode():
        next(stand for kind, stand in STANDS.items() if isinstance(cli.model, kind))(
            cli.model.eval(), cli.datamodule
        )


def check_description(task: Task) -> None:
    """What a checkpoint says of its task is enough to build it again."""
    description = json.loads(str(describe_task(task)))["task"]
    description["init_args"].pop("start_from", None)
    check_described(description, describe_tensors(task.state_dict()), (TASKS, PARTS, *REGISTRIES))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_what_data_and_model_share_stands_once(config: Path) -> None:
    """In the model; the data take it from there, see `datasets.defaults`."""
    text = yaml.safe_load(config.read_text())
    model, data = text["model"]["init_args"], text["data"]["init_args"]
    of_model = {*model, *model.get("front_end", {}).get("init_args", {})}
    of_data = {*data, *data.get("crops", {}), *data.get("segments", {})}
    assert not of_model & of_data & {*SHARED}


def check_trainer(config: Path, trainer: lightning.Trainer) -> None:
    """The best and the last epoch are kept, and all that a training writes is in its folder."""
    folder = str(Path("runs", config.stem))
    kept = [
        callback.monitor for callback in trainer.checkpoint_callbacks if isinstance(callback, Checkpoints)
    ]
    wanted = (
        "callbacks" in yaml.safe_load(config.read_text())["trainer"]
    )  # else a table of choices: not resumed
    assert len(kept) == wanted and all(kept)
    assert trainer.default_root_dir == folder
    assert sum(isinstance(one, MetricsLogger) for one in trainer.loggers) == 1


def notes_stand(task: NotesTask, data: NotesDataModule) -> None:
    assert data.framing.sample_rate == task.sample_rate
    assert data.framing.hop_length == task.front_end.hop_length
    scores = task.scores(torch.zeros(1, task.sample_rate))
    assert scores["onset"].shape == (1, 88, 1 + task.sample_rate // task.front_end.hop_length)


def image_stands(task: ImageTask, data: lightning.LightningDataModule) -> None:
    if isinstance(data, ImageFolderDataModule | MnistDataModule):  # whose images are not here
        assert task(torch.zeros(2, data.channels, data.size, data.size)).shape == (2, task.n_classes)
        return
    data.setup()
    images, classes = next(iter(data.val_dataloader()))
    assert task(images).shape == (len(images), task.n_classes)
    assert classes.max() < task.n_classes


def text_stands(task: TextTask, data: lightning.LightningDataModule) -> None:
    assert data.n_tokens == task.n_tokens
    assert task(torch.randint(data.n_tokens, (2, 9))).shape == (2, task.n_classes)


def autoencoder_stands(task: AutoencoderTask, data: lightning.LightningDataModule) -> None:
    data.setup()
    images, _ = next(iter(data.val_dataloader()))
    assert task(images).shape == images.shape


def clips_stand(task: ClipTask, data: ClipsDataModule) -> None:
    assert task.labels == data.labels == ["jazz", "rock"]
    assert data.sample_rate == task.sample_rate
    assert data.cropping.n_samples == task.n_window
    assert task(torch.zeros(1, task.n_window)).shape == (1, len(task.outputs))


def contrastive_stands(task: ContrastiveTask, data: ClipsDataModule) -> None:
    assert data.sample_rate == task.sample_rate
    assert task(torch.zeros(2, data.cropping.n_samples // 2)).shape == (2, 256)


def style_stands(task: StyleTask, data: ImageFolderDataModule) -> None:
    shown = torch.rand(1, 3, data.size, data.size)
    made = task.network.paint(shown, [shown] if task.network.style_names is None else [])
    assert made.shape == shown.shape


STANDS = {
    StyleTask: style_stands,
    ContrastiveTask: contrastive_stands,
    NotesTask: notes_stand,
    ImageTask: image_stands,
    TextTask: text_stands,
    AutoencoderTask: autoencoder_stands,
    ClipTask: clips_stand,
}


def test_every_config_says_in_one_line_what_it_is_for() -> None:
    shipped = list_configs()
    assert len(shipped) >= 21 and "base" not in shipped
    for name, line in shipped.items():
        assert 10 < len(line) <= 100 and not line.endswith("."), name


def test_a_config_is_found_by_name_in_any_folder_and_a_file_comes_first(lightning_cli: Path) -> None:
    assert find_config("genre") == ROOT / "configs" / "genre.yaml"
    Path("genre").write_text("")
    assert find_config("genre") == Path("genre")
    with pytest.raises(files.FileError, match=r"jazz: no such file, and no shipped config .*genre_folder"):
        find_config("jazz")


def melody(seed: int, duration_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Tones that fade, now and then three at once: samples, and rows of onset_s, offset_s, midi, velocity."""
    rng, onset_s, rows = np.random.default_rng(seed), 0.3, []
    samples = np.zeros(round(duration_s * RATE), np.float32)
    while onset_s < duration_s - 1:
        for midi in rng.choice(np.arange(48, 90), rng.integers(1, 4), replace=False):
            rows.append((onset_s, onset_s + rng.uniform(0.2, 0.6), midi, 64))
        onset_s += rng.uniform(0.3, 0.8)
    for onset_s, offset_s, midi, _ in rows:
        time_s = np.arange(round((offset_s - onset_s) * RATE)) / RATE
        edges = np.clip(np.minimum(time_s / 0.01, (offset_s - onset_s - time_s) / 0.02), 0, 1)
        tone = 0.2 * edges * np.exp(-time_s) * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time_s)
        samples[round(onset_s * RATE) :][: len(tone)] += tone
    return samples, np.array(rows)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache as `audiocnn data prepare` makes them."""
    folder = tmp_path_factory.mktemp("tones")
    for name, seed in (("train/one", 0), ("train/two", 1), ("validation/three", 2)):
        cache.write_recording(folder / name, *melody(seed, duration_s=15))
    return folder


@pytest.fixture
def fit(lightning_cli: Path, tones: Path) -> Callable[..., int]:
    """Runs a training verb of smoke.yaml on the tones."""

    def fit(*arguments: str, verb: str = "fit") -> int:
        fixed = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")
        return main([verb, "--config", str(SMOKE), f"--data.caches=[{tones}]", *fixed, *arguments])

    return fit


@pytest.mark.slow
def test_trains_exports_and_transcribes(
    fit, lightning_cli: Path, tones: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit() == 0
    (run,) = (lightning_cli / "runs" / "smoke").iterdir()
    assert {"best.ckpt", "config.yaml", "last.ckpt", "metrics.csv"} <= {path.name for path in run.iterdir()}
    last, out = run / "last.ckpt", lightning_cli / "tones.safetensors"
    assert main(["export", str(out), "--checkpoint", str(last)]) == 0
    task, trained = read_model(out), torch.load(last, weights_only=True)
    assert trained["global_step"] == 80
    for name, tensor in trained["state_dict"].items():
        assert torch.equal(task.state_dict()[name], tensor), name

    # The whole way: what was learned hears, in a file, the notes of a melody that it has not been trained on.
    capsys.readouterr()
    report = lightning_cli / "report.json"
    options = ["--model", str(out), "--output", str(report)]
    assert main(["evaluate", "notes", str(tones / "validation"), *options]) == 0
    assert main(["transcribe", str(tones / "validation"), "--model", str(out), "--formats", "csv"]) == 0
    recording = tones / "validation" / "three.wav"
    heard = formats.read_notes(recording.with_suffix(".csv"))
    assert heard == audiocnn.transcribe(recording, task).notes
    n_played = len(np.loadtxt(recording.with_suffix(".tsv"), skiprows=1))
    assert len(heard) == pytest.approx(n_played, rel=0.3)
    assert json.loads(report.read_text())["mean"]["note"]["f1"] > 0.8


def test_validate_and_test(fit, tones: Path, lightning_cli: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silent = "--trainer.logger=false"
    assert fit(silent, verb="validate") == 0
    validated = capsys.readouterr().out
    assert "val/note_f1" in validated
    assert fit(silent, verb="test") == 1
    assert "test: no recording to test on; " in capsys.readouterr().err.splitlines()[-1]
    shutil.copytree(tones / "validation", lightning_cli / "set_aside" / "test")
    assert fit(silent, "--data.validation=[set_aside]", verb="test") == 0
    tested = capsys.readouterr().out
    figures = [
        [line.split("\u2502")[2] for line in said.splitlines() if "note" in line]
        for said in (validated, tested)
    ]
    assert figures[0] == figures[1] and len(figures[0]) == 2 and "test/note_offset_f1" in tested


def test_fit_without_a_cache_tells_so(lightning_cli: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fixed = ("--trainer.enable_progress_bar=false", "--trainer.logger=false")
    assert main(["fit", "--config", str(SMOKE), *fixed]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("data/cache/smoke/train: no recording")


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_half_precision_only_where_the_processor_has_it(
    has_bf16: bool, precision: str, lightning_cli: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "has_bf16", lambda: has_bf16)
    monkeypatch.setattr(sys, "argv", ["audiocnn", "--config", str(SMOKE)])
    assert CommandLine(run=False).trainer.precision == precision
