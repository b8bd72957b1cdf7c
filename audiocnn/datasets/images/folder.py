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
from audiocnn.datasets.images.digits import split
from audiocnn.datasets.images.memory import SIZES, ImagesInMemory
from audiocnn.ranges import Range


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


def augment_crops(batch: Tensor, shift: int) -> Tensor:
    """Shift each image at random, its edges reflected, and flip half of them left to right.

    Args:
        batch: (batch, channels, rows, columns).
        shift: the furthest along each axis, in pixels.

    Returns:
        Images of the same shape.
    """
    rows, columns = batch.shape[2:]
    padded = functional.pad(batch, (shift,) * 4, mode="reflect") if shift else batch
    begins = torch.randint(0, 2 * shift + 1, (len(batch), 2)).tolist()
    crops = [
        image[:, top : top + rows, left : left + columns]
        for image, (top, left) in zip(padded, begins, strict=True)
    ]
    flipped = torch.rand(len(batch), 1, 1, 1, device=batch.device) < 0.5
    shifted = torch.stack(crops)
    return torch.where(flipped, shifted.flip(-1), shifted)


class ImageFolderDataModule(ImagesInMemory):
    """Images of a folder as batches (batch, 3, size, size) from 0 to 1, and their classes (batch,).

    Args:
        path: a folder with a folder for each class, or with train/ and test/ that have them.
        size: pixels of a side, to which the square in the middle of each image is resized; the model's when
            None, or 32 where it takes any.
        batch_size: images of a batch.
        shift: the furthest that a training image is shifted up, down, left or right, in pixels.
        validation: share of each class that is not trained on; without a test/ as much again to test on.
        seed: random seed of the split.

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
        validation: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(size, batch_size)
        Range(0, SIZES.high, whole=True).check("shift", shift)
        if not 0 < validation < 0.5:
            raise ValueError(f"validation is {validation}, expected between 0 and 0.5")
        self.path, self.shift = Path(path), shift
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

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> list[Tensor]:
        """Scale bytes to 0 to 1; augment training images, a whole batch at once."""
        squares, classes = batch[0].float() / 255, batch[1]
        if self.trainer and self.trainer.training:
            squares = augment_crops(squares, self.shift)
        return [squares, classes]
