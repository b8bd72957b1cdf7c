"""EpochSampler: items of data sets, drawn anew in each epoch, the same ones in a training that resumes."""

from __future__ import annotations

from collections.abc import Iterator

import lightning
from torch.utils.data import Sampler


class EpochSampler(Sampler):
    """The items of an epoch, each as (epoch, number).

    Args:
        n_items: in an epoch.
        trainer: of the training, whose epoch counts, as it is when one resumes; without one, how often the
            sampler was used.
    """

    def __init__(self, n_items: int, trainer: lightning.Trainer | None = None) -> None:
        self.n_items, self.trainer, self.n_used = n_items, trainer, 0

    @property
    def epoch(self) -> int:
        """The epoch, from 0."""
        if self.trainer is None:
            return self.n_used
        # Not current_epoch, which is the one before while a training resumes.
        return self.trainer.fit_loop.epoch_progress.current.processed  # pyright: ignore[reportAttributeAccessIssue], epochs have it

    def __len__(self) -> int:
        return self.n_items

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch
        yield from ((epoch, number) for number in range(self.n_items))
        self.n_used += 1
