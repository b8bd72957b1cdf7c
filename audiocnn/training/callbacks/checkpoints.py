"""Checkpoints: the best and the last state of a training, each in a file of its own."""

from __future__ import annotations

from pathlib import Path

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint


class Checkpoints(ModelCheckpoint):
    """Keep best.ckpt, of the best validation so far, and last.ckpt, of the last epoch, validated or not.

    `--ckpt_path last` resumes from the second. Lightning's own `save_last` repeats the last best one instead:
    with a validation every few epochs, or none better, a kill would lose all epochs since.

    Args:
        monitor: logged value by which the best is chosen: val/note_f1.
        mode: max where higher is better, min where lower is.
        dirpath: folder of the two files, which are overwritten; `trainer.default_root_dir` when None.
    """

    def __init__(self, monitor: str, mode: str = "max", dirpath: str | None = None) -> None:
        super().__init__(dirpath, "best", monitor=monitor, mode=mode, enable_version_counter=False)

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.dirpath = self.dirpath or trainer.default_root_dir
        super().setup(trainer, pl_module, stage)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        # Lightning sets the attribute where pyright does not see it.
        if not trainer.fast_dev_run:  # pyright: ignore[reportAttributeAccessIssue], set at run time
            trainer.save_checkpoint(
                Path(str(self.dirpath)) / f"{self.CHECKPOINT_NAME_LAST}{self.FILE_EXTENSION}"
            )
