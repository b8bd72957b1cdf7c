"""Padding by name, and the smallest input that it needs.

Padding is a name or the positions added to each axis: a number for both sides, or a pair (before, after).
"valid" adds nothing; "full" all positions at which the kernel still overlaps the input; "same" keeps
ceil(size / stride) positions; "causal" is "same" in bins, and in time as long but without look-ahead.

The padding mode says which values stand there. The series 1 2 3 4, padded by two positions on each side:

    zeros      0 0 | 1 2 3 4 | 0 0    a constant: 0, or `padding_value`
    replicate  1 1 | 1 2 3 4 | 4 4    the edge
    reflect    3 2 | 1 2 3 4 | 3 2    mirrored, the edge not repeated
    symmetric  2 1 | 1 2 3 4 | 4 3    mirrored, the edge repeated
    circular   3 4 | 1 2 3 4 | 1 2    the other end
"""

from __future__ import annotations

import math
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from audiocnn.blocks.arguments import choose

Padding = str | int | tuple[int | tuple[int, ...], ...]  # a pair: (before, after)
Sides = tuple[tuple[int, int], ...]

# (before, after) for the positions that a kernel reaches beyond its first one.
PADDINGS = {
    "valid": lambda reach: (0, 0),
    "full": lambda reach: (reach, reach),
    "same": lambda reach: (reach // 2, reach // 2),
    "causal": lambda reach: (reach, 0),
}
# Padding modes, as torch's convolutions and as its `pad` call it; torch has none that repeats the edge.
PADDING_MODES = {
    "zeros": "constant",
    "replicate": "replicate",
    "reflect": "reflect",
    "symmetric": None,
    "circular": "circular",
}
# How much longer than its padding an axis has to be; the other modes pad any.
LONGER_THAN_PADDING = {"reflect": 1, "symmetric": 0, "circular": 0}


def pad_sides(padding: Padding, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Sides:
    """Compute the padding before and after each axis.

    Args:
        padding: name, number or pairs.
        kernel: size of the kernel along each axis.
        dilation: along each axis.

    Returns:
        (before, after) of each axis.

    Raises:
        ValueError: the padding is no name, number or pair, or "same" meets an even size.
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


def is_asymmetric(sides: Sides) -> bool:
    """Check whether an axis is padded differently before and after.

    Args:
        sides: (before, after) of each axis.

    Returns:
        Whether any axis is.
    """
    return any(before != after for before, after in sides)


def check_mode(mode: str, value: float) -> str | None:
    """Check the values of a padding.

    Args:
        mode: of PADDING_MODES.
        value: of the constant that mode "zeros" pads by.

    Returns:
        The name of the mode in torch's `pad`; None where torch has none.

    Raises:
        ValueError: there is no such mode, it has no value to choose, or the value is no finite number.
    """
    name = choose(PADDING_MODES, mode, "padding_mode")
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"padding_value is {value!r}, expected a finite number")
    if value and mode != "zeros":
        raise ValueError(f"padding_value is {value} with padding_mode {mode!r}, expected 0 or mode 'zeros'")
    return name


def pad(
    x: Float[Tensor, "batch channels *positions"], sides: Sides, mode: str = "zeros", value: float = 0.0
) -> Float[Tensor, "batch channels *positions_out"]:
    """Pad a feature map.

    Args:
        x: feature map.
        sides: positions (before, after) of each axis.
        mode: of PADDING_MODES.
        value: of the constant that mode "zeros" pads by.

    Returns:
        The larger feature map.

    Raises:
        ValueError: as `check_mode`.

    Shape:
        (batch, channels, ..., frames) -> (batch, channels, ..., before + frames + after).
    """
    name = check_mode(mode, value)
    if name is None:
        return _mirror(x, sides)
    return functional.pad(x, list(chain.from_iterable(reversed(sides))), name, value)


def _mirror(x: Tensor, sides: Sides) -> Tensor:
    """Mirror each axis at its ends, the edge repeated."""
    for axis, (before, after) in enumerate(sides, start=2):
        start = x.narrow(axis, 0, before).flip(axis)
        end = x.narrow(axis, x.shape[axis] - after, after).flip(axis)
        x = torch.cat([start, x, end], dim=axis)
    return x


def min_sizes(
    sides: Sides, kernel: tuple[int, ...], dilation: tuple[int, ...], mode: str = "zeros"
) -> tuple[int, ...]:
    """Compute the smallest input that can be padded so and that, with its padding, holds the kernel.

    Args:
        sides: (before, after) of each axis.
        kernel: size of the kernel along each axis.
        dilation: along each axis.
        mode: of PADDING_MODES.

    Returns:
        The smallest size of each axis.
    """
    axes = zip(sides, kernel, dilation, strict=True)
    needed = [1 + step * (size - 1) - sum(pair) for pair, size, step in axes]
    if mode in LONGER_THAN_PADDING:
        longer = [max(pair) + LONGER_THAN_PADDING[mode] for pair in sides]
        needed = [max(sizes) for sizes in zip(needed, longer, strict=True)]
    return tuple(max(1, size) for size in needed)


def check_sizes(sizes: tuple[int, ...], smallest: tuple[int, ...]) -> None:
    """Check that an input is large enough.

    Args:
        sizes: of its axes.
        smallest: that they may have.

    Raises:
        ValueError: an axis is shorter.
    """
    if any(size < minimum for size, minimum in zip(sizes, smallest, strict=True)):
        raise ValueError(
            f"the feature map's size is {sizes}, expected at least {smallest} for this kernel and padding"
        )
