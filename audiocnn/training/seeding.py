"""Random numbers of a training that depend on its seed, the epoch and the batch alone.

So a training that was killed and resumes ends with the weights of one that was not, and the number of the
loader's workers makes no difference.
"""

from __future__ import annotations

import random
from typing import Any

import lightning
import numpy as np
import torch


def seed_generators(*key: int) -> None:
    """Seed the generators of torch, numpy and Python.

    Args:
        key: numbers that the seed is derived from, 0 or more.
    """
    (seed,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
    torch.manual_seed(int(seed))
    np.random.seed(int(seed) % 2**32)
    random.seed(int(seed))


class Seeded(lightning.LightningModule):
    """A LightningModule whose training draws the same random numbers, interrupted or not.

    The generators of torch, numpy and Python are seeded before the loader's order is drawn, before each batch
    goes to the device, where data modules augment it, and before each step: what augmentation, dropout or
    pooling draw for one batch depends on no other.

    Attributes:
        seed: of the training; torch's when it began. A checkpoint has it.
    """

    seed: int | None = None
    _is_first_epoch = True  # of this process

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seed"] = self.seed

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.seed = checkpoint.get("seed")

    def on_train_start(self) -> None:
        self._is_first_epoch = True

    def on_train_epoch_start(self) -> None:
        self._seed(self.trainer.current_epoch)
        if self._is_first_epoch:
            # Lightning starts the loader after this hook, but that of the first epoch long before, at a time
            # when a training that resumes does not know its epoch.
            iter(self.trainer.fit_loop._data_fetcher)  # pyright: ignore[reportArgumentType, reportCallIssue], it is there
            self._is_first_epoch = False

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self._seed(self.trainer.current_epoch, batch_idx, self.trainer.global_rank, 0)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._seed(self.trainer.current_epoch, batch_idx, self.trainer.global_rank, 1)

    def _seed(self, *key: int) -> None:
        if self.seed is None:
            self.seed = torch.initial_seed()
        seed_generators(self.seed, *key)
