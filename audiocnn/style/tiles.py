"""An image too large for memory -> tiles whose feature maps, cropped, are those of the whole image.

Conventions: a tile is a core with a margin around it, as wide as half the receptive field of the deepest
feature map; at the image's own edge there is no margin. Positions are in pixels; a feature map of stride s
has one every s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import psutil
import torch
from torch import Tensor

from audiocnn.ranges import ArgumentError
from audiocnn.style.extract import Extractor

USED = 0.5  # share of the free memory that a tile may take
MIN_CHOSEN = 256  # pixels of a tile's side: smaller ones, mostly margin, are taken only where asked for
NUMBER_BYTES = 4
KEPT = 1.1  # times all activations is what forward and backward passes hold, measured on VGGs


class Span(NamedTuple):
    """A core along an axis and the tile around it, in pixels.

    Attributes:
        begin: of the core.
        end: of the core; None where the image ends.
        outer_begin: of the tile.
        outer_end: of the tile; None where the image ends.
    """

    begin: int
    end: int | None
    outer_begin: int
    outer_end: int | None

    def in_whole(self, stride: int) -> slice:
        """Return where the core lies in a feature map of the whole image.

        Args:
            stride: of the feature map.
        """
        return slice(self.begin // stride, self.end and self.end // stride)

    def in_tile(self, stride: int) -> slice:
        """Return where the core lies in a feature map of the tile.

        Args:
            stride: of the feature map.
        """
        begin = (self.begin - self.outer_begin) // stride
        return slice(begin, self.end and begin + (self.end - self.begin) // stride)


class Tile(NamedTuple):
    """A part of an image: one span of its rows, one of its columns."""

    rows: Span
    columns: Span

    def crop(self, image: Tensor) -> Tensor:
        """Crop the tile out of the whole image.

        Args:
            image: (..., rows, columns).

        Returns:
            A view.
        """
        return image[
            ...,
            self.rows.outer_begin : self.rows.outer_end,
            self.columns.outer_begin : self.columns.outer_end,
        ]

    def core(self, tile_map: Tensor, stride: int) -> Tensor:
        """Crop the core out of a feature map of the tile.

        Args:
            tile_map: (..., rows, columns).
            stride: of the feature map.

        Returns:
            A view.
        """
        return tile_map[..., self.rows.in_tile(stride), self.columns.in_tile(stride)]

    def core_of_whole(self, whole_map: Tensor, stride: int) -> Tensor:
        """Crop the core out of a feature map of the whole image.

        Args:
            whole_map: (..., rows, columns).
            stride: of the feature map.

        Returns:
            A view.
        """
        return whole_map[..., self.rows.in_whole(stride), self.columns.in_whole(stride)]


EDGE_TO_EDGE = Span(0, None, 0, None)
WHOLE = Tile(EDGE_TO_EDGE, EDGE_TO_EDGE)


class Plan(NamedTuple):
    """The tiles that an image is optimised in.

    Attributes:
        size: rows and columns of the image.
        tiles: the tiles, row by row.
        side: side of a tile with its margin, in pixels.
        memory: estimated memory, in bytes.
    """

    size: tuple[int, ...]
    tiles: list[Tile]
    side: int
    memory: int


def plan(extractor: Extractor, size: Sequence[int], side: int | None = None) -> Plan:
    """Plan the tiles of an image.

    Args:
        extractor: computes the feature maps.
        size: rows and columns of the image.
        side: side of a tile with its margin, in pixels; when None as large as memory allows, one tile where
            the whole image fits.

    Returns:
        The tiles, and an estimate of their memory.

    Raises:
        ArgumentError: the network's receptive field is larger than a tile.
    """
    tiled = extractor.tiled_size(size)
    longest = max(tiled)
    whole = Plan(tuple(size), [WHOLE], longest, _memory(extractor, size, longest))
    if side is not None and math.isinf(extractor.receptive_field) and side < longest:
        raise ArgumentError(
            f"tile is {side}, expected None: this network's receptive field is the whole image"
        )
    fits = whole.memory <= _free() if side is None else side >= longest
    if fits or math.isinf(extractor.receptive_field):
        return whole
    margin = math.ceil(extractor.receptive_field / 2 / extractor.grid) * extractor.grid
    smallest = 2 * margin + extractor.grid
    if side is None:
        side = _fitting_side(extractor, size, smallest)
    elif side < smallest:
        raise ArgumentError(f"tile is {side}, expected at least {smallest}: this network's receptive field")
    spans = [_spans(n, side, extractor.grid, margin) for n in tiled]
    rows, columns = spans if len(spans) == 2 else ([EDGE_TO_EDGE], *spans)
    tiles = [Tile(row_span, column_span) for row_span in rows for column_span in columns]
    return Plan(tuple(size), tiles, side, _memory(extractor, size, side))


def _fitting_side(extractor: Extractor, size: Sequence[int], smallest: int) -> int:
    """The longest side, of 2 or 3 times a power of 2, whose tile fits into memory."""
    lower, longest = max(smallest, MIN_CHOSEN), max(extractor.tiled_size(size))
    sides = [n << k for k in range(16) for n in (2, 3) if lower <= n << k < longest] or [lower]
    fitting = (side for side in sorted(sides, reverse=True) if _memory(extractor, size, side) <= _free())
    return next(fitting, min(sides))


def _spans(n: int, side: int, grid: int, margin: int) -> list[Span]:
    if n <= side:
        return [EDGE_TO_EDGE]
    core = (side - 2 * margin) // grid * grid
    return [
        Span(
            begin,
            begin + core if begin + core < n else None,
            max(begin - margin, 0),
            begin + core + margin if begin + core + margin < n else None,
        )
        for begin in range(0, n, core)
    ]


def _memory(extractor: Extractor, size: Sequence[int], side: int) -> int:
    """Estimated memory of a step in bytes: activations of all layers for a tile, and copies of the image."""
    outputs = extractor.n_outputs * math.prod(min(n, side) for n in extractor.tiled_size(size))
    images = 10 * 3 * size[0] * size[1]  # content, start, gradient, Adam's moments, averages
    return round(NUMBER_BYTES * (KEPT * outputs + images))


def _free() -> float:
    return USED * psutil.virtual_memory().available


def assemble(cores: Sequence[Tensor], tiles: Sequence[Tile]) -> Tensor:
    """Assemble the feature map of a whole image from the cores of its tiles.

    Args:
        cores: cores of the tiles' feature maps, row by row.
        tiles: tiles of the image.

    Returns:
        (..., rows, columns).
    """
    n_columns = sum(tile.rows == tiles[0].rows for tile in tiles)
    bands = [torch.cat([*cores[i : i + n_columns]], dim=-1) for i in range(0, len(cores), n_columns)]
    return torch.cat(bands, dim=-2)
