"""Figures: their size and file, axes in seconds, Hz and note names, colours safe for colour blindness.

matplotlib is used without pyplot, so that the caller's own figures are not affected, and imported when a
figure is made (0.35 s). Every figure of the project begins and ends here:

    figure, (above, below) = plots.make_figure(12, 6, n_rows=2, sharex=True)
    plots.plot_spectrogram(above, levels_db, frame_s=0.01, bins_hz=front_end.bins_hz)
    below.plot(times_s, probabilities, color=plots.COLOURS[0])
    plots.plot_grid(below)
    plots.save_figure(figure, "song.png")

Conventions: spectrograms are (bins, frames), the lowest bin at the bottom; frame i is centred on
`start_s + i * frame_s`. The vertical axis counts bins from 0, or MIDI pitches where the caller says so.

Differs: librosa.display.specshow does the same. Measured on 2 cores, a piano roll of eight systems took 1.2
to 2.1 s longer with it (3.4 to 4.9 s instead of 2.2 to 2.7 s, of which 0.4 s once for its import): it draws
every bin as a polygon, and here a spectrogram is one image.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audiocnn import files, units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike

DPI = 100  # pixels per inch
# For lines, points and areas; all told apart with any colour vision. Source: Okabe and Ito, "Color universal
# design", 2008, without its yellow, which is faint on white, and with its black last.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
GREYS = "bone_r"  # spectrograms on which something in colour is drawn
SEQUENTIAL = "magma"  # images of magnitudes, from low to high
SHARES = "Blues"  # images of probabilities and shares, from 0 to 1: white stands for none
DIVERGING = "RdBu_r"  # values on both sides of 0: red above, blue below
TICKS_HZ = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
OCTAVES_MIDI = range(0, 128, 12)  # every C
MIN_TICK_DISTANCE = 0.05  # share of the axis: ticks that are closer than this would overlap
TIME_LABEL = "time (s)"
FREQUENCY_LABEL = "frequency (Hz)"
PITCH_LABEL = "pitch"


def make_figure(
    width_in: float, height_in: float, n_rows: int = 1, n_columns: int = 1, **layout: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure whose axes are laid out so that nothing is cut off and nothing overlaps.

    Args:
        width_in: width in inches, of `DPI` pixels each.
        height_in: height in inches.
        n_rows: rows of axes.
        n_columns: columns of axes.
        layout: further arguments of `matplotlib.figure.Figure.subplots`, such as `sharex`.

    Returns:
        The figure, and its axes row by row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(n_rows, n_columns, squeeze=False, **layout).flat)


def save_figure(figure: Figure, path: str | os.PathLike, **settings: Any) -> None:
    """Write a figure to a file, whole or not at all, in the format of its suffix.

    Names of files and labels are drawn as they are: a dollar sign begins no formula, and a character that the
    font lacks is a box.

    Args:
        figure: any figure.
        path: file to write, such as plot.png or plot.svg.
        settings: further arguments of `matplotlib.figure.Figure.savefig`.

    Raises:
        files.FileError: the file cannot be written.
    """
    import matplotlib
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text("\n".join(map(files.printable, text.get_text().split("\n"))))
    with files.write_atomically(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        with matplotlib.rc_context({"text.parse_math": False}):  # of ticks that are made while drawing
            figure.savefig(partial, **settings)


def plot_spectrogram(
    axes: Axes,
    levels: ArrayLike,
    frame_s: float,
    start_s: float = 0.0,
    *,
    edges: tuple[float, float] | None = None,
    bins_hz: ArrayLike | None = None,
    as_notes: bool = False,
    **settings: Any,
) -> AxesImage:
    """Draw a spectrogram over time, in greys unless `cmap` is given.

    Args:
        axes: axes to draw into.
        levels: values to draw, or colours with opacity, (bins, frames, 4).
        frame_s: seconds from one frame to the next.
        start_s: time of the centre of the first frame, in seconds.
        edges: lower edge of the lowest bin and upper edge of the highest on the vertical axis; by default
            -0.5 and bins - 0.5, which counts bins.
        bins_hz: frequency of each bin in Hz, ascending; if given, the vertical axis is labelled with it.
        as_notes: label note names instead of Hz.
        settings: further arguments of `matplotlib.axes.Axes.imshow`, such as `vmin` and `cmap`.

    Returns:
        The image, such as `matplotlib.figure.Figure.colorbar` takes.

    Shape:
        levels (bins, frames); bins_hz (bins,).
    """
    levels = np.asarray(levels)
    n_bins, n_frames = levels.shape[:2]
    times_s = start_s + np.array([-0.5, n_frames - 0.5]) * frame_s
    extent = (*times_s, *(edges or (-0.5, n_bins - 0.5)))
    image = axes.imshow(
        levels, **{"extent": extent, "origin": "lower", "aspect": "auto", "cmap": GREYS} | settings
    )
    axes.set_xlabel(TIME_LABEL)
    axes.tick_params(length=2)
    axes.spines[:].set_visible(False)
    if bins_hz is not None:
        label_bins(axes, bins_hz, as_notes)
    return image


def plot_waveform(axes: Axes, samples: ArrayLike, sample_rate: float, start_s: float = 0.0) -> None:
    """Draw a waveform over time.

    Args:
        axes: axes to draw into.
        samples: waveform, (samples,).
        sample_rate: in Hz.
        start_s: time of the first sample, in seconds.
    """
    samples = np.asarray(samples)
    times_s = start_s + np.arange(len(samples)) / sample_rate
    axes.plot(times_s, samples, color="0.3", linewidth=0.4)
    axes.set(xlabel=TIME_LABEL, ylabel="amplitude", xlim=(times_s[0], times_s[-1] + 1 / sample_rate))
    axes.tick_params(length=2)
    axes.spines[:].set_visible(False)


def label_bins(axes: Axes, bins_hz: ArrayLike, as_notes: bool = False) -> None:
    """Label a vertical axis that counts the bins of a spectrogram with their frequencies.

    Args:
        axes: axes whose vertical axis counts bins from 0.
        bins_hz: frequency of each bin in Hz, ascending, (bins,).
        as_notes: ticks at every C instead of round numbers of Hz.
    """
    bins_hz = np.asarray(bins_hz, float)
    ticks = {units.midi_to_note(midi): float(units.midi_to_hz(midi)) for midi in OCTAVES_MIDI}
    if not as_notes:
        ticks = {f"{hz // 1000}k" if hz >= 1000 else str(hz): hz for hz in TICKS_HZ}
    inside = {name: hz for name, hz in ticks.items() if bins_hz[0] <= hz <= bins_hz[-1]}
    positions = np.interp(list(inside.values()), bins_hz, np.arange(len(bins_hz)))
    kept = _apart(positions, MIN_TICK_DISTANCE * len(bins_hz))
    axes.set_yticks(positions[kept], [list(inside)[i] for i in kept])
    axes.set_ylabel(PITCH_LABEL if as_notes else FREQUENCY_LABEL)


def _apart(positions: Sequence[float] | np.ndarray, distance: float) -> list[int]:
    """The indices of ascending positions, without those nearer than a distance to the one before."""
    kept: list[int] = []
    for i, position in enumerate(positions):
        if not kept or position - positions[kept[-1]] >= distance:
            kept.append(i)
    return kept


def label_pitches(axes: Axes, lowest: float, highest: float) -> None:
    """Label a vertical axis of MIDI pitches: a name and a faint line at every C.

    Args:
        axes: axes whose vertical axis is in MIDI note numbers.
        lowest: MIDI note number at the bottom.
        highest: MIDI note number at the top.
    """
    shown = [midi for midi in OCTAVES_MIDI if lowest <= midi <= highest]
    axes.set_ylim(lowest, highest)
    axes.set_yticks(shown, [units.midi_to_note(midi) for midi in shown])
    axes.set_ylabel(PITCH_LABEL)
    axes.grid(axis="y", color="black", alpha=0.15, linewidth=0.6)


def plot_grid(axes: Axes) -> None:
    """Draw a light grid behind lines, points or bars, and hide the top and right spines.

    Args:
        axes: axes to draw into.
    """
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
