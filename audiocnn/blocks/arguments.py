"""Checks of the arguments that blocks share: each message holds the value received and what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

Size = int | tuple[int, ...]
Entry = TypeVar("Entry")
DIMS = (1, 2)


def choose(table: Mapping[Any, Entry], key: Any, name: str) -> Entry:
    """The entry of a table; `name` is that of the argument which chooses.

    Raises: ValueError when the table has no such key.
    """
    if key not in table:
        raise ValueError(f"{name} is {key!r}, expected one of {', '.join(map(str, table))}")
    return table[key]


def only_dims(dims: int, expected: int, why: str) -> int:
    """The dims of what exists in these alone.

    Raises: ValueError when dims are others.
    """
    if dims != expected:
        raise ValueError(f"dims is {dims}, expected {expected}: {why}")
    return dims


def per_axis(size: Size, dims: int, name: str, least: int = 1) -> tuple[int, ...]:
    """A number for each axis: (bins, frames) for dims=2, (frames,) for dims=1.

    Raises: ValueError when dims is not 1 or 2, or the numbers are too many, too few or below `least`.
    """
    if dims not in DIMS:
        raise ValueError(f"dims is {dims}, expected one of {', '.join(map(str, DIMS))}")
    sizes = (size,) * dims if isinstance(size, int) else tuple(size)
    if len(sizes) != dims or min(sizes) < least:
        raise ValueError(f"{name} is {size}, expected a number from {least} on, or {dims} of them")
    return sizes
