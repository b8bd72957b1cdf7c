"""MNIST -> batches of images and classes, for `ImageTask`. All images are kept in memory, as bytes: 55 MB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import TensorDataset

from audiocnn.augment import ImageTransform, RandomCrop
from audiocnn.datasets.images.digits import split
from audiocnn.datasets.images.memory import ImagesInMemory
from audiocnn.datasets.images.mnist import SIDE, read_mnist
from audiocnn.ranges import Range


class MnistDataModule(ImagesInMemory):
    """MNIST as batches of images (batch, 1, size, size) from 0 to 1, and their classes (batch,).

    Args:
        path: a folder that `prepare_mnist` wrote, or that it reads.
        size: pixels of a side, to which the images are resized bilinearly; the model's when None, or 28 where
            it takes any.
        batch_size: images of a batch.
        shift: the furthest that a training image is shifted up, down, left or right, in pixels of the 28.
        validation: share of each class of the training images that is not trained on.
        seed: random seed of that split.
        augment: what else changes training images, one after the other; nothing when None.

    Attributes:
        n_classes: after `setup`, one more than the highest class; None before.

    Raises:
        ValueError: a number is out of its range.
        FileError: in `setup`, as `read_mnist`.
    """

    channels, default_size = 1, SIDE

    def __init__(
        self,
        path: str = "data/cache/mnist",
        size: int | None = None,
        batch_size: int = 64,
        shift: int = 2,
        validation: float = 1 / 12,
        seed: int = 0,
        augment: Sequence[ImageTransform] | None = None,
    ) -> None:
        super().__init__(size, batch_size, augment)
        Range(0, SIDE - 1, whole=True).check("shift", shift)
        Range(0, 0.5, is_open=True).check("validation", validation)
        self.path, self.shift = Path(path), shift
        self.validation, self.seed = validation, seed
        self.sets: dict[str, TensorDataset] = {}
        self.n_classes: int | None = None

    def setup(self, stage: str | None = None) -> None:
        """Read and split the images."""
        if self.sets:
            return
        parts = {part: self._to_tensors(*arrays) for part, arrays in read_mnist(self.path).items()}
        pixels, classes = parts["train"]
        kept = split(classes, self.seed, (1 - self.validation, 1))
        self.sets = {
            part: TensorDataset(pixels[kept[part]], classes[kept[part]]) for part in ("train", "validation")
        }
        self.sets["test"] = TensorDataset(*parts["test"])
        self.n_classes = 1 + max(int(classes.max()) for _, classes in parts.values())

    def _to_tensors(self, pixels: np.ndarray, classes: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return bytes (images, 1, size, size) and classes (images,)."""
        squares = torch.from_numpy(pixels)[:, None]
        if squares.shape[2:] != (self.size, self.size):
            squares = functional.interpolate(squares, size=(self.size, self.size), mode="bilinear")
        return squares, torch.from_numpy(classes).long()

    def list_transforms(self) -> list[ImageTransform]:
        """List what changes training images: the shift, black coming in, then those of `augment`."""
        return [RandomCrop(round(self.shift * self.size / SIDE)), *self.augment]
