"""Three-filter photography: grey plates behind a red, a green and a blue filter -> one image in colour.

Source: Maxwell, 1861; Prokudin-Gorsky's plates of 1905 to 1915 were exposed one after the other, so that they
are shifted against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import product

import numpy as np
from scipy.ndimage import sobel

from audiocnn.ranges import Range

MIN_SIDE = 8  # pixels of a plate: fewer have no features that a shift could be found by
COARSEST = 32  # the most pixels of the shorter side at the coarsest level of the pyramid
MAX_SHIFT = 0.25  # of a side: beyond, the plates share too little
MARGIN = 0.1  # of a side: at each end there may be the frame of the plate, which is not of the scene
NEAR = 2  # pixels of a finer level around the best shift of the coarser one


def combine_plates(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    """Combine three grey plates of one scene, each taken through a filter, into an image.

    The red and the blue plate are shifted onto the green one, see `find_shift`.

    Args:
        red: light that passed the red filter, (rows, columns) from 0 to 1.
        green: the same of the green filter, of the same size.
        blue: the same of the blue filter, of the same size.

    Returns:
        Pixels in RGB, float32 (3, rows, columns), cropped to what all three plates show.

    Raises:
        ValueError: the plates differ in size, are smaller than `MIN_SIDE`, or hold values that are not from 0
            to 1.
    """
    _check_plates(red=red, green=green, blue=blue)
    shifts = [find_shift(red, green), (0, 0), find_shift(blue, green)]
    shared = tuple(
        slice(max(0, *along), n + min(0, *along))
        for n, along in zip(green.shape, zip(*shifts, strict=True), strict=True)
    )
    moved = [np.roll(plate, by, (0, 1)) for plate, by in zip((red, green, blue), shifts, strict=True)]
    return np.stack([plate[shared] for plate in moved]).astype(np.float32)


def find_shift(plate: np.ndarray, reference: np.ndarray) -> tuple[int, int]:
    """Find the shift that brings a plate onto another, by the correlation of their edges.

    Edges stand in all plates, also where a colour is bright in one and dark in another. All shifts are tried
    at the coarsest level of a pyramid; each finer level doubles the best one and tries its neighbours. The
    margins of the plates do not count.

    Args:
        plate: (rows, columns).
        reference: of the same size.

    Returns:
        Rows down and columns to the right, by which the plate is to be shifted; none where one of them is
        constant. They are found up to `MAX_SHIFT` of a side.

    Raises:
        ValueError: the plates differ in size, are smaller than `MIN_SIDE`, or hold values that are not from 0
            to 1.
    """
    _check_plates(plate=plate, reference=reference)
    inner = tuple(slice(int(MARGIN * n), n - int(MARGIN * n)) for n in reference.shape)
    n_levels = max(0, math.ceil(math.log2(min(reference[inner].shape) / COARSEST)))
    down, right = 0, 0
    reach = [int(MAX_SHIFT * n / 2**n_levels) for n in reference.shape]
    for level in range(n_levels, -1, -1):
        edges = [_find_edges(_shrink(one[inner], 2**level)) for one in (plate, reference)]
        rows, columns = (
            range(2 * by - far, 2 * by + far + 1) for by, far in zip((down, right), reach, strict=True)
        )
        nearest_first = sorted(product(rows, columns), key=lambda by: abs(by[0]) + abs(by[1]))
        down, right = max(nearest_first, key=partial(_correlate, edges))
        reach = [NEAR, NEAR]
    return down, right


def _check_plates(**plates: np.ndarray) -> None:
    shape = next(iter(plates.values())).shape
    for name, plate in plates.items():
        if plate.ndim != 2 or plate.shape != shape or min(shape) < MIN_SIDE:
            expected = f"(rows, columns), the same for all and each at least {MIN_SIDE}"
            raise ValueError(f"{name} has the shape {plate.shape}, expected {expected}")
        for value in (plate.min(), plate.max()):
            Range(0, 1).check(name, float(value))


def _shrink(plate: np.ndarray, factor: int) -> np.ndarray:
    """The mean of each square of this side."""
    rows, columns = (n // factor * factor for n in plate.shape)
    squares = plate[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor)
    return squares.mean((1, 3))


def _find_edges(plate: np.ndarray) -> np.ndarray:
    return np.hypot(sobel(plate, 0), sobel(plate, 1))


def _correlate(edges: Sequence[np.ndarray], shift: tuple[int, int]) -> float:
    """Pearson's correlation of two plates where they overlap, the first shifted; 0 where one is constant."""
    overlap = [_overlap(n, by) for n, by in zip(edges[0].shape, shift, strict=True)]
    moved, fixed = (one[tuple(where)] for one, where in zip(edges, zip(*overlap, strict=True), strict=True))
    moved, fixed = moved - moved.mean(), fixed - fixed.mean()
    scale = math.sqrt(float((moved**2).sum() * (fixed**2).sum()))
    return float((moved * fixed).sum()) / scale if scale else 0.0


def _overlap(n: int, by: int) -> tuple[slice, slice]:
    """Where along an axis of n pixels a plate comes from, and where it goes to, when it is shifted."""
    return slice(max(0, -by), n - max(0, by)), slice(max(0, by), n - max(0, -by))
