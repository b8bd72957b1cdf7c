"""Plots of how right a model is: which labels it confuses, and how far it is right when it is sure."""

import os
from typing import TYPE_CHECKING

import numpy as np

from audiocnn import files
from audiocnn.labels import Reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_INCHES = 0.42
DPI = 110


def write_confusion(rows: list[str], columns: list[str], counts: np.ndarray, path: str | os.PathLike) -> None:
    """Draws a confusion matrix (rows, columns): what is right downwards, what was answered across.

    A cell's colour is its share of the row, its number the count.
    """
    size = (2.2 + CELL_INCHES * len(columns), 1.9 + CELL_INCHES * len(rows))
    figure = _figure(size)
    axes = figure.subplots()
    n_clips = counts.sum(axis=1)
    shares = counts / n_clips[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.55 else "0.15"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=9, color=colour)
    axes.set_yticks(range(len(rows)), [f"{name}  {n}" for name, n in zip(rows, n_clips, strict=True)])
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="0.92", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color("0.8")
    axes.set_ylabel("right, and of how many clips")
    axes.set_title("answered", fontsize=10, pad=12)
    _save(figure, path)


def write_calibration(reliability: Reliability, path: str | os.PathLike) -> None:
    """Draws how often answers are right by how sure they are, on the dashed line where all is well."""
    figure = _figure((5.0, 5.8))
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]})
    above.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=(0, (4, 3)))
    above.vlines(
        reliability.confidence,
        reliability.confidence,
        reliability.accuracy,
        color="tab:red",
        alpha=0.35,
        lw=5,
    )
    above.plot(reliability.confidence, reliability.accuracy, "o-", color="tab:blue", markersize=5)
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
    above.set_title(
        f"Expected calibration error {100 * reliability.expected_calibration_error:.1f} %",
        fontsize=11,
        loc="left",
    )
    below.bar(reliability.confidence, reliability.count, width=0.04, color="tab:blue", alpha=0.6)
    below.set(xlabel="probability told", ylabel="answers")
    for axes in (above, below):
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _figure(inches: tuple[float, float]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: "Figure", path: str | os.PathLike) -> None:
    with files.write_atomically(path) as partial:
        figure.savefig(partial, format="png")
