"""Tables on the standard output, progress bars on the standard error where that is a terminal.

rich takes 0.1 s to import, so it is imported only where it prints.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from audiocnn import files

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task
    from rich.table import Table

WIDTH = 120  # columns of a table where there is no terminal


def tell(*lines: object) -> None:
    """Print lines on the standard output, whatever characters the paths in them hold.

    Args:
        lines: the lines.
    """
    print(*(f"{files.printable(line)}\n" for line in lines), sep="", end="", flush=True)


def report(line: object) -> None:
    """Print a line on the standard error, whatever characters the paths in it hold.

    Args:
        line: the line.
    """
    print(files.printable(line), file=sys.stderr)


def create_console(width: int = WIDTH) -> Console:
    """Return a console on the terminal, or one of this width where there is none."""
    from rich.console import Console

    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=width)


def create_table(headings: Sequence[str], rows: Iterable[Sequence[object]], n_left: int = 1) -> Table:
    """Build a table without lines, whose first columns hold words and the others numbers.

    Args:
        headings: headings of the columns.
        rows: cells of each row.
        n_left: number of columns that are aligned to the left and wrap where they are too long.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, collapse_padding=True, padding=(0, 2))
    for number, heading in enumerate(headings):
        if number < n_left:
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(files.printable(cell)) for cell in row))
    return table


@contextmanager
def show_status(text: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done, on the standard error where it is a terminal; yield what changes the text.

    Args:
        text: what is done first.
    """
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(text)) as status:
        yield lambda text: status.update(Text(files.printable(text)))


def create_bar(*columns: str | ProgressColumn) -> Progress:
    """Build a progress bar that vanishes at its end, and is off where the standard error is no terminal.

    Args:
        columns: further columns, after the description and the bar.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn
    from rich.text import Text

    class Description(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(files.printable(task.description))

    console = Console(stderr=True)
    return Progress(
        Description(),
        BarColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    )
