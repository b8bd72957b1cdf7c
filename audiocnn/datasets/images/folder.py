"""Images in folders -> batches of images and classes, for `ImageTask` and `StyleTask`.

A folder has a folder for each class; or train/ and test/, which have them (as the CIFAR-10 of data/README.md
does). All images are kept in memory, as bytes in one size: 200 MB for CIFAR-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import TensorDataset

from audiocnn import images
from audiocnn.augment import ImageTransform, RandomCrop, RandomHorizontalFlip
from audiocnn.datasets.images.digits import split
from audiocnn.datasets.images.memory import SIZES, ImagesInMemory
from audiocnn.ranges import SHARE, Range


def read_squares(paths: Sequence[Path], size: int) -> Tensor:
    """Read the square in the middle of each image.

    Args:
        paths: image files.
        size: of the squares, in pixels, to which they are resized.

    Returns:
        Bytes (images, 3, size, size).

    Raises:
        FileError: one cannot be read.
    """

    def square(path: Path) -> Tensor:
        pixels = torch.from_numpy(images.read_image(path).pixels)[None]
        middle = images.crop_center(pixels, min(pixels.shape[2:]))
        if middle.shape[-1] != size:
            middle = functional.interpolate(middle, size=(size, size), mode="bicubic", antialias=True)
        return (middle[0].clamp(0, 1) * 255).round().byte()

    with ThreadPoolExecutor() as pool:
        return torch.stack([*pool.map(square, paths)])


class ImageFolderDataModule(ImagesInMemory):
    """Images of a folder as batches (batch, 3, size, size) from 0 to 1, and their classes (batch,).

    Args:
        path: a folder with a folder for each class, or with train/ and test/ that have them.
        size: pixels of a side, to which the square in the middle of each image is resized; the model's when
            None, or 32 where it takes any.
        batch_size: images of a batch.
        shift: the furthest that a training image is shifted up, down, left or right, in pixels; the mirrored
            image comes in.
        mirror_p: probability that a training image is mirrored; 0 where left and right tell classes apart.
        validation: share of each class that is not trained on; without a test/ as much again to test on.
        seed: random seed of the split.
        augment: what else changes training images, one after the other; nothing when None.

    Attributes:
        classes: after `setup`, their names, sorted.

    Raises:
        ValueError: a number is out of its range; in `setup`, there are no classes.
        FileError: in `setup`, an image cannot be read.
    """

    channels = 3
    drop_last = True

    def __init__(
        self,
        path: str,
        size: int | None = None,
        batch_size: int = 64,
        shift: int = 4,
        mirror_p: float = 0.5,
        validation: float = 0.1,
        seed: int = 0,
        augment: Sequence[ImageTransform] | None = None,
    ) -> None:
        super().__init__(size, batch_size, augment)
        Range(0, SIZES.high, whole=True).check("shift", shift)
        if not 0 < validation < 0.5:
            raise ValueError(f"validation is {validation}, expected between 0 and 0.5")
        SHARE.check("mirror_p", mirror_p)
        self.path, self.shift, self.mirror_p = Path(path), shift, mirror_p
        self.validation, self.seed = validation, seed
        self.sets: dict[str, TensorDataset] = {}
        self.classes: list[str] = []

    @property
    def n_classes(self) -> int | None:
        """Number of classes; None before `setup`."""
        return len(self.classes) or None

    def setup(self, stage: str | None = None) -> None:
        """Read and split the images."""
        if self.sets:
            return
        if self.shift >= self.size:
            raise ValueError(f"shift is {self.shift}, expected less than size, {self.size}")
        has_test = (self.path / "test").is_dir()
        squares, classes = self._read(self.path / "train" if has_test else self.path)
        cuts = (1 - self.validation, 1) if has_test else (1 - 2 * self.validation, 1 - self.validation)
        self.sets = {
            part: TensorDataset(squares[where], classes[where])
            for part, where in split(classes, self.seed, cuts).items()
        }
        if has_test:
            self.sets["test"] = TensorDataset(*self._read(self.path / "test"))

    def _read(self, folder: Path) -> tuple[Tensor, Tensor]:
        named = {one.name: [*images.find_images(one)] for one in sorted(folder.glob("[!.]*/"))}
        if not named:
            raise ValueError(f"{folder}: no folders in it, expected one for each class")
        self.classes = [*named]
        paths = [path for found in named.values() for path in found]
        counts = torch.tensor([len(found) for found in named.values()])
        return read_squares(paths, self.size), torch.arange(len(named)).repeat_interleave(counts)

    def list_transforms(self) -> list[ImageTransform]:
        """List what changes training images: the shift, the mirror, and those of `augment`."""
        return [RandomCrop(self.shift, "reflect"), RandomHorizontalFlip(self.mirror_p), *self.augment]
