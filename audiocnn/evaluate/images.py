"""Images of known classes and models -> how often the right class is first, or one of the first five."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiocnn import files, images, inputs
from audiocnn.inference.images import classify_image
from audiocnn.models.image import ImageModel
from audiocnn.ranges import ArgumentError

TOP = 5  # predictions among which the right class may be, as in ImageNet's challenge
MAX_NAMES = 5  # of labels, in a message


@dataclass(frozen=True)
class ImageReport:
    """Result of `evaluate_images`.

    Attributes:
        ranks: of the right class among the predictions for each image, by class; 0 for the most probable.
        unreadable: each image that could not be read or classified, and why.
    """

    ranks: dict[str, list[int]]
    unreadable: dict[Path, str]

    @property
    def n_images(self) -> int:
        """Number of images that were evaluated."""
        return sum(map(len, self.ranks.values()))

    def measure_top(self, n: int, label: str | None = None) -> float:
        """Measure how often the right class is among the first predictions.

        Args:
            n: number of predictions.
            label: of a class; all images when None.

        Returns:
            A share, 0 to 1.
        """
        ranks = [rank for name, found in self.ranks.items() if label in (None, name) for rank in found]
        return sum(rank < n for rank in ranks) / len(ranks)


def find_labelled(folder: Path, labels: Sequence[str]) -> dict[str, inputs.Found]:
    """Find the images of a folder that has a folder for each class.

    Args:
        folder: of the classes' folders.
        labels: of the model.

    Returns:
        The images of each class, with what was passed over.

    Raises:
        FileError: the folder cannot be read, has no folders, or one of them no images.
        ArgumentError: a folder has the name of no class.
    """
    if not folder.is_dir():
        raise files.FileError(folder, "no such folder, expected one with a folder for each class")
    found = sorted(folder.glob("[!.]*/"))
    if not found:
        raise files.FileError(folder, "has no folders, expected one for each class")
    if foreign := [one.name for one in found if one.name not in labels]:
        shown = ", ".join(foreign[:MAX_NAMES]) + " …" * (len(foreign) > MAX_NAMES)
        known = ", ".join(labels[:MAX_NAMES]) + " …" * (len(labels) > MAX_NAMES)
        raise ArgumentError(f"folders are {shown}, expected names of the model's classes: {known}")
    return {one.name: images.find_images(one) for one in found}


def evaluate_images(
    labelled: Mapping[str, Sequence[Path]],
    models: Sequence[ImageModel],
    progress: Callable[[Path], object] | None = None,
    describe: Callable[[Exception], str] = repr,
) -> ImageReport:
    """Evaluate the mean of models' probabilities on images whose classes are known.

    An image that cannot be read is reported, and the others are evaluated.

    Args:
        labelled: the images of each class.
        models: models of the same labels, in evaluation mode.
        progress: called with each image before it is read.
        describe: unexpected error -> what is reported of it.

    Returns:
        The report.

    Raises:
        FileError: no image can be read.
    """
    ranks: dict[str, list[int]] = defaultdict(list)
    unreadable: dict[Path, str] = {}
    for label, paths in labelled.items():
        for path in paths:
            if progress:
                progress(path)
            try:
                ranked = classify_image(path, models).ranked_labels
            except files.FileError as error:
                unreadable[path] = str(error)
            except Exception as error:  # of a network: no image costs the others their results
                unreadable[path] = str(files.FileError(path, describe(error)))
            else:
                ranks[label].append([one.label for one in ranked].index(label))
    if not ranks:
        raise files.FileError(
            "images", f"none could be read; {next(iter(unreadable.values()), 'there is none')}"
        )
    return ImageReport(dict(ranks), unreadable)
