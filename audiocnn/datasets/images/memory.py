"""Images that are kept in memory, as batches."""

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
    """Batches of images and classes that are kept in memory.

    Attributes:
        sets: images and classes of the parts train, validation and test; a subclass sets them in `setup`.
        batch_size: images of a batch.
        drop_last: whether a training epoch leaves out a last batch that is not full.
    """

    sets: dict[str, TensorDataset]
    batch_size: int
    drop_last = False

    def train_dataloader(self) -> DataLoader:
        """Return batches of all training images, in another order each epoch."""
        return self._loader("train", RandomSampler(self.sets["train"]))

    def val_dataloader(self) -> DataLoader:
        """Return batches of the validation images, in order."""
        return self._loader("validation", SequentialSampler(self.sets["validation"]))

    def test_dataloader(self) -> DataLoader:
        """Return batches of the test images, in order."""
        return self._loader("test", SequentialSampler(self.sets["test"]))

    def predict_dataloader(self) -> DataLoader:
        """Return batches of the test images, in order."""
        return self.test_dataloader()

    def _loader(self, part: str, sampler: Sampler) -> DataLoader:
        # A batch is indexed from the tensors at once, without collating its images.
        batches = BatchSampler(sampler, self.batch_size, drop_last=self.drop_last and part == "train")
        return DataLoader(self.sets[part], sampler=batches, batch_size=None)
