"""What the notebooks draw: grids of numbers, kernels that slide over them, figures to step through.

    python notebooks/drawing.py    # writes sliding_kernel.gif, the animation that GitHub shows

A grid is a list of rows; a cell goes by (row, column), counted from the top left.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import matplotlib
import torch
from IPython import get_ipython
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor
from torch.nn import functional

from audiocnn import plots

Cell = tuple[int, int]
BLUE, ORANGE, GREEN, PINK = ("#cce3f0", "#f9dfcc", "#cceadf", "#f2dfea")  # pale shades of plots.COLOURS
PADDED = "0.93"  # cells that padding adds
WIDTH_IN = 9  # inches, of figures
DPI = 110  # pixels per inch of the figures that are stored: 990 pixels wide
MAX_PNG_BYTES = 120_000  # of a figure: photographs are larger, and so the whole notebook stays below 3 MB
N_COLOURS = 32  # of the images to step through
DUMOULIN = torch.tensor(  # the example of Dumoulin and Visin, "A guide to convolution arithmetic", 2016
    [[3.0, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
)
DUMOULIN_KERNEL = torch.tensor([[0.0, 1, 2], [2, 2, 0], [0, 1, 2]])


def draw_grid(
    axes: Axes,
    values: Tensor,
    *,
    title: str = "",
    fills: Mapping[Cell, str] | None = None,
    hidden: Sequence[Cell] = (),
    margin: int = 0,
) -> None:
    """Draw numbers in cells.

    Args:
        axes: axes to draw into.
        values: (rows, columns).
        title: above the grid.
        fills: colours of cells; the others are white.
        hidden: cells whose number is not written.
        margin: cells on each side that are padding, in grey.
    """
    rows, columns = values.shape
    for row, column in product(range(rows), range(columns)):
        inside = margin <= row < rows - margin and margin <= column < columns - margin
        colour = (fills or {}).get((row, column), "white" if inside else PADDED)
        draw_cell(axes, (row, column), colour)
        if (row, column) not in hidden:
            write(axes, (row, column), f"{round(float(values[row, column]), 2):g}")
    frame(axes, rows, columns, title)


def draw_cell(axes: Axes, cell: Cell, colour: str) -> None:
    """Draw a cell without a number."""
    axes.add_patch(Rectangle((cell[1], cell[0]), 1, 1, facecolor=colour, edgecolor="0.6", linewidth=1))


def draw_window(axes: Axes, cell: Cell, size: Cell, colour: str) -> None:
    """Draw the edge of a window, whose first cell is given."""
    axes.add_patch(Rectangle((cell[1], cell[0]), size[1], size[0], fill=False, edgecolor=colour, linewidth=3))


def write(axes: Axes, cell: tuple[float, float], text: str, **settings: object) -> None:
    """Write a text into a cell, or beside its middle."""
    style = {"ha": "center", "va": "center", "fontsize": 13} | settings
    axes.text(cell[1] + 0.5, cell[0] + 0.5, text, **style)


def frame(axes: Axes, rows: int, columns: int, title: str = "") -> None:
    """Fit the axes around a grid."""
    axes.set(xlim=(-0.1, columns + 0.1), ylim=(rows + 0.1, -0.1), aspect="equal", title=title)
    axes.set_axis_off()


def touched(start: Cell, kernel: Sequence[int], dilation: int = 1) -> list[Cell]:
    """List the cells under a kernel whose first weight lies on a cell."""
    return [
        (start[0] + dilation * i, start[1] + dilation * j) for i in range(kernel[0]) for j in range(kernel[1])
    ]


def draw_step(values: Tensor, kernel: Tensor, step: int) -> Figure:
    """Draw a kernel at one of its positions: input, kernel and what the output has so far.

    Args:
        values: input, (rows, columns).
        kernel: (rows, columns).
        step: number of the position, row by row.
    """
    output = functional.conv2d(values[None, None], kernel[None, None])[0, 0]
    position = divmod(step, output.shape[1])
    under = touched(position, kernel.shape)
    weights = kernel.flatten().tolist()
    figure, (left, middle, right) = plots.make_figure(WIDTH_IN, 3.9, 1, 3, width_ratios=(5, 3, 3))
    draw_grid(left, values, title="input", fills=dict.fromkeys(under, BLUE))
    for cell, weight in zip(under, weights, strict=True):
        write(left, (cell[0] + 0.33, cell[1] + 0.28), f"×{weight:g}", fontsize=8, color=plots.COLOURS[0])
    draw_grid(middle, kernel, title="kernel", fills=dict.fromkeys(touched((0, 0), kernel.shape), BLUE))
    cells = list(product(range(output.shape[0]), range(output.shape[1])))
    draw_grid(right, output, title="output", fills={position: ORANGE}, hidden=cells[step + 1 :])
    terms = " + ".join(f"{values[cell]:g}·{weight:g}" for cell, weight in zip(under, weights, strict=True))
    figure.supxlabel(f"{terms} = {output[position]:g}", fontsize=12)
    return figure


def draw_positions(axes: Axes, series: Tensor, kernel: Tensor, bias: float, stride: int) -> None:
    """Draw a kernel at all of its positions on a series, one below the other, with the results.

    Args:
        axes: axes to draw into.
        series: (frames,).
        kernel: (frames,).
        bias: added to each result.
        stride: positions from one window to the next.
    """
    output = functional.conv1d(series[None, None], kernel[None, None], torch.tensor([bias]), stride)[0, 0]
    for column, value in enumerate(series.tolist()):
        draw_cell(axes, (0, column), "white")
        write(axes, (0, column), f"{value:g}")
    for row, result in enumerate(output.tolist(), start=1):
        for i, weight in enumerate(kernel.tolist()):
            draw_cell(axes, (row, (row - 1) * stride + i), BLUE)
            write(axes, (row, (row - 1) * stride + i), f"{weight:g}")
        draw_cell(axes, (row, len(series) + 1), ORANGE)
        write(axes, (row, len(series) + 1), f"{result:g}")
    frame(axes, len(output) + 1, len(series) + 2, f"stride {stride}")


def draw_windows(
    axes: Axes, size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1
) -> None:
    """Draw a square input with the kernel's first position in blue, and its first two framed.

    Args:
        axes: axes to draw into.
        size: cells of the input's side, without padding.
        kernel: weights of the kernel's side.
        stride: cells from one position to the next.
        padding: cells added on each side.
        dilation: cells from one weight to the next.
    """
    whole, reach = size + 2 * padding, dilation * (kernel - 1) + 1
    n_positions = (whole - reach) // stride + 1
    first = touched((0, 0), (kernel, kernel), dilation)
    for row, column in product(range(whole), range(whole)):
        inside = padding <= min(row, column) and max(row, column) < padding + size
        draw_cell(axes, (row, column), "white" if inside else PADDED)
        if (row, column) in first:
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=plots.COLOURS[5], alpha=0.6))
    for i, colour in enumerate(plots.COLOURS[: min(2, n_positions)]):
        draw_window(axes, (0, i * stride), (reach, reach), colour)
    frame(axes, whole, whole, f"{size} × {size} becomes {n_positions} × {n_positions}")


def draw_quarters(axes: Axes, values: Tensor, title: str) -> None:
    """Draw a grid whose quarters have colours of their own, as pooling windows that do not overlap.

    Args:
        axes: axes to draw into.
        values: (rows, columns), both even.
        title: above the grid.
    """
    rows, columns = values.shape
    shades = {0: BLUE, 1: ORANGE, 2: GREEN, 3: PINK}
    cells = product(range(rows), range(columns))
    fills = {(i, j): shades[2 * (2 * i // rows) + 2 * j // columns] for i, j in cells}
    draw_grid(axes, values, title=title, fills=fills)


def store_small() -> None:
    """Let a notebook store its drawings as PNG, and figures that are large so, as of photographs, as JPEG."""
    shell = get_ipython()
    shell.run_line_magic("matplotlib", "inline")
    matplotlib.rcParams |= {"figure.constrained_layout.use": True, "axes.titlesize": 11, "legend.fontsize": 9}
    formatters = shell.display_formatter.formatters
    formatters["image/png"].for_type(Figure, to_small_png)
    formatters["image/jpeg"].for_type(Figure, to_jpeg_unless_small)


def to_image(figure: Figure) -> Image.Image:
    """Render a figure as an image."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    return Image.open(buffer).convert("RGB")


def to_png(image: Image.Image) -> bytes:
    """Write an image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def to_small_png(figure: Figure) -> bytes | None:
    """Render a figure as a PNG file; None where that is large."""
    content = to_png(to_image(figure))
    return content if len(content) < MAX_PNG_BYTES else None


def to_jpeg_unless_small(figure: Figure) -> bytes | None:
    """Render a figure as a JPEG file where `to_small_png` does not."""
    if to_small_png(figure):
        return None
    buffer = io.BytesIO()
    to_image(figure).save(buffer, "JPEG", quality=85, subsampling=0)
    return buffer.getvalue()


def step_through(figures: Sequence[Figure]) -> HTML:
    """Show one of some figures, which a slider chooses.

    Args:
        figures: in their order.
    """
    choose = "for (const one of this.parentNode.querySelectorAll('img')) one.hidden = one.alt != this.value"
    slider = f'<input type="range" min="0" max="{len(figures) - 1}" value="0" oninput="{choose}">'
    images = "".join(_embed(to_image(figure).quantize(N_COLOURS) for figure in figures))
    return HTML(f"<div>{slider}<br>{images}</div>")


def _embed(images: Iterator[Image.Image]) -> Iterator[str]:
    """Write images as HTML, of which the first is seen."""
    for number, image in enumerate(images):
        content = base64.b64encode(to_png(image)).decode()
        yield f'<img alt="{number}" src="data:image/png;base64,{content}"{" hidden" if number else ""}>'


def main() -> None:
    """Write the animation of a sliding kernel."""
    steps = [draw_step(DUMOULIN, DUMOULIN_KERNEL, step) for step in range(9)]
    images = [to_image(figure).quantize(N_COLOURS) for figure in steps]
    path = Path(__file__).parent / "sliding_kernel.gif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=1500, loop=0)


if __name__ == "__main__":
    main()
