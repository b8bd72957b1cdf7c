"""Plots of an evaluation: the confusion matrix, and the reliability diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiocnn import files, plots
from audiocnn.labels import Reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_IN = 0.42  # inches of a side of a cell: room for a count of four digits
DARK_SHARE = 0.55  # share of a row from which a count is written in white


def plot_confusion_matrix(references: list[str], predictions: list[str], counts: np.ndarray) -> Figure:
    """Plot a confusion matrix: a cell's colour is its share of the row, its number the count.

    Args:
        references: names of the rows, the reference labels.
        predictions: names of the columns, the predicted labels.
        counts: clips with each reference and prediction, (references, predictions); no row is empty.
    """
    width_in, height_in = 2.4 + CELL_IN * len(predictions), 1.9 + CELL_IN * len(references)
    figure, (axes,) = plots.make_figure(width_in, height_in)
    n_clips = counts.sum(axis=1)
    shares = counts / n_clips[:, None]
    axes.imshow(shares, cmap=plots.SHARES, vmin=0, vmax=1, aspect="equal")
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > DARK_SHARE else "0.15"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=9, color=colour)
    axes.set_yticks(
        range(len(references)),
        [f"{files.printable(name)}  {n}" for name, n in zip(references, n_clips, strict=True)],
        parse_math=False,
    )
    names = [files.printable(name) for name in predictions]
    axes.set_xticks(
        range(len(names)), names, rotation=45, ha="left", rotation_mode="anchor", parse_math=False
    )
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(predictions) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(references) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="0.92", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color("0.8")
    axes.set_ylabel("reference label, clips")
    axes.set_title("predicted label", fontsize=10, pad=12)
    return figure


def plot_reliability(reliability: Reliability) -> Figure:
    """Plot a reliability diagram: accuracy over confidence, on the dashed line where calibrated.

    Args:
        reliability: accuracy and count of predictions by their confidence.

    Source:
        Guo et al., "On calibration of modern neural networks", 2017, figure 1.
    """
    figure, (above, below) = plots.make_figure(
        5.0, 5.8, n_rows=2, sharex=True, gridspec_kw={"height_ratios": [4, 1]}
    )
    confidence, accuracy = reliability.confidence, reliability.accuracy
    blue, red = plots.COLOURS[:2]
    above.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=(0, (4, 3)), label="calibrated")
    above.vlines(confidence, confidence, accuracy, color=red, alpha=0.35, lw=5, label="gap")
    above.plot(confidence, accuracy, "o-", color=blue, markersize=5, label="model")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    error = reliability.expected_calibration_error
    above.set_title(f"expected calibration error {100 * error:.1f} %", fontsize=11, loc="left")
    above.legend(loc="upper left", frameon=False)
    below.bar(confidence, reliability.count, width=0.04, color=blue, alpha=0.6)
    below.set(xlabel="confidence", ylabel="predictions")
    for axes in (above, below):
        plots.plot_grid(axes)
    return figure
