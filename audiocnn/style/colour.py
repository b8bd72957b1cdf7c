"""A stylized image and its content image -> the stylized image in the colours of the content.

Conventions: images are (1, 3, rows, columns) from 0 to 1. Histograms are matched by scikit-image.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from audiocnn import images


def keep_luminance(styled: Tensor, content: Tensor) -> Tensor:
    """Combine the lightness of a stylized image with the colours of the content, in CIELAB.

    Args:
        styled: the stylized image.
        content: the content image, of the same size.

    Returns:
        An image of the same size.

    Source:
        Gatys et al., "Preserving color in neural artistic style transfer", 2016, section 3.

    Differs:
        In CIELAB, where the paper uses YIQ. Mixtures that sRGB lacks, as a dark yellow, are clipped.
    """
    lightness, colours = (images.convert(image.clamp(0, 1), "rgb", "lab") for image in (styled, content))
    return images.convert(torch.cat([lightness[:, :1], colours[:, 1:]], dim=1), "lab", "rgb")


def match_histogram(styled: Tensor, content: Tensor) -> Tensor:
    """Match the histogram of each colour channel of a stylized image to that of the content.

    Args:
        styled: the stylized image.
        content: the content image, of any size.

    Returns:
        An image of the stylized one's size.
    """
    from skimage.exposure import match_histograms

    return _to_tensor(match_histograms(_to_numpy(styled), _to_numpy(content), channel_axis=-1), styled)


def _to_numpy(image: Tensor) -> np.ndarray:
    """(1, 3, rows, columns) -> (rows, columns, 3)."""
    return image[0].permute(1, 2, 0).cpu().numpy()


def _to_tensor(pixels: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].to(like).clamp(0, 1)


COLOURS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "style": lambda styled, content: styled,
    "luminance": keep_luminance,
    "histogram": match_histogram,
}
