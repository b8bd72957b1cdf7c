"""Test-time augmentation: a model's predictions for variants of a waveform or of an image, averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from audiocnn.augment.image import crop, resize
from audiocnn.augment.waveform import RandomClip, RandomRecording, Rng
from audiocnn.ranges import ArgumentError

# waveform, n_samples, sample_rate, generator -> waveform of n_samples
Augment = Callable[[np.ndarray, int, int, Rng], np.ndarray]
CROP = 224 / 256  # of a side, as AlexNet's ten crops
SCALES = (1.0, 0.875, 0.75)  # of the sides of crops from the middle

# Another master of a clip: another level and equaliser, polarity inverted, and the pitch a little shifted.
MASTERED = RandomClip(
    stretch_p=0.0,
    pitch_p=0.5,
    semitones=(-0.5, 0.5),
    record=RandomRecording(
        impulse_response_p=0.0, equaliser_p=0.5, noise_p=0.0, saturation_p=0.0, gain_db=(-12.0, 0.0)
    ),
)


def average_variants(
    predict: Callable[[Tensor], Tensor],
    waveforms: Tensor,
    sample_rate: int,
    k: int = 8,
    augment: Augment = MASTERED,
    n_samples: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Average a model's probabilities over k variants of each waveform; the same in any batch.

    Args:
        predict: takes waveforms (batch, n_samples), returns probabilities (batch, labels).
        waveforms: (batch, samples).
        sample_rate: in Hz.
        k: variants of each waveform.
        augment: makes a variant.
        n_samples: of a variant, from a random position; those of the waveforms when None.
        seed: random seed of the variants.

    Returns:
        Probabilities, (batch, labels).
    """
    n_samples = n_samples or waveforms.shape[1]

    def variant(waveform: Tensor, index: int) -> Tensor:
        rng = np.random.default_rng((seed, index))
        return torch.from_numpy(augment(waveform.cpu().numpy(), n_samples, sample_rate, rng))

    predictions = [predict(torch.stack([variant(w, i) for w in waveforms]).to(waveforms)) for i in range(k)]
    return torch.stack(predictions).mean(0)


def mirror(images: Tensor) -> list[Tensor]:
    """List images and their mirror images.

    Args:
        images: (batch, channels, rows, columns).

    Returns:
        Two variants, of the same shape.
    """
    return [images, images.flip(-1)]


def ten_crop(images: Tensor, share: float = CROP) -> list[Tensor]:
    """List the four corners and the middle of images, enlarged to the whole, and their mirror images.

    Args:
        images: (batch, channels, rows, columns).
        share: of the sides, that a crop has.

    Returns:
        Ten variants, of the same shape.

    Source:
        Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep CNNs", 2012, section 4.1.

    Differs:
        The crops are enlarged to the size that the images have, so that every network takes them.
    """
    places = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5)]
    crops = [crop(images, (share, share), place) for place in places]
    return [one for part in crops for one in mirror(resize(part, images))]


def scales(images: Tensor, shares: Sequence[float] = SCALES) -> list[Tensor]:
    """List the middles of images at several scales, enlarged to the whole.

    Args:
        images: (batch, channels, rows, columns).
        shares: of the sides, that the crops have; 1 is the image as it is.

    Returns:
        As many variants, of the same shape.
    """
    return [resize(crop(images, (share, share), (0.5, 0.5)), images) for share in shares]


VIEWS: dict[str, Callable[[Tensor], list[Tensor]]] = {
    "mirror": mirror,
    "ten_crop": ten_crop,
    "scales": scales,
}


def check_views(views: str | None) -> None:
    """Check the name of a kind of variants of images.

    Args:
        views: one of `VIEWS`; None for the image alone.

    Raises:
        ArgumentError: there is no such kind.
    """
    if views is not None and views not in VIEWS:
        raise ArgumentError(f"tta is {views!r}, expected one of {', '.join(VIEWS)}, or none")


def average_views(predict: Callable[[Tensor], Tensor], images: Tensor, views: str | None) -> Tensor:
    """Average a model's probabilities over variants of each image.

    Args:
        predict: takes images, returns probabilities (batch, classes).
        images: (batch, channels, rows, columns).
        views: one of `VIEWS`: mirror, the image and its mirror image; ten_crop, its corners and its middle,
            and these mirrored; scales, its middle at several scales; None for the image alone.

    Returns:
        Probabilities, (batch, classes).

    Raises:
        ArgumentError: there is no such kind of variants.
    """
    check_views(views)
    variants = VIEWS[views](images) if views else [images]
    return torch.stack([predict(variant) for variant in variants]).mean(0)
