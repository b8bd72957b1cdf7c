"""Padding by name, and what it asks of a map.

Conventions: padding is a name or what is added to each axis: a number for both sides, or a pair (before,
after). `valid` adds nothing; `full` all that meets the kernel; `same` keeps ceil(size / stride) positions;
`causal` is `same` in bins, and in time as long but without a look ahead.
"""

from __future__ import annotations

from itertools import chain

from torch import Tensor
from torch.nn import functional

from audiocnn.blocks.arguments import choose

Padding = str | int | tuple[int | tuple[int, int], ...]
Sides = tuple[tuple[int, int], ...]

# (before, after) for the cells that a kernel reaches beyond its first one.
PADDINGS = {
    "valid": lambda reach: (0, 0),
    "full": lambda reach: (reach, reach),
    "same": lambda reach: (reach // 2, reach // 2),
    "causal": lambda reach: (reach, 0),
}
# What stands beside the map, as torch's convolutions and as its `pad` call it.
PADDING_MODES = {"zeros": "constant", "replicate": "replicate", "reflect": "reflect", "circular": "circular"}
# How much longer than its padding a map has to be; in the other modes any will do.
LONGER_THAN_PADDING = {"reflect": 1, "circular": 0}


def pad_sides(padding: Padding, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Sides:
    """(before, after) of each axis for a kernel with these sizes and dilations.

    Raises: ValueError when the padding is no name, number or pair, or `same` meets an even size.
    """
    dims = len(kernel)
    if isinstance(padding, str):
        names = ("same",) * (dims - 1) + (padding,) if padding == "causal" else (padding,) * dims
        if any(name == "same" and size % 2 == 0 for name, size in zip(names, kernel, strict=True)):
            raise ValueError(
                f"kernel_size is {kernel}, expected odd sizes where padding is 'same'; even ones need padding"
                " as (before, after) for each axis"
            )
        return tuple(
            choose(PADDINGS, name, "padding")(step * (size - 1))
            for name, size, step in zip(names, kernel, dilation, strict=True)
        )
    entries = (padding,) * dims if isinstance(padding, int) else padding
    sides = [(entry, entry) if isinstance(entry, int) else tuple(entry) for entry in entries]
    if len(sides) != dims or any(len(pair) != 2 or min(pair) < 0 for pair in sides):
        raise ValueError(
            f"padding is {padding}, expected one of {', '.join(PADDINGS)}, a number from 0 on, or {dims}"
            " numbers or pairs (before, after)"
        )
    return tuple((before, after) for before, after in sides)


def uneven(sides: Sides) -> bool:
    """Whether an axis is padded differently before and after."""
    return any(before != after for before, after in sides)


def pad(x: Tensor, sides: Sides, mode: str = "zeros") -> Tensor:
    """The map with its padding.

    Shape: (batch, channels, ..., frames) -> (batch, channels, ..., before + frames + after).
    """
    return functional.pad(x, list(chain.from_iterable(reversed(sides))), PADDING_MODES[mode])


def least_sizes(
    sides: Sides, kernel: tuple[int, ...], dilation: tuple[int, ...], mode: str = "zeros"
) -> tuple[int, ...]:
    """The smallest map that the padding can be made of and that, with it, holds the kernel."""
    axes = zip(sides, kernel, dilation, strict=True)
    needed = [1 + step * (size - 1) - sum(pair) for pair, size, step in axes]
    if mode in LONGER_THAN_PADDING:
        longer = [max(pair) + LONGER_THAN_PADDING[mode] for pair in sides]
        needed = [max(sizes) for sizes in zip(needed, longer, strict=True)]
    return tuple(max(1, size) for size in needed)


def check_sizes(sizes: tuple[int, ...], least: tuple[int, ...]) -> None:
    """Raises: ValueError when an axis is shorter than the least."""
    if any(size < smallest for size, smallest in zip(sizes, least, strict=True)):
        raise ValueError(f"the map's size is {sizes}, expected at least {least} for this kernel and padding")
