"""Plots of explanations: saliency maps, receptive fields, kernels, patches, embeddings.

Each gives a figure, which a notebook shows and `audiocnn.plots.save_figure` writes. Conventions: spectrograms
and saliency maps are (bins, frames), the lowest bin at the bottom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from audiocnn import plots
from audiocnn.explain.receptive_fields import Crop
from audiocnn.frontends.base import FrontEnd
from audiocnn.frontends.cqt import Cqt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

WIDTH_IN = 9.0  # inches, of every figure
PATCHES_IN_ROW = 5  # so that the labels of their axes can be read
PATCH_HEIGHT_IN = 2.0  # inches, labels included
TITLE_SIZE, TICK_SIZE = 10, 8  # points
FULL_COLOUR_QUANTILE = 0.997  # of a saliency map: scaled to its maximum, most of it would be pale
MIN_FULL_COLOUR = 1 / 20  # share of the highest value below which that quantile does not count
OVERLAY = "bwr"  # brighter at its ends than plots.DIVERGING, to stand out over dark greys
SIDES = {
    (5, 0): "left",
    (-5, 0): "right",
    (0, 9): "center",
    (0, -9): "center",
}  # of a name: offset, alignment
RESPONSE_RANGE_DB = 40.0  # of frequency responses, below each filter's highest gain


def plot_saliency_maps(
    spectrogram: Tensor,
    saliency_maps: Mapping[str, Tensor],
    front_end: FrontEnd,
    start_s: float = 0.0,
    as_notes: bool | None = None,
) -> Figure:
    """Plot a spectrogram, and each saliency map over it: red is evidence for the target, blue against.

    Args:
        spectrogram: (bins, frames).
        saliency_maps: by name, each (bins, frames).
        front_end: front end that computed the spectrogram.
        start_s: time of the first frame, in seconds.
        as_notes: label notes instead of Hz; None for notes where bins are evenly spaced in pitch.
    """
    shown = {"spectrogram" if len(spectrogram) > 1 else "waveform": None, **saliency_maps}
    n_rows = -(-len(shown) // 2)
    figure, all_axes = plots.make_figure(WIDTH_IN, 2.6 * n_rows, n_rows, 2)
    for i, (axes, (name, saliency_map)) in enumerate(zip(all_axes, shown.items(), strict=False)):
        _plot_spectrogram(axes, spectrogram, front_end, start_s, as_notes=as_notes)
        axes.set_title(name, loc="left", fontsize=TITLE_SIZE, parse_math=False)
        if saliency_map is not None:
            _overlay(axes, saliency_map, front_end, start_s)
        if i % 2:
            axes.set_ylabel("")
        if i + 2 < len(shown):  # another one stands below
            axes.set_xlabel("")
    for axes in all_axes[len(shown) :]:
        axes.set_axis_off()
    return figure


def plot_crops(
    spectrogram: Tensor,
    crops: Mapping[str, Crop],
    front_end: FrontEnd,
    start_s: float = 0.0,
    as_notes: bool | None = None,
) -> Figure:
    """Plot crops of a spectrogram as rectangles over it, such as the receptive fields of layers.

    Args:
        spectrogram: (bins, frames).
        crops: by name, each of bins and frames or of frames alone.
        front_end: front end that computed the spectrogram.
        start_s: time of the first frame, in seconds.
        as_notes: label notes instead of Hz; None for notes where bins are evenly spaced in pitch.
    """
    from matplotlib.patches import Rectangle

    figure, (axes,) = plots.make_figure(WIDTH_IN, 3.6)
    _plot_spectrogram(axes, spectrogram, front_end, start_s, as_notes=as_notes)
    limits = axes.get_xlim(), axes.get_ylim()
    for i, (name, (*bins, frames)) in enumerate(crops.items()):
        low, high = (bins[0].start, bins[0].stop) if bins else (0, len(spectrogram))
        left, right = (start_s + (edge - 0.5) * front_end.frame_s for edge in (frames.start, frames.stop))
        corner, size = (left, low - 0.5), (right - left, high - low)
        colour = plots.COLOURS[i % len(plots.COLOURS)]
        axes.add_patch(Rectangle(corner, *size, fill=False, color=colour, linewidth=2, clip_on=False))
        axes.plot([], [], color=colour, linewidth=2, label=name)
    axes.set(xlim=limits[0], ylim=limits[1])
    figure.legend(fontsize=TITLE_SIZE, loc="outside upper center", ncols=len(crops), frameon=False)
    return figure


def plot_kernels(kernels: Tensor, columns: int = 16, names: Sequence[str] = ()) -> Figure:
    """Plot kernels side by side, red above 0 and blue below, each scaled to its largest absolute weight.

    Kernels of one row are plotted as lines.

    Args:
        kernels: (filters, rows, frames).
        columns: kernels in a row of the figure, at most.
        names: names of the kernels.
    """
    columns = min(columns, len(kernels))
    rows = -(-len(kernels) // columns)
    in_2d = kernels.shape[1] > 1
    height_in = (WIDTH_IN / columns * 1.1 if in_2d else 0.7) * rows
    figure, all_axes = plots.make_figure(WIDTH_IN, height_in, rows, columns)
    for axes in all_axes:
        axes.set_axis_off()
    for i, (axes, kernel) in enumerate(zip(all_axes, kernels, strict=False)):
        top = max(float(kernel.abs().max()), 1e-9)
        if in_2d:
            settings = {"cmap": plots.DIVERGING, "vmin": -top, "vmax": top, "aspect": "auto"}
            axes.imshow(kernel.numpy(), origin="lower", **settings)
        else:
            axes.axhline(0, color="0.85", linewidth=0.6)
            axes.plot(kernel[0].numpy(), color=plots.COLOURS[0], linewidth=0.8)
            axes.set_ylim(-1.1 * top, 1.1 * top)
        if names:
            axes.set_title(names[i], fontsize=TICK_SIZE, parse_math=False)
    return figure


def plot_frequency_responses(gains: Tensor, hz: Tensor) -> Figure:
    """Plot the frequency responses of filters, a column for each, in decibels below its highest gain.

    Args:
        gains: magnitudes, (filters, frequencies).
        hz: frequencies in Hz, evenly spaced, (frequencies,).
    """
    figure, (axes,) = plots.make_figure(WIDTH_IN, 3.2)
    relative = gains / gains.amax(1, keepdim=True).clamp(min=1e-9)
    levels_db = 20 * torch.log10(relative.clamp(min=1e-4))
    extent = (-0.5, len(gains) - 0.5, float(hz[0]), float(hz[-1]))
    settings = {"cmap": plots.SEQUENTIAL, "vmin": -RESPONSE_RANGE_DB, "vmax": 0}
    image = axes.imshow(levels_db.T.numpy(), origin="lower", aspect="auto", extent=extent, **settings)
    axes.set(xlabel="filter", ylabel=plots.FREQUENCY_LABEL)
    figure.colorbar(image, ax=axes, label="gain (dB)", pad=0.01)
    return figure


def plot_patches(
    crops: Sequence[Tensor],
    front_end: FrontEnd,
    names: Sequence[str] = (),
    places: Sequence[Crop] = (),
    as_notes: bool | None = None,
) -> Figure:
    """Plot crops of spectrograms side by side, in the same shades, over the seconds from their beginning.

    Args:
        crops: each (bins, frames).
        front_end: front end that computed the spectrograms.
        names: names of the crops.
        places: where the crops lie in their spectrograms; from the lowest bin on by default.
        as_notes: label notes instead of Hz; None for notes where bins are evenly spaced in pitch.
    """
    columns = max(min(len(crops), PATCHES_IN_ROW), 1)
    rows = max(-(-len(crops) // columns), 1)
    figure, all_axes = plots.make_figure(WIDTH_IN, PATCH_HEIGHT_IN * rows, rows, columns)
    levels = {
        "vmin": min((float(crop.min()) for crop in crops), default=0.0),
        "vmax": max((float(crop.max()) for crop in crops), default=1.0),
    }
    for axes in all_axes[len(crops) :]:
        axes.set_axis_off()
    for i, (axes, crop) in enumerate(zip(all_axes, crops, strict=False)):
        bins = places[i][:-1] if places else ()
        first_bin = bins[0].start if bins else 0
        _plot_spectrogram(axes, crop, front_end, 0.0, first_bin, as_notes, **levels)
        axes.spines[:].set(visible=True, color="0.8")
        if i % columns:
            axes.set_ylabel("")
        if i + columns < len(crops):  # another one stands below
            axes.set_xlabel("")
        if names:
            axes.set_title(names[i], fontsize=TITLE_SIZE, parse_math=False)
    return figure


def plot_embeddings(points: np.ndarray, names: Sequence[str], groups: Sequence[int] = ()) -> Figure:
    """Plot points on a plane with their names; a title counts names that would have overlapped others.

    Args:
        points: as of `project_to_plane`, (points, 2).
        names: names of the points.
        groups: index of each point's colour; by default all have the same.
    """
    figure, (axes,) = plots.make_figure(WIDTH_IN, 5.0)
    indices = groups if len(groups) else [0] * len(points)
    colours = [plots.COLOURS[index % len(plots.COLOURS)] for index in indices]
    axes.scatter(points[:, 0], points[:, 1], c=colours, s=30)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.12)
    axes.spines[:].set_color("0.8")
    axes.set_title(" ", loc="left", fontsize=TITLE_SIZE)  # takes its place before positions are computed
    figure.draw_without_rendering()
    taken: list[Bbox] = []
    n_hidden = sum(not _annotate(axes, point, name, taken) for point, name in zip(points, names, strict=True))
    if n_hidden:
        text = f"{n_hidden} of {len(names)} names are not shown: they would overlap others"
        axes.set_title(text, loc="left", fontsize=TITLE_SIZE)
    return figure


def _annotate(axes: Axes, point: np.ndarray, name: str, taken: list[Bbox]) -> bool:
    """Write a name beside a point, on a side where no other name is; return whether there is one."""
    for (x, y), side in SIDES.items():
        text = axes.annotate(
            name,
            (float(point[0]), float(point[1])),
            (x, y),
            textcoords="offset points",
            fontsize=TICK_SIZE,
            ha=side,
            va="center",
            parse_math=False,
        )
        box = text.get_window_extent()
        if not any(box.overlaps(other) for other in taken):
            taken.append(box)
            return True
        text.remove()
    return False


def _plot_spectrogram(
    axes: Axes,
    spectrogram: Tensor,
    front_end: FrontEnd,
    start_s: float,
    first_bin: int = 0,
    as_notes: bool | None = None,
    **levels: Any,
) -> None:
    """Plot a spectrogram in grey, or a waveform as a line, scaled to the height of one bin."""
    if len(spectrogram) > 1:
        plots.plot_spectrogram(
            axes,
            spectrogram.numpy(),
            front_end.frame_s,
            start_s,
            bins_hz=front_end.bins_hz[first_bin : first_bin + len(spectrogram)].numpy(),
            # A constant-Q transform's bins are evenly spaced in pitch.
            as_notes=isinstance(front_end, Cqt) if as_notes is None else as_notes,
            **levels,
        )
    else:
        samples = spectrogram[0] / (2 * spectrogram.abs().max().clamp(min=1e-9))
        plots.plot_waveform(axes, samples.numpy(), front_end.sample_rate, start_s)
        axes.set(ylim=(-0.5, 0.5), yticks=[], ylabel="")
    axes.tick_params(labelsize=TICK_SIZE)


def colour_saliency(saliency_map: Tensor) -> np.ndarray:
    """Colour a saliency map: red above 0, blue below, the more opaque the further from 0.

    Args:
        saliency_map: (bins, frames).

    Returns:
        Colours with opacity, (bins, frames, 4).
    """
    import matplotlib

    magnitude = saliency_map.abs()
    full = torch.quantile(magnitude.flatten(), FULL_COLOUR_QUANTILE)
    full = full.clamp(min=float(magnitude.max()) * MIN_FULL_COLOUR + 1e-12)
    strength = (saliency_map / full).clamp(-1, 1)
    colours = matplotlib.colormaps[OVERLAY](0.5 + 0.5 * strength.numpy())
    colours[..., 3] = 0.85 * strength.abs().numpy() ** 0.7
    return colours


def _overlay(axes: Axes, saliency_map: Tensor, front_end: FrontEnd, start_s: float) -> None:
    """Plot a saliency map over a spectrogram."""
    colours = colour_saliency(saliency_map)
    plots.plot_spectrogram(axes, colours, front_end.frame_s, start_s, interpolation="nearest")
