"""Classification of images: an image and a model -> the probability of each class.

A network sees the square in the middle of an image, in the model's size; one of one channel sees its grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiocnn import images
from audiocnn.formats import create_writer, write_labels
from audiocnn.images import Image
from audiocnn.labels import Prediction, compute_probabilities, predict_labels, rank_labels
from audiocnn.models.image import SIZE, ImageModel
from audiocnn.ranges import ArgumentError

SPACES = {1: "grey", 3: "rgb"}  # channels of a model -> the colour space of its images
MAX_NAMES = 5  # of labels, in a message


@dataclass(frozen=True)
class ImageClassification:
    """The class of an image, with what is needed to write it down.

    Args:
        outputs: names of the classes.
        probabilities: of each of them, (outputs,).
        models: names of the models.
        source: the image file; None for an image in memory.

    Attributes:
        timeline: None, as an image has no time.
    """

    outputs: list[str]
    probabilities: np.ndarray
    models: list[str]
    source: Path | None = None
    timeline: None = None

    @property
    def ranked_labels(self) -> list[Prediction]:
        """All classes with their probabilities, the most probable first."""
        return rank_labels(self.outputs, self.probabilities)

    @property
    def predictions(self) -> list[Prediction]:
        """The most probable class, alone in a list as the labels of a recording are in theirs."""
        return predict_labels(self.outputs, self.probabilities, multi_label=False, threshold=0.0)

    @property
    def is_unknown(self) -> bool:
        """Whether no class is predicted: never, as a model of images knows no class unknown."""
        return False

    to_json = create_writer(write_labels, "json", "Write every field.")
    to_csv = create_writer(write_labels, "csv", "Write the probabilities, a class a line.")
    to_png = create_writer(write_labels, "png", "Plot the most probable classes beside the image.")


def classify_image(image: str | Path | Image, models: Sequence[ImageModel]) -> ImageClassification:
    """Classify an image by the mean of models' probabilities.

    Args:
        image: a file, or an image in memory.
        models: models of the same labels, at least one, in evaluation mode.

    Returns:
        The probability of each class.

    Raises:
        FileError: the file cannot be read, or what it shows is transparent everywhere.
        ArgumentError: the models differ in their labels, or one takes no images in grey or RGB.
    """
    check_same_labels(models)
    with torch.inference_mode():
        logits = [one(read_input(image, one))[0].float().cpu().numpy() for one in models]
    return ImageClassification(
        outputs=models[0].outputs,
        probabilities=np.mean([compute_probabilities(one, 1.0, False) for one in logits], axis=0),
        models=[one.name for one in models],
        source=None if isinstance(image, Image) else Path(image),
    )


def read_input(image: str | Path | Image, model: ImageModel) -> Tensor:
    """Read an image as a model sees it, before it is normalised.

    Args:
        image: a file, or an image in memory.
        model: whose size and channels it has.

    Returns:
        Pixels from 0 to 1 on the model's device, (1, channels, size, size).

    Raises:
        FileError: as of `images.read_square`.
        ArgumentError: the model takes no images in grey or RGB.
    """
    channels, size = model.backbone.in_channels, model.size or SIZE
    if channels not in SPACES:
        raise ArgumentError(f"{model.name} takes {channels} channels, expected 1 or 3: grey or RGB")
    square = images.make_square(image, size) if isinstance(image, Image) else images.read_square(image, size)
    return images.convert(square, "rgb", SPACES[channels])[None].to(model.device)


def check_same_labels(models: Sequence[ImageModel]) -> None:
    """Check that the probabilities of models can be averaged.

    Args:
        models: at least one.

    Raises:
        ArgumentError: there is none, or they differ in their labels.
    """
    if not models:
        raise ArgumentError("no model given, expected at least one")
    first = models[0]
    for other in models[1:]:
        if other.outputs != first.outputs:
            differing = [name for name in other.outputs if name not in first.outputs]
            shown = ", ".join(differing[:MAX_NAMES]) or "the same in another order, or fewer"
            raise ArgumentError(f"labels of {other.name}: {shown}, expected those of {first.name}")
