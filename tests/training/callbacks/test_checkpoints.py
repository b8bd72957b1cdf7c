"""Checkpoints: what best.ckpt and last.ckpt hold after each epoch; a training resumes from the last."""

from pathlib import Path

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from audiocnn import create_backbone
from audiocnn.training.callbacks.checkpoints import Checkpoints
from audiocnn.training.image import ImageTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]
LOSSES = (3.0, 1.0, 2.0, 4.0, 0.5)  # of the validations, epoch by epoch


class Scripted(ImageTask):
    """A task whose validation loss is that of `LOSSES`."""

    def validation_step(self, batch: object) -> None:
        self.log("val/loss", LOSSES[self.current_epoch])


class Kill(lightning.Callback):
    """Ends the training as the fourth epoch begins."""

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.current_epoch == 3:
            raise InterruptedError


def fit(
    folder: Path,
    max_epochs: int,
    *callbacks: lightning.Callback,
    check_val_every_n_epoch: int = 1,
    ckpt_path: str | None = None,
) -> lightning.Trainer:
    torch.manual_seed(0)
    examples = DataLoader([(torch.rand(1, 32, 32), 0)] * 2)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        check_val_every_n_epoch=check_val_every_n_epoch,
        default_root_dir=folder,
        callbacks=[Checkpoints("val/loss", "min"), *callbacks],
        num_sanity_val_steps=0,
        **quiet,
    )
    task = Scripted(create_backbone("lenet5", widths=(4, 8)), n_classes=10)
    trainer.fit(task, examples, examples, ckpt_path=ckpt_path, weights_only=True if ckpt_path else None)
    return trainer


def epochs(folder: Path) -> dict[str, int]:
    """The epoch, from 0, that each file is of."""
    return {path.name: torch.load(path, weights_only=True)["epoch"] for path in sorted(folder.glob("*.ckpt"))}


@pytest.mark.parametrize(
    ("n", "every", "best", "last"), [(1, 1, 0, 0), (2, 1, 1, 1), (4, 1, 1, 3), (5, 1, 4, 4), (5, 2, 1, 4)]
)
def test_best_validation_and_last_epoch(tmp_path: Path, n: int, every: int, best: int, last: int) -> None:
    fit(tmp_path, n, check_val_every_n_epoch=every)
    assert epochs(tmp_path) == {"best.ckpt": best, "last.ckpt": last}


def test_resumes_from_the_last_epoch_and_knows_the_best(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        fit(tmp_path, 4, Kill())
    assert epochs(tmp_path) == {"best.ckpt": 1, "last.ckpt": 2}
    trainer = fit(tmp_path, 4, ckpt_path=str(tmp_path / "last.ckpt"))
    assert trainer.global_step == 4 * 2
    assert epochs(tmp_path) == {"best.ckpt": 1, "last.ckpt": 3}
