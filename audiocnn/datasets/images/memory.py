"""Images that stand in memory, as batches."""

from __future__ import annotations

import lightning
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    TensorDataset,
)


class ImagesInMemory(lightning.LightningDataModule):
    """Batches of images and classes that stand in memory; a subclass gives its parts as `sets`."""

    sets: dict[str, TensorDataset]
    batch_size: int
    drop_last = False  # of a training epoch the batch that is not full

    def train_dataloader(self) -> DataLoader:
        return self._loader("train", RandomSampler(self.sets["train"]))

    def val_dataloader(self) -> DataLoader:
        return self._loader("validation", SequentialSampler(self.sets["validation"]))

    def test_dataloader(self) -> DataLoader:
        return self._loader("test", SequentialSampler(self.sets["test"]))

    def predict_dataloader(self) -> DataLoader:
        return self.test_dataloader()

    def _loader(self, part: str, sampler: Sampler) -> DataLoader:
        # A batch is cut from the tensors at once, without collating its images.
        batches = BatchSampler(sampler, self.batch_size, drop_last=self.drop_last and part == "train")
        return DataLoader(self.sets[part], sampler=batches, batch_size=None)
