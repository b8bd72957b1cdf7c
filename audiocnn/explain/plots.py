"""Figures of what explains a network, without pyplot: a notebook shows them, a page keeps them as files.

Conventions: spectrograms and maps are (bins, frames), the lowest bin at the bottom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from audiocnn.explain.fields import Spans
from audiocnn.frontends.base import FrontEnd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 90
WIDTH = 9.0  # inches
LARGEST = 2.5  # inches of a patch's side
STRONG = 0.997  # of a map's cells have less than full colour: a few single ones would leave the others pale
TICKS_HZ = {100: "100 Hz", 500: "500", 1000: "1 kHz", 2000: "2", 4000: "4", 8000: "8"}


def draw_maps(
    spectrogram: Tensor, maps: Mapping[str, Tensor], front_end: FrontEnd, start_s: float = 0.0
) -> Figure:
    """A spectrogram, and over it again and again in grey each map: red where it speaks for the target.

    Blue where it speaks against it.
    """
    rows = -(-(len(maps) + 1) // 2)
    figure, all_axes = _figure(rows, 2, 2.4 * rows)
    for axes, (name, map) in zip(all_axes, {"what it saw": None, **maps}.items(), strict=False):
        _show(axes, spectrogram, front_end, start_s)
        axes.set_title(name, loc="left", fontsize=9)
        if map is not None:
            _cover(axes, map, front_end, start_s)
    for axes in all_axes[len(maps) + 1 :]:
        axes.set_axis_off()
    return figure


def draw_fields(
    spectrogram: Tensor, crops: Mapping[str, Spans], front_end: FrontEnd, start_s: float = 0.0
) -> Figure:
    """Crops of a spectrogram as frames on it, such as the receptive fields of layers, by their names."""
    from matplotlib.patches import Rectangle

    figure, (axes,) = _figure(1, 1, 3.2)
    _show(axes, spectrogram, front_end, start_s)
    n_bins, n_frames = spectrogram.shape
    for i, (name, crop) in enumerate(crops.items()):
        *bins, frames = crop
        low, high = (bins[0].start, bins[0].stop) if bins else (0, n_bins)
        left, right = (start_s + (edge - 0.5) * front_end.frame_s for edge in (frames.start, frames.stop))
        corner, size = (left, low - 0.5), (right - left, high - low)
        axes.add_patch(Rectangle(corner, *size, fill=False, color=f"C{i}", linewidth=2))
        axes.plot([], [], color=f"C{i}", linewidth=2, label=name)
    edges_s = start_s + np.array([-0.5, n_frames - 0.5]) * front_end.frame_s
    axes.set(xlim=edges_s, ylim=(-0.5, n_bins - 0.5))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def draw_kernels(kernels: Tensor, columns: int = 16, names: Sequence[str] = ()) -> Figure:
    """Kernels side by side: red above 0, blue below, each as strong as its own largest weight.

    Those of one row are drawn as lines.
    Shape: (filters, rows, frames).
    """
    columns = min(columns, len(kernels))
    rows = -(-len(kernels) // columns)
    in_2d = kernels.shape[1] > 1
    figure, all_axes = _figure(rows, columns, (WIDTH / columns * 1.1 if in_2d else 0.7) * rows)
    for i, axes in enumerate(all_axes):
        axes.set_axis_off()
        if i >= len(kernels):
            continue
        top = max(float(kernels[i].abs().max()), 1e-9)
        if in_2d:
            axes.imshow(kernels[i].numpy(), origin="lower", cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto")
        else:
            axes.axhline(0, color="0.85", linewidth=0.6)
            axes.plot(kernels[i, 0].numpy(), linewidth=0.8)
            axes.set_ylim(-1.1 * top, 1.1 * top)
        if names:
            axes.set_title(names[i], fontsize=8)
    return figure


def draw_responses(gains: Tensor, hz: Tensor) -> Figure:
    """What frequencies filters pass, a column for each, in decibels below its highest.

    Shape: (filters, frequencies) and (frequencies,).
    """
    figure, (axes,) = _figure(1, 1, 3.2)
    levels = 20 * torch.log10((gains / gains.amax(1, keepdim=True).clamp(min=1e-9)).clamp(min=1e-4))
    extent = (-0.5, len(gains) - 0.5, float(hz[0]), float(hz[-1]))
    shown = axes.imshow(
        levels.T.numpy(), origin="lower", aspect="auto", cmap="magma", vmin=-40, vmax=0, extent=extent
    )
    axes.set(xlabel="filter", ylabel="Hz")
    figure.colorbar(shown, ax=axes, label="dB", pad=0.01)
    return figure


def draw_patches(crops: Sequence[Tensor], names: Sequence[str] = ()) -> Figure:
    """Crops of spectrograms side by side, in the same shades of grey."""
    n = max(len(crops), 1)
    side = min(WIDTH / n, LARGEST)
    figure, all_axes = _figure(1, n, side + 0.4, n * side)
    top = max((float(crop.max()) for crop in crops), default=1.0)
    low = min((float(crop.min()) for crop in crops), default=0.0)
    for i, (axes, crop) in enumerate(zip(all_axes, crops, strict=False)):
        axes.imshow(crop.numpy(), origin="lower", aspect="auto", cmap="bone_r", vmin=low, vmax=top)
        axes.set(xticks=[], yticks=[])
        if names:
            axes.set_title(names[i], fontsize=8)
    return figure


def draw_embeddings(points: np.ndarray, names: Sequence[str], groups: Sequence[int] = ()) -> Figure:
    """Points on a plane with their names.

    Args:
        groups: of each point, those of a colour.
    """
    figure, (axes,) = _figure(1, 1, 5.0)
    colours = [f"C{group}" for group in groups] if len(groups) else "C0"
    axes.scatter(points[:, 0], points[:, 1], c=colours, s=30)
    for (x, y), name in zip(points, names, strict=True):
        axes.annotate(name, (float(x), float(y)), (4, 3), textcoords="offset points", fontsize=8)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.12)
    axes.spines[:].set_color("0.8")
    return figure


def _figure(rows: int, columns: int, height: float, width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _extent(spectrogram: Tensor, front_end: FrontEnd, start_s: float) -> tuple[float, float, float, float]:
    left, right = (start_s + frame * front_end.frame_s for frame in (-0.5, spectrogram.shape[1] - 0.5))
    return left, right, -0.5, spectrogram.shape[0] - 0.5


def _show(axes: Axes, spectrogram: Tensor, front_end: FrontEnd, start_s: float) -> None:
    """A spectrogram in grey, or a waveform as a line."""
    extent = _extent(spectrogram, front_end, start_s)
    if len(spectrogram) == 1:
        times_s = start_s + np.arange(spectrogram.shape[1]) * front_end.frame_s
        samples = spectrogram[0] / (2 * spectrogram.abs().max().clamp(min=1e-9))
        axes.plot(times_s, samples.numpy(), color="0.3", linewidth=0.4)
        axes.set(yticks=[], ylim=extent[2:])
    else:
        axes.imshow(spectrogram.numpy(), origin="lower", aspect="auto", cmap="bone_r", extent=extent)
        bins = np.interp(
            list(TICKS_HZ), front_end.bins_hz.numpy(), np.arange(len(spectrogram)), np.nan, np.nan
        )
        inside = np.isfinite(bins)
        axes.set_yticks(bins[inside], np.array(list(TICKS_HZ.values()))[inside])
    axes.set_xlim(*extent[:2])
    axes.tick_params(labelsize=7, length=2)
    axes.spines[:].set_visible(False)


def _cover(axes: Axes, map: Tensor, front_end: FrontEnd, start_s: float) -> None:
    """Colours over a spectrogram, the stronger the further from 0."""
    import matplotlib

    strong = torch.quantile(map.abs().flatten(), STRONG).clamp(min=float(map.abs().max()) / 20 + 1e-12)
    strength = (map / strong).clamp(-1, 1)
    colours = matplotlib.colormaps["bwr"](0.5 + 0.5 * strength.numpy())
    colours[..., 3] = 0.85 * strength.abs().numpy() ** 0.7
    extent = _extent(map, front_end, start_s)
    axes.imshow(colours, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
