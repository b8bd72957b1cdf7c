"""Images in folders -> batches of images and classes, for `ImageTask` and `StyleTask`.

A folder has a folder for each class; or train/ and test/, which have them (as the CIFAR-10 of data/README.md
does). All images are kept in memory, as bytes in one size: 200 MB for CIFAR-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import TensorDataset

from audiocnn import files, images
from audiocnn.augment import ImageTransform, RandomCrop, RandomHorizontalFlip
from audiocnn.datasets.broken import report_broken
from audiocnn.datasets.images.digits import first_of_each, split
from audiocnn.datasets.images.memory import SIZES, ImagesInMemory
from audiocnn.ranges import SHARE, ArgumentError, Range

PARTS = {"train", "test"}  # folders of a data set that comes divided


def read_squares(paths: Sequence[Path], size: int) -> tuple[Tensor, Tensor, list[str]]:
    """Read the square in the middle of each image.

    Args:
        paths: image files.
        size: of the squares, in pixels, to which they are resized.

    Returns:
        Bytes (images, 3, size, size); of which paths they are, (images,); and why each other cannot be read.
    """

    def square(path: Path) -> Tensor | files.FileError:
        try:
            return (images.read_square(path, size) * 255).round().byte()
        except files.FileError as error:
            return error

    with ThreadPoolExecutor() as pool:
        read = [*pool.map(square, paths)]
    squares = [one for one in read if isinstance(one, Tensor)]
    numbers = [number for number, one in enumerate(read) if isinstance(one, Tensor)]
    errors = [str(one) for one in read if isinstance(one, files.FileError)]
    empty = torch.zeros(0, 3, size, size, dtype=torch.uint8)
    return torch.stack(squares) if squares else empty, torch.tensor(numbers, dtype=torch.long), errors


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
        skip_broken: go on without the images that cannot be read.
        per_class: training images of each class; all when None. Validation and test stay whole.

    Attributes:
        classes: after `setup`, their names, sorted.

    Raises:
        ArgumentError: a number is out of its range; in `setup`, there are no classes, others in test/ than in
            train/, or fewer training images than per_class.
        FileError: in `setup`, images cannot be read, a class has none, or train/ or test/ is beside others.
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
        skip_broken: bool = False,
        per_class: int | None = None,
    ) -> None:
        super().__init__(size, batch_size, augment)
        Range(0, SIZES.high, whole=True).check("shift", shift)
        if not 0 < validation < 0.5:
            raise ArgumentError(f"validation is {validation}, expected between 0 and 0.5")
        SHARE.check("mirror_p", mirror_p)
        self.path, self.shift, self.mirror_p = Path(path), shift, mirror_p
        self.validation, self.seed, self.skip_broken = validation, seed, skip_broken
        self.per_class = per_class
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
            raise ArgumentError(f"shift is {self.shift}, expected less than size, {self.size}")
        parts = _find_parts(self.path)
        squares, classes = self._read(self.path / "train" if parts else self.path)
        has_test = "test" in parts
        cuts = (1 - self.validation, 1) if has_test else (1 - 2 * self.validation, 1 - self.validation)
        drawn = split(classes, self.seed, cuts)
        if self.per_class is not None:
            drawn["train"] = drawn["train"][first_of_each(classes[drawn["train"]], self.per_class)]
        self.sets = {part: TensorDataset(squares[where], classes[where]) for part, where in drawn.items()}
        if has_test:
            self.sets["test"] = TensorDataset(*self._read(self.path / "test"))

    def find_labels(self) -> list[str] | None:
        """Find the names of the classes, sorted: those of the folders; None where there are none.

        Raises:
            FileError: train/ or test/ is beside others.
        """
        folder = self.path / "train" if _find_parts(self.path) else self.path
        return [one.name for one in _find_folders(folder)] or None

    def _read(self, folder: Path) -> tuple[Tensor, Tensor]:
        """The images of the classes in a folder, and their classes."""
        named = {one.name: images.find_images(one) for one in _find_folders(folder)}
        if not named:
            raise ArgumentError(f"{folder}: no folders in it, expected one for each class")
        self.classes = self.classes or [*named]
        if [*named] != self.classes:
            expected = f"expected those of train: {', '.join(self.classes)}"
            raise ArgumentError(f"{folder}: its classes are {', '.join(named)}, {expected}")
        for name, found in named.items():
            if skipped := found.describe_skipped():
                rank_zero_info(f"{folder / name}: {skipped}")
        paths = [path for found in named.values() for path in found]
        counts = torch.tensor([len(found.paths) for found in named.values()])
        squares, numbers, errors = read_squares(paths, self.size)
        errors += [str(error) for found in named.values() for error in found.unreadable]
        report_broken(folder, errors, "images", "skip_broken", self.skip_broken)
        if not len(squares):
            raise files.FileError(folder, "holds no image that can be read")
        return squares, torch.arange(len(named)).repeat_interleave(counts)[numbers]

    def list_transforms(self) -> list[ImageTransform]:
        """List what changes training images: the shift, the mirror, and those of `augment`."""
        return [RandomCrop(self.shift, "reflect"), RandomHorizontalFlip(self.mirror_p), *self.augment]


def _find_folders(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*/"))


def _find_parts(folder: Path) -> set[str]:
    """Which of train and test a folder has; none where it has a folder for each class."""
    names = {path.name for path in _find_folders(folder)}
    parts, others = names & PARTS, names - PARTS
    if parts and others:
        beside = f"{min(parts)!r} beside {min(others)!r}"
        raise files.FileError(folder, f"has the folder {beside}, expected train and test, or classes alone")
    return parts
