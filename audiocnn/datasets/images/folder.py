"""Images in folders -> batches of images and classes, for `ImageTask` and the style networks.

Place in the flow: beside `images`, for images that lie on disk. A folder holds a folder for each class; or
train/ and test/, which hold them (as the CIFAR-10 of data/README.md does). All images are kept in memory,
as bytes in one size: 200 MB for CIFAR-10.
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
from audiocnn.datasets.images.memory import ImagesInMemory


def read_squares(paths: Sequence[Path], size: int) -> Tensor:
    """The middle square of each image, (images, 3, size, size), bytes.

    Raises: FileError when one cannot be read.
    """

    def square(path: Path) -> Tensor:
        pixels = torch.from_numpy(images.read_image(path).pixels)[None]
        middle = images.crop_center(pixels, min(pixels.shape[2:]))
        if middle.shape[-1] != size:
            middle = functional.interpolate(middle, size=(size, size), mode="bicubic", antialias=True)
        return (middle[0].clamp(0, 1) * 255).round().byte()

    with ThreadPoolExecutor() as pool:
        return torch.stack([*pool.map(square, paths)])


def augment_crops(shown: Tensor, reach: int) -> Tensor:
    """Each image moved by up to `reach` cells, its edges mirrored, and half of them turned left to right.

    Shape: (batch, channels, rows, columns) -> the same. Drawn by torch.
    """
    rows, columns = shown.shape[2:]
    around = functional.pad(shown, (reach,) * 4, mode="reflect") if reach else shown
    begins = torch.randint(0, 2 * reach + 1, (len(shown), 2)).tolist()
    pieces = [
        image[:, top : top + rows, left : left + columns]
        for image, (top, left) in zip(around, begins, strict=True)
    ]
    turned = torch.rand(len(shown), 1, 1, 1, device=shown.device) < 0.5
    moved = torch.stack(pieces)
    return torch.where(turned, moved.flip(-1), moved)


class ImageFolderDataModule(ImagesInMemory):
    """Images of a folder as batches (batch, 3, size, size) from 0 to 1, and their classes (batch,).

    Attributes:
        classes: after `setup`, their names, sorted.

    Args:
        path: a folder with a folder for each class, or with train/ and test/ that hold them.
        size: cells of a side; of each image the middle square is brought to it.
        shift: the furthest that a training image moves up, down, left or right, in cells.
        validation: share of each class that is not trained on; without a test/ as much again to test on.
        seed: of the split.

    Raises: ValueError when a number is out of its range, in `setup` when there are no classes; FileError
        there when a image cannot be read.
    """

    drop_last = True

    def __init__(
        self,
        path: str,
        size: int = 32,
        batch_size: int = 64,
        shift: int = 4,
        validation: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= shift < size:
            raise ValueError(f"shift is {shift}, expected 0 or more and less than size, {size}")
        if not 0 < validation < 0.5:
            raise ValueError(f"validation is {validation}, expected between 0 and 0.5")
        self.path, self.size, self.batch_size, self.shift = Path(path), size, batch_size, shift
        self.validation, self.seed = validation, seed
        self.sets: dict[str, TensorDataset] = {}

    def setup(self, stage: str | None = None) -> None:
        if self.sets:
            return
        tested = (self.path / "test").is_dir()
        shown, classes = self._read(self.path / "train" if tested else self.path)
        cuts = (1 - self.validation, 1) if tested else (1 - 2 * self.validation, 1 - self.validation)
        self.sets = {
            part: TensorDataset(shown[where], classes[where])
            for part, where in split(classes, self.seed, cuts).items()
        }
        if tested:
            self.sets["test"] = TensorDataset(*self._read(self.path / "test"))

    def _read(self, folder: Path) -> tuple[Tensor, Tensor]:
        named = {one.name: [*images.find_images(one)] for one in sorted(folder.glob("*/"))}
        if not named:
            raise ValueError(f"{folder}: no folders in it, expected one for each class")
        self.classes = [*named]
        paths = [path for found in named.values() for path in found]
        counts = torch.tensor([len(found) for found in named.values()])
        return read_squares(paths, self.size), torch.arange(len(named)).repeat_interleave(counts)

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> list[Tensor]:
        """Bytes become numbers from 0 to 1; what is trained on is moved, a whole batch at once."""
        shown, classes = batch[0].float() / 255, batch[1]
        if self.trainer and self.trainer.training:
            shown = augment_crops(shown, self.shift)
        return [shown, classes]
