"""The plot of networks' accuracy against their cost."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text
from matplotlib.ticker import EngFormatter
from matplotlib.transforms import Bbox
from networks import Scores

from audiocnn import plots

LARGEST_AREA, SMALLEST_AREA = 1500, 12  # of circles, in square points
DOT, GAP = 9, 2  # pixels that a label keeps from the middle of a point, and from other labels
# From a point to its label, in points: the nearest places first, and to the right before the others.
PLACES = [
    (x * reach, y * reach)
    for reach in range(9, 120, 6)
    for x, y in ((1, 0), (-1, 0), (1, 0.8), (1, -0.8), (-1, 0.8), (-1, -0.8), (0.1, 1), (0.1, -1))
]
N_NEAR = 8  # of them so near that the label needs no line to its point
LEADER = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}


def plot_costs(scores: Sequence[Scores], path: Path) -> None:
    """Plot the accuracy of networks against their multiply-accumulates; areas are their parameters.

    Args:
        scores: of the networks.
        path: file to write.
    """
    scores = sorted(scores, key=lambda one: -one.parameters)  # small circles in front
    figure, (axes,) = plots.make_figure(10, 6.5)
    macs, tested = [one.macs for one in scores], [one.test for one in scores]
    areas = [max(SMALLEST_AREA, LARGEST_AREA * one.parameters / scores[0].parameters) for one in scores]
    axes.scatter(macs, tested, areas, plots.COLOURS[0], alpha=0.3, linewidths=0)
    axes.scatter(macs, tested, 8, plots.COLOURS[0], linewidths=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.margins(0.12)
    axes.set_xlabel("multiply-accumulates for an image")
    axes.set_ylabel("accuracy of the test images (%)")
    axes.set_title("area: parameters", loc="left", fontsize=9)
    plots.plot_grid(axes)
    label_points(axes, macs, tested, [one.name.removesuffix("_small") for one in scores])
    plots.save_figure(figure, path)


def label_points(axes: Axes, xs: Sequence[float], ys: Sequence[float], names: Sequence[str]) -> None:
    """Write a label beside each point, so that none covers a point or another label.

    Args:
        axes: where the points are drawn, with their limits.
        xs: of the points.
        ys: of the points.
        names: of the points.
    """
    axes.figure.draw_without_rendering()  # after which positions in pixels are known
    at = axes.transData.transform([*zip(xs, ys, strict=True)])
    taken = [Bbox.from_bounds(x - DOT, y - DOT, 2 * DOT, 2 * DOT) for x, y in at]
    for x, y, name in sorted(zip(xs, ys, names, strict=True), key=lambda point: -point[1]):
        how = {"textcoords": "offset points", "va": "center", "fontsize": 9, "arrowprops": LEADER}
        label = axes.annotate(name, (x, y), (0, 0), **how)
        label.set_in_layout(False)
        taken.append(_place(label, taken))
        label.arrow_patch.set_visible(label.get_position() not in PLACES[:N_NEAR])


def _place(label: Annotation, taken: list[Bbox]) -> Bbox:
    """Move a label to the first place that is free, and return its box."""
    box, within = Bbox.null(), label.axes.bbox
    for place in PLACES:
        label.set_position(place)
        label.set_ha("left" if place[0] > 0 else "right")
        label.update_positions(label.figure.canvas.get_renderer())
        box = Text.get_window_extent(label).padded(GAP)  # of its text, without its line
        inside = within.x0 < box.x0 and box.x1 < within.x1 and within.y0 < box.y0 and box.y1 < within.y1
        if inside and not any(box.overlaps(one) for one in taken):
            break
    return box
