"""Where the verbs print their tables."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(width: int = 120) -> "Console":
    """The terminal, or where there is none as many columns."""
    from rich.console import Console  # 0.1 s

    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=width)
