"""A styled image and its content -> the styled image with colours of the content.

Conventions: as `optimise`. Colour spaces and histograms are scikit-image's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def keep_luminance(made: Tensor, content: Tensor) -> Tensor:
    """The lightness of what was made with the colours of the content, in CIE Lab.

    Source: Gatys et al., "Preserving color in neural artistic style transfer", 2016, section 3, there in YIQ.
    """
    from skimage.color import lab2rgb, rgb2lab

    lightness, colours = (rgb2lab(_cells(image)) for image in (made, content))
    return _image(lab2rgb(np.concatenate([lightness[..., :1], colours[..., 1:]], axis=-1)), made)


def match_histogram(made: Tensor, content: Tensor) -> Tensor:
    """What was made, with as much of each red, green and blue as the content has."""
    from skimage.exposure import match_histograms

    return _image(match_histograms(_cells(made), _cells(content), channel_axis=-1), made)


def _cells(image: Tensor) -> np.ndarray:
    """(1, 3, rows, columns) -> (rows, columns, 3)."""
    return image[0].permute(1, 2, 0).cpu().numpy()


def _image(cells: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(cells).permute(2, 0, 1)[None].to(like).clamp(0, 1)


COLOURS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "style": lambda made, content: made,
    "luminance": keep_luminance,
    "histogram": match_histogram,
}
