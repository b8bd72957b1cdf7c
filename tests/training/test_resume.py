"""A training that is interrupted and resumes ends as one that is not: weights, schedule, metrics."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning
import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader, TensorDataset

from audiocnn import create_backbone
from audiocnn.datasets.notes import cache
from audiocnn.training.callbacks.checkpoints import Checkpoints
from audiocnn.training.callbacks.loggers import MetricsLogger
from audiocnn.training.image import ImageTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]
ROOT = Path(__file__).parents[2]
RATE = 16_000
N_EPOCHS = 4


class Kill(lightning.Callback):
    """Ends a training in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.current_epoch == self.epoch:
            raise InterruptedError


class Noisy(ImageTask):
    """Draws from each generator in each step."""

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        noise = torch.rand(()) + float(np.random.rand()) + __import__("random").random()
        return super().training_step((batch[0] + noise, batch[1]))


def fit(folder: Path, kill: int | None = None, max_epochs: int = N_EPOCHS, **early: object) -> None:
    torch.manual_seed(0)
    images = torch.rand(24, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    data = TensorDataset(images, torch.arange(24) % 10)
    stops = [lightning.pytorch.callbacks.EarlyStopping("val/loss", **early)] if early else []
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=max_epochs, default_root_dir=folder, logger=MetricsLogger(str(folder)),
        callbacks=[Checkpoints("val/loss", "min"), *stops, *([] if kill is None else [Kill(kill)])],
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=2,
    )  # fmt: skip
    task = Noisy(create_backbone("lenet5", widths=(4, 8)), 10, learning_rate=0.01)
    last = folder / "last.ckpt"
    loaders = DataLoader(data, 8, shuffle=True), DataLoader(data, 8)
    torch.rand(len([*folder.glob("*")]))  # other random numbers before a training that resumes
    trainer.fit(task, *loaders, ckpt_path=last if last.exists() else None)


def equal(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def assert_equal(one: Path, other: Path) -> None:
    first, second = (torch.load(folder / "last.ckpt", weights_only=True) for folder in (one, other))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "seed", "epoch", "global_step"):
        assert equal(first[part], second[part]), part
    rows = [[*csv.DictReader((folder / "metrics.csv").read_text().splitlines())] for folder in (one, other)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("kill", range(3))
def test_interrupted_and_resumed(tmp_path: Path, kill: int) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    fit(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        fit(tmp_path / "parts", kill)
    fit(tmp_path / "parts")
    assert_equal(tmp_path / "whole", tmp_path / "parts")


def test_a_training_that_was_stopped_early_does_not_go_on(tmp_path: Path) -> None:
    early = {"stopping_threshold": 100.0}  # after one epoch
    fit(tmp_path, max_epochs=3, **early)
    stopped = (tmp_path / "metrics.csv").read_text()
    fit(tmp_path, max_epochs=3, **early)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 0
    assert (tmp_path / "metrics.csv").read_text() == stopped


def test_a_longer_training_goes_on_with_the_schedule_of_its_length(tmp_path: Path) -> None:
    fit(tmp_path, max_epochs=1)
    fit(tmp_path, max_epochs=3)
    (schedule,) = torch.load(tmp_path / "last.ckpt", weights_only=True)["lr_schedulers"]
    assert (schedule["total_steps"], schedule["last_epoch"]) == (9, 9)


def tones(seed: int, duration_s: float) -> np.ndarray:
    time_s = np.arange(round(duration_s * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * (200 + 100 * seed) * time_s)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clips, and a cache of notes."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(24):
        path = folder / "clips" / "abc"[number % 3] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tones(number, 1.5), RATE)
    for number, name in enumerate(("train/one", "train/two", "validation/three")):
        rows = np.array([(0.3, 0.8, 60, 64), (1.0, 1.5, 65, 64)])
        cache.write_recording(folder / "notes" / name, tones(number, 6.0).astype(np.float32), rows)
    return folder


NARROW = "--model.backbone.init_args.widths=[4,4,4,4]"
CONFIGS = {
    "digits": ("digits", "--data.per_class=32"),
    "clips": (
        "genre_folder", "--data.path={data}/clips", "--data.loader.cache={data}/cache",
        "--data.crops.window_s=1", "--model.window_s=1", NARROW, "--data.loader.workers=0",
    ),
    "notes": (
        "smoke", "--data.caches=[{data}/notes]", "--data.segments.n_segments=16", "--data.loader.workers=0",
        "--model.backbone.init_args.channels=2",
    ),
}  # fmt: skip


def start(name: str, data: Path, root: Path, *words: str) -> subprocess.Popen:
    config, *options = (word.format(data=data) for word in CONFIGS[name])
    quiet = [f"--trainer.{one}=false" for one in ("enable_progress_bar", "enable_model_summary")]
    given = ["--config", config, *options, *quiet, f"--trainer.max_epochs={N_EPOCHS}"]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "audiocnn",
        "fit",
        *given,
        f"--trainer.default_root_dir={root}",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, *words], env=environment, stdout=subprocess.DEVNULL)


def kill_after(process: subprocess.Popen, root: Path, n_saved: int) -> None:
    """Kill a training when it has written last.ckpt so often, in the middle of the next epoch."""
    written: set[int] = set()
    while len(written) < n_saved:
        assert process.poll() is None
        written |= {path.stat().st_mtime_ns for path in root.glob("*/last.ckpt")}
        time.sleep(0.002)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_killed_and_resumed_and_with_other_workers(name: str, data: Path, tmp_path: Path) -> None:
    whole, parts, workers = (tmp_path / one for one in ("whole", "parts", "workers"))
    assert start(name, data, whole).wait() == 0
    kill_after(start(name, data, parts), parts, n_saved=2)
    assert start(name, data, parts, "--ckpt_path=last").wait() == 0
    (one,), (other,) = whole.iterdir(), parts.iterdir()
    assert_equal(one, other)
    if name != "digits":  # which are in memory
        assert start(name, data, workers, "--data.loader.workers=2").wait() == 0
        assert_equal(one, next(workers.iterdir()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "program", [[str(Path(sys.executable).parent / "audiocnn")], [sys.executable, "-m", "audiocnn"]]
)
def test_two_processes_train_as_one_in_one_folder(program: list[str], tmp_path: Path) -> None:
    """One batch, of the whole data, or half of it in each process."""
    words = ["fit", "--config=digits", "--data.per_class=8", "--data.shift=0", "--trainer.max_epochs=3"]
    runs = {
        "one": ["--data.batch_size=80"],
        "two": ["--data.batch_size=40", "--trainer.devices=2", "--trainer.strategy=ddp"],
    }
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    losses = {}
    for name, more in runs.items():
        command = [*program, *words, *more, f"--trainer.default_root_dir={tmp_path / name}"]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        (run,) = (tmp_path / name).iterdir()
        rows = [*csv.DictReader((run / "metrics.csv").read_text().splitlines())]
        # Not those of validation: its nine batches are ten in two processes, one of them twice.
        losses[name] = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    assert len(losses["one"]) == 3
    assert losses["two"] == pytest.approx(losses["one"], rel=1e-3)
