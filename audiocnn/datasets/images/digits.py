"""Images with one class each: scikit-learn's digits.

Place in the flow: images that come with a package -> batches of images and classes, for `ImageTask`.

Data card of the digits:
    Content: handwritten digits, 8 x 8 pixels of 0 to 16 (of 32 x 32 black or white, counted in blocks of
        4 x 4); here 0 to 1.
    Count: 1,797 images, 174 to 183 of each of 10 classes: 1,078 to train on, 360 to validate, 359 to test.
    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI, 1998: its test set, which
        13 people wrote, as scikit-learn ships it.
    Licence: CC BY 4.0.
    Split rule: each class is shuffled with the seed SPLIT_SEED and cut at 3/5 and 4/5. The writers are not
        published, so all parts have digits of the same 13 people: scores say nothing about those of
        strangers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import TensorDataset

from audiocnn.augment import ImageTransform, RandomCrop
from audiocnn.datasets.images.memory import ImagesInMemory
from audiocnn.ranges import ArgumentError, Range

SIDE, N_CLASSES = 8, 10  # pixels; digits
MAX_LEVEL = 16  # of a pixel, in scikit-learn's data
SPLIT_SEED = 0
PARTS = ("train", "validation", "test")
CUTS = (3 / 5, 4 / 5)  # of each class, where training ends and where validation does


def read_digits() -> tuple[Tensor, Tensor]:
    """Read all digits of scikit-learn.

    Returns:
        Images (1797, 1, 8, 8) from 0 to 1, and the digits that they show, (1797,).
    """
    from sklearn.datasets import load_digits  # 1 s

    images, digits = load_digits(return_X_y=True)
    images = torch.from_numpy(images / MAX_LEVEL).float()
    return images.view(-1, 1, SIDE, SIDE), torch.from_numpy(digits).long()


def split(classes: Tensor, seed: int = SPLIT_SEED, cuts: tuple[float, float] = CUTS) -> dict[str, Tensor]:
    """Split images at random so that each part has the same share of every class, to one image.

    Args:
        classes: of the images, (images,).
        seed: random seed of the shuffling.
        cuts: shares of each class at which training ends and validation ends.

    Returns:
        The positions of the images of each part, sorted.
    """
    rng = np.random.RandomState(seed)  # whose streams numpy promises never to change
    parts: dict[str, list[Tensor]] = {part: [] for part in PARTS}
    for one_class in classes.unique():
        positions = (classes == one_class).nonzero().flatten()
        shuffled = positions[torch.from_numpy(rng.permutation(len(positions)))]
        ends = [round(cut * len(positions)) for cut in cuts]
        for part, chunk in zip(PARTS, shuffled.tensor_split(ends), strict=True):
            parts[part].append(chunk)
    return {part: torch.cat(chunks).sort().values for part, chunks in parts.items()}


def first_of_each(classes: Tensor, n: int) -> Tensor:
    """Select the first images of each class.

    Args:
        classes: of the images, (images,).
        n: images of each class.

    Returns:
        Their positions, sorted.

    Raises:
        ArgumentError: a class has fewer, or n is below 1.
    """
    fewest = int(torch.bincount(classes).min())
    if not 1 <= n <= fewest:
        raise ArgumentError(f"n is {n}, expected 1 to {fewest}, as many as the smallest class has")
    return torch.cat([(classes == c).nonzero().flatten()[:n] for c in classes.unique()]).sort().values


class DigitsDataModule(ImagesInMemory):
    """scikit-learn's digits as batches of images (batch, 1, size, size) and classes (batch,).

    Args:
        size: pixels of a side, to which the images of 8 are enlarged bilinearly; the model's when None, or
            32 where it takes any.
        batch_size: images of a batch.
        shift: the furthest that a training image is shifted up, down, left or right, in pixels of the 8.
        per_class: training images of each class; all when None. Validation and test stay whole.
        augment: what else changes training images, one after the other; nothing when None.

    Raises:
        ArgumentError: size is below 8 or shift negative; in `setup`, per_class is more than there are.
    """

    channels, n_classes = 1, N_CLASSES

    def __init__(
        self,
        size: int | None = None,
        batch_size: int = 32,
        shift: float = 0.5,
        per_class: int | None = None,
        augment: Sequence[ImageTransform] | None = None,
    ) -> None:
        super().__init__(size, batch_size, augment)
        if size is not None and size < SIDE:
            raise ArgumentError(f"size is {size}, expected at least {SIDE}")
        Range(0, SIDE).check("shift", shift)
        self.shift, self.per_class = shift, per_class

    def find_labels(self) -> list[str]:
        """Return the ten digits."""
        return [str(digit) for digit in range(N_CLASSES)]

    def setup(self, stage: str | None = None) -> None:
        """Read and split the digits."""
        images, classes = read_digits()
        if self.size != SIDE:
            images = functional.interpolate(images, size=(self.size, self.size), mode="bilinear")
        parts = split(classes)
        if self.per_class is not None:
            train = parts["train"]
            parts["train"] = train[first_of_each(classes[train], self.per_class)]
        self.sets = {part: TensorDataset(images[where], classes[where]) for part, where in parts.items()}

    def list_transforms(self) -> list[ImageTransform]:
        """List what changes training images: the shift, black coming in, then those of `augment`."""
        return [RandomCrop(round(self.shift * self.size / SIDE)), *self.augment]
