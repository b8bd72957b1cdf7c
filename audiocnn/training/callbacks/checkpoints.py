"""Checkpoints: the best and the last state of a training, each in a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint

from audiocnn.training.callbacks.loggers import MetricsLogger
from audiocnn.training.checkpoint import CheckpointFile
from audiocnn.training.runs import BEST, LAST


class Checkpoints(ModelCheckpoint):
    """Keep best.ckpt, of the best validation so far, and last.ckpt, of the last epoch, validated or not.

    They are in the folder of the run, `trainer.default_root_dir`, each written beside and renamed.
    `--ckpt_path last` resumes from the second, which is there from the start of the training on. Lightning's
    own `save_last` repeats the last best one instead: with a validation every few epochs, or none better, a
    kill would lose all epochs since.

    Args:
        monitor: logged value by which the best is chosen: val/note_f1.
        mode: max where higher is better, min where lower is.
    """

    def __init__(self, monitor: str, mode: str = "max") -> None:
        super().__init__(None, Path(BEST).stem, monitor=monitor, mode=mode, enable_version_counter=False)
        self._is_stopped = False  # by a callback, such as EarlyStopping, before max_epochs

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        trainer.strategy.checkpoint_io = CheckpointFile()
        if stage == "fit":
            self.dirpath = trainer.default_root_dir
            super().setup(trainer, pl_module, stage)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        trainer.should_stop = trainer.should_stop or self._is_stopped
        for logger in trainer.loggers:
            if isinstance(logger, MetricsLogger):
                logger.drop_rows(trainer.global_step)
        if not self._last.exists():
            self._save_last(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        self._is_stopped = trainer.should_stop
        self._save_last(trainer)

    def _save_last(self, trainer: lightning.Trainer) -> None:
        # Lightning sets the attribute where pyright does not see it.
        if not trainer.fast_dev_run:  # pyright: ignore[reportAttributeAccessIssue], set at run time
            trainer.save_checkpoint(self._last, weights_only=False)

    @property
    def _last(self) -> Path:
        return Path(str(self.dirpath)) / LAST

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "is_stopped": self._is_stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what is the best so far where the run goes on, wherever its folder is now."""
        if self.dirpath and Path(self.dirpath).name == Path(state_dict["dirpath"]).name:
            self._is_stopped = state_dict.get("is_stopped", False)
            best = str(Path(str(self.dirpath)) / BEST)
            scores = dict.fromkeys(state_dict["best_k_models"] and [best], state_dict["best_model_score"])
            paths = dict.fromkeys(("best_model_path", "kth_best_model_path"), best if scores else "")
            place = {"dirpath": self.dirpath, "best_k_models": scores, **paths}
            super().load_state_dict({**state_dict, **place})
