"""FindLearningRate: the schedule of the training has the rate that was found, and a plot shows why."""

from pathlib import Path

import lightning
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from audiocnn import create_backbone
from audiocnn.training.callbacks.find_learning_rate import FindLearningRate
from audiocnn.training.callbacks.transfer import DiscriminativeRates
from audiocnn.training.image import ImageTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]


def test_finds_a_rate_and_trains_with_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    images, classes = torch.rand(40, 1, 8, 8), [0, 1] * 20
    images[::2, :, 3] += 1
    loader = DataLoader(list(zip(images, classes, strict=True)), batch_size=8)
    task, weights = ImageTask(create_backbone("linear"), n_classes=2, learning_rate=123.0), []

    class Watch(lightning.Callback):
        def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            weights.append(task.head.state_dict()["2.weight"].clone())

    finder = FindLearningRate(1e-5, 1.0, n_steps=28)
    start = task.head.state_dict()["2.weight"].clone()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,  # shorter than the search
        default_root_dir=tmp_path,
        logger=CSVLogger(tmp_path),
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[DiscriminativeRates(2.0), finder, Watch()],
    )
    trainer.fit(task, loader, loader)
    assert 1e-4 < task.learning_rate < 1
    assert len(finder.optimal_lr.results["lr"]) == 28
    assert {group["max_lr"] for group in trainer.optimizers[0].param_groups} == {task.learning_rate}
    assert torch.equal(weights[0], start)  # trying has left nothing behind
    assert trainer.global_step == 5
    assert (tmp_path / "learning_rate.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".lr_find*"))
