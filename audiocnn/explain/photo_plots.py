"""Plots of explanations of images: maps over a photograph, patches, receptive fields, kernels in colour.

Conventions: an image is (3, rows, columns) from 0 to 1, the first row at the top; a saliency map (rows,
columns).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from audiocnn import plots
from audiocnn.explain.plots import TITLE_SIZE, WIDTH_IN, colour_saliency
from audiocnn.explain.receptive_fields import Crop

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3  # maps in a row
PALE = 0.6  # share of white in the photograph under a map, so that its colours stand out


def plot_photo_maps(
    image: Tensor, saliency_maps: Mapping[str, Tensor], failed: Collection[str] = ()
) -> Figure:
    """Plot a photograph, and each saliency map over its greys: red is evidence for the target, blue against.

    Args:
        image: (3, rows, columns).
        saliency_maps: by name, each (rows, columns).
        failed: names of those that failed a test, which their titles say.
    """
    n_rows = -(-(1 + len(saliency_maps)) // COLUMNS)
    side_in = WIDTH_IN / COLUMNS
    figure, all_axes = plots.make_figure(WIDTH_IN, (side_in + 0.3) * n_rows, n_rows, COLUMNS)
    for axes in all_axes:
        axes.set_axis_off()
    _show(all_axes[0], image, "photograph")
    grey = PALE + (1 - PALE) * image.mean(0, keepdim=True).expand(3, -1, -1)
    for axes, (name, saliency_map) in zip(all_axes[1:], saliency_maps.items(), strict=False):
        has_failed = name in failed
        _show(
            axes, grey, f"{name}: fails" if has_failed else name, plots.COLOURS[1] if has_failed else "black"
        )
        axes.imshow(colour_saliency(saliency_map), interpolation="nearest")
    return figure


def plot_photos(images: Sequence[Tensor], names: Sequence[str] = (), columns: int = 5) -> Figure:
    """Plot images side by side, each as large as it can be.

    Args:
        images: each (3, rows, columns).
        names: names of the images.
        columns: images in a row, at most.
    """
    columns = max(min(columns, len(images)), 1)
    n_rows = -(-len(images) // columns)
    side_in = min(WIDTH_IN / columns, 3.0)
    title_in = 0.3 if names else 0.0
    figure, all_axes = plots.make_figure(columns * side_in, (side_in + title_in) * n_rows, n_rows, columns)
    for axes in all_axes:
        axes.set_axis_off()
    for i, (axes, image) in enumerate(zip(all_axes, images, strict=False)):
        _show(axes, image, names[i] if names else "")
    return figure


def plot_photo_crops(image: Tensor, crops: Mapping[str, Crop]) -> Figure:
    """Plot crops of an image as rectangles over it, such as the receptive fields of layers.

    Args:
        image: (3, rows, columns).
        crops: by name, each of rows and columns.
    """
    from matplotlib.patches import Rectangle

    figure, (axes,) = plots.make_figure(WIDTH_IN, 4.2)
    axes.set_axis_off()
    _show(axes, PALE + (1 - PALE) * image, "")
    for i, (name, (rows, columns)) in enumerate(crops.items()):
        colour = plots.COLOURS[i % len(plots.COLOURS)]
        size = columns.stop - columns.start, rows.stop - rows.start
        corner = columns.start - 0.5, rows.start - 0.5
        axes.add_patch(Rectangle(corner, *size, fill=False, color=colour, linewidth=2, clip_on=False))
        axes.plot([], [], color=colour, linewidth=2, label=f"{name}: {size[0]} × {size[1]} pixels")
    axes.legend(fontsize=TITLE_SIZE - 1, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def scale_kernels(kernels: Tensor) -> list[Tensor]:
    """Scale kernels over colours to images: grey for 0, each to its largest absolute weight.

    Args:
        kernels: (filters, channels, rows, columns); of 1 or 3 channels.

    Returns:
        An image (3, rows, columns) of each.
    """
    tops = kernels.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-9)
    return list((0.5 + 0.5 * kernels / tops).expand(-1, 3, -1, -1))


def _show(axes: Axes, image: Tensor, title: str, colour: str = "black") -> None:
    axes.imshow(np.asarray(image.permute(1, 2, 0).clamp(0, 1)), interpolation="nearest")
    axes.set_title(title, loc="left", fontsize=TITLE_SIZE, color=colour, parse_math=False)


def to_rgb(image: Tensor) -> Tensor:
    """Return an image of one channel or three as RGB.

    Args:
        image: (1 or 3, rows, columns).
    """
    return torch.as_tensor(image).detach().cpu().expand(3, -1, -1)
