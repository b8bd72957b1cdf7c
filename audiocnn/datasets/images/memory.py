"""Images that are kept in memory, as batches."""

from __future__ import annotations

from collections.abc import Sequence

import lightning
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    TensorDataset,
)

from audiocnn.augment import ImageTransform
from audiocnn.datasets.defaults import default_of_model
from audiocnn.ranges import Range

SIZE = 32  # pixels of a side
SIZES = Range(1, 1 << 14, whole=True)


class ImagesInMemory(lightning.LightningDataModule):
    """Batches of images and classes that are kept in memory.

    Args:
        size: pixels of a side; the model's when None, or `default_size` where it takes any.
        batch_size: images of a batch.
        augment: what changes training images, one after the other; nothing when None.

    Attributes:
        channels: of the images.
        sets: images, from 0 to 1 or as bytes, and classes of the parts train, validation and test; a subclass
            sets them in `setup`.
        default_size: pixels of a side where the model takes any.
        drop_last: whether a training epoch leaves out a last batch that is not full.

    Raises:
        ValueError: a number is out of its range.
    """

    channels: int
    sets: dict[str, TensorDataset]
    default_size = SIZE
    drop_last = False

    def __init__(
        self, size: int | None, batch_size: int, augment: Sequence[ImageTransform] | None = None
    ) -> None:
        super().__init__()
        if size is not None:
            SIZES.check("size", size)
        Range(1, 1 << 20, whole=True).check("batch_size", batch_size)
        self._size, self.batch_size, self.augment = size, batch_size, [*(augment or ())]

    @property
    def size(self) -> int:
        """Pixels of a side."""
        size = default_of_model(self, "size", self._size, self.default_size)
        SIZES.check("size", size)
        return size

    def find_labels(self) -> list[str] | None:
        """Find the names of the classes, in their order; None where they have none."""
        return None

    def prepare_data(self) -> None:
        """Try `augment` on an image, so that what does not fit is told before the training.

        Raises:
            ValueError: it does not take images of these channels or this size.
        """
        for transform in self.augment:
            transform(torch.zeros(1, self.channels, self.size, self.size))

    def list_transforms(self) -> list[ImageTransform]:
        """List what changes training images, one after the other."""
        return self.augment

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> list[Tensor]:
        """Scale bytes to 0 to 1, and change training images: a batch at once is faster than one by one."""
        images, classes = batch
        if images.dtype == torch.uint8:
            images = images.float() / 255
        if self.trainer and self.trainer.training:
            for transform in self.list_transforms():
                images = transform(images)
        return [images, classes]

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
