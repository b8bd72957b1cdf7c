"""Checks of the arguments that blocks share: each message holds the value received and what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from audiocnn.ranges import ArgumentError

Size = int | tuple[int, ...]  # one number for all axes, or one for each: (bins, frames) or (frames,)
Entry = TypeVar("Entry")
DIMS = (1, 2)


def choose(table: Mapping[Any, Entry], key: Any, name: str) -> Entry:
    """Return an entry of a table.

    Args:
        table: the entries by key.
        key: key that the caller asks for.
        name: of the argument that chooses, for the message.

    Returns:
        The entry.

    Raises:
        ArgumentError: the table has no such key.
    """
    if key not in table:
        near = get_close_matches(str(key), map(str, table), n=2)
        advice = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ArgumentError(f"{name} is {key!r}, expected one of {', '.join(map(str, table))}{advice}")
    return table[key]


def only_dims(dims: int, expected: int, reason: str) -> int:
    """Check the dims of what exists in 1-D or 2-D alone.

    Args:
        dims: number of axes that the caller asks for.
        expected: the only dims that there are.
        reason: why, for the message.

    Returns:
        The dims.

    Raises:
        ArgumentError: dims are others.
    """
    if dims != expected:
        raise ArgumentError(f"dims is {dims}, expected {expected}: {reason}")
    return dims


def to_tuple(size: Size, dims: int, name: str, minimum: int = 1) -> tuple[int, ...]:
    """Expand a size to a number for each axis.

    Args:
        size: one number for all axes, or one for each.
        dims: 1 for (frames,), 2 for (bins, frames).
        name: of the argument, for the message.
        minimum: smallest number allowed.

    Returns:
        The numbers, `dims` of them.

    Raises:
        ArgumentError: dims is not 1 or 2, or the numbers are too many, too few or below the minimum.
    """
    if dims not in DIMS:
        raise ArgumentError(f"dims is {dims}, expected one of {', '.join(map(str, DIMS))}")
    sizes = (size,) * dims if isinstance(size, int) else tuple(size)
    if len(sizes) != dims or min(sizes) < minimum:
        raise ArgumentError(f"{name} is {size}, expected a number from {minimum} on, or {dims} of them")
    return sizes
