"""Images with one class each: scikit-learn's digits.

Place in the flow: images that come with a package -> batches of images and classes, for `ImageTask`.

Data card of the digits:
    What: digits written by hand, 8 x 8 cells of 0 to 16 (of 32 x 32 black or white, counted by 4 x 4); here
        0 to 1.
    Count: 1,797 images, 174 to 183 of each of 10 classes: 1,078 to train on, 360 to validate, 359 to test.
    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI, 1998: its test set, which
        13 people wrote, as scikit-learn ships it.
    Licence: CC BY 4.0.
    Split rule: each class is shuffled with the seed SPLIT_SEED and cut at 3/5 and 4/5. Who wrote what is not
        told, so all parts have digits of the same 13 people: scores say nothing about those of strangers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import TensorDataset

from audiocnn.datasets.images.memory import ImagesInMemory

SIDE, N_CLASSES, HIGHEST = 8, 10, 16
SPLIT_SEED = 0
PARTS = ("train", "validation", "test")
CUTS = (3 / 5, 4 / 5)


def read_digits() -> tuple[Tensor, Tensor]:
    """All images, from 0 to 1, and their digits.

    Shape: (1797, 1, 8, 8) and (1797,).
    """
    from sklearn.datasets import load_digits  # 1 s

    images, digits = load_digits(return_X_y=True)
    images = torch.from_numpy(images / HIGHEST).float()
    return images.view(-1, 1, SIDE, SIDE), torch.from_numpy(digits).long()


def split(classes: Tensor, seed: int = SPLIT_SEED, shares: tuple[float, float] = CUTS) -> dict[str, Tensor]:
    """The positions of each part, sorted; each has the same share of every class, to one image.

    Args:
        shares: of each class, where training ends and where validation does.
    """
    rng = np.random.RandomState(seed)  # whose streams numpy promises never to change
    parts: dict[str, list[Tensor]] = {part: [] for part in PARTS}
    for one_class in classes.unique():
        positions = (classes == one_class).nonzero().flatten()
        shuffled = positions[torch.from_numpy(rng.permutation(len(positions)))]
        cuts = [round(share * len(positions)) for share in shares]
        for part, piece in zip(PARTS, shuffled.tensor_split(cuts), strict=True):
            parts[part].append(piece)
    return {part: torch.cat(pieces).sort().values for part, pieces in parts.items()}


def first_of_each(classes: Tensor, n: int) -> Tensor:
    """The positions of the first n of each class, sorted.

    Raises: ValueError when a class has fewer.
    """
    fewest = int(torch.bincount(classes).min())
    if not 1 <= n <= fewest:
        raise ValueError(f"n is {n}, expected 1 to {fewest}, as many as the smallest class has")
    return torch.cat([(classes == c).nonzero().flatten()[:n] for c in classes.unique()]).sort().values


def shift(images: Tensor, offsets: Tensor) -> Tensor:
    """Each image moved down and right by its own number of cells; zeros come in from beyond its edge.

    Shape: (batch, channels, rows, columns) and whole numbers (batch, 2) -> as the images.
    """
    moved = images
    for axis, offset in ((-2, offsets[:, 0]), (-1, offsets[:, 1])):
        n_cells = images.shape[axis]
        source = torch.arange(n_cells, device=images.device) - offset[:, None]
        inside = (source >= 0) & (source < n_cells)
        # (batch, cells) -> the axes of the images
        shape = [len(images), 1, 1, 1]
        shape[axis] = n_cells
        index = source.clamp(0, n_cells - 1).view(shape)
        moved = moved.gather(axis, index.expand_as(images)) * inside.view(shape)
    return moved


class DigitsDataModule(ImagesInMemory):
    """scikit-learn's digits as batches of images (batch, 1, size, size) and classes (batch,).

    Args:
        size: cells of a side; images of 8 are enlarged to it bilinearly.
        shift: the furthest that a training image moves up, down, left or right, in cells of the 8.
        per_class: training images of each class; all when None. Validation and test stay whole.

    Raises: ValueError when size is below 8, shift negative, or per_class more than there are.
    """

    def __init__(
        self, size: int = 32, batch_size: int = 32, shift: float = 0.5, per_class: int | None = None
    ) -> None:
        super().__init__()
        if size < SIDE:
            raise ValueError(f"size is {size}, expected at least {SIDE}")
        if shift < 0:
            raise ValueError(f"shift is {shift}, expected at least 0")
        self.size, self.batch_size, self.shift, self.per_class = size, batch_size, shift, per_class

    def setup(self, stage: str | None = None) -> None:
        images, classes = read_digits()
        if self.size != SIDE:
            images = functional.interpolate(images, size=(self.size, self.size), mode="bilinear")
        parts = split(classes)
        if self.per_class is not None:
            train = parts["train"]
            parts["train"] = train[first_of_each(classes[train], self.per_class)]
        self.sets = {part: TensorDataset(images[where], classes[where]) for part, where in parts.items()}

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> list[Tensor]:
        """Shifts what is trained on, a whole batch at once: one by one would take longer than the network."""
        if not (self.trainer and self.trainer.training):
            return batch
        images, classes = batch
        reach = round(self.shift * self.size / SIDE)
        offsets = torch.randint(-reach, reach + 1, (len(images), 2)).to(images.device)
        return [shift(images, offsets), classes]
