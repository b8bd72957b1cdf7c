"""A image too big for memory -> pieces whose maps, cut, are those of the whole image.

Conventions: a piece is a core and what lies around it, as far as a cell of the deepest map sees; at the
image's own edge nothing lies around. Places are in pixels; a map of stride s has a cell for every s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import psutil
import torch
from torch import Tensor

from audiocnn.style.extract import Extractor

USED = 0.5  # share of the memory that is free which pieces may take
LEAST_CHOSEN = 256  # side of a tile: smaller ones, mostly surroundings, are taken only where asked for
NUMBER_BYTES = 4
KEPT = 1.1  # times the outputs of all layers is what a forward and a backward hold, measured on VGGs


class Span(NamedTuple):
    """A core from begin to end along an axis, in a piece that reaches further out; None: at the edge."""

    begin: int
    end: int | None
    outer_begin: int
    outer_end: int | None

    def place(self, stride: int) -> slice:
        """The core in a map of the whole image."""
        return slice(self.begin // stride, self.end and self.end // stride)

    def within(self, stride: int) -> slice:
        """The core in a map of the piece."""
        begin = (self.begin - self.outer_begin) // stride
        return slice(begin, self.end and begin + (self.end - self.begin) // stride)


class Tile(NamedTuple):
    """A piece of a image: one span of its rows, one of its columns."""

    rows: Span
    columns: Span

    def piece(self, image: Tensor) -> Tensor:
        """The piece of (..., rows, columns), a view."""
        return image[
            ...,
            self.rows.outer_begin : self.rows.outer_end,
            self.columns.outer_begin : self.columns.outer_end,
        ]

    def core(self, map_of_piece: Tensor, stride: int) -> Tensor:
        """What the core has of a map of the piece."""
        return map_of_piece[..., self.rows.within(stride), self.columns.within(stride)]

    def place(self, whole_map: Tensor, stride: int) -> Tensor:
        """What the core has of a map of the whole image."""
        return whole_map[..., self.rows.place(stride), self.columns.place(stride)]


EDGE_TO_EDGE = Span(0, None, 0, None)
WHOLE = Tile(EDGE_TO_EDGE, EDGE_TO_EDGE)


class Plan(NamedTuple):
    """How a image is painted: in tiles with sides of so many pixels, in about so many bytes of memory."""

    size: tuple[int, ...]
    tiles: list[Tile]
    side: int
    memory: int


def plan(extractor: Extractor, size: Sequence[int], side: int = 0) -> Plan:
    """The tiles of a image with this size.

    Args:
        size: rows and columns.
        side: of a tile with all around it, in pixels; 0 for as much as fits into memory, one tile if it does.
    Raises: ValueError when the network's cells see more than a tile has.
    """
    cut = extractor.tiled_size(size)
    longest = max(cut)
    whole = _memory(extractor, size, longest)
    if side >= longest or (not side and whole <= _free()):
        return Plan(tuple(size), [WHOLE], longest, whole)
    if math.isinf(extractor.receptive_field):
        if side:
            raise ValueError(f"tile is {side}, expected 0: cells of this network see the whole picture")
        return Plan(tuple(size), [WHOLE], longest, whole)
    margin = math.ceil(extractor.receptive_field / 2 / extractor.grid) * extractor.grid
    least = 2 * margin + extractor.grid
    if side and side < least:
        raise ValueError(f"tile is {side}, expected at least {least}: around a cell the network sees so much")
    if not side:
        worth_it = max(least, LEAST_CHOSEN)
        sides = [n << k for k in range(16) for n in (2, 3) if worth_it <= n << k < longest] or [worth_it]
        fitting = (side for side in sorted(sides, reverse=True) if _memory(extractor, size, side) <= _free())
        side = next(fitting, min(sides))
    spans = [_spans(n, side, extractor.grid, margin) for n in cut]
    rows, columns = spans if len(spans) == 2 else ([EDGE_TO_EDGE], *spans)
    tiles = [Tile(of_rows, of_columns) for of_rows in rows for of_columns in columns]
    return Plan(tuple(size), tiles, side, _memory(extractor, size, side))


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
    """About how many bytes a step holds: outputs of all layers for a tile, and the image several times."""
    outputs = extractor.n_outputs * math.prod(min(n, side) for n in extractor.tiled_size(size))
    images = 10 * 3 * size[0] * size[1]  # content, start, gradient, Adam's moments, averages
    return round(NUMBER_BYTES * (KEPT * outputs + images))


def _free() -> float:
    return USED * psutil.virtual_memory().available


def assembled(pieces: Sequence[Tensor], tiles: Sequence[Tile]) -> Tensor:
    """The map of a whole image from the cores of its tiles, which come row by row."""
    n_columns = sum(tile.rows == tiles[0].rows for tile in tiles)
    bands = [torch.cat([*pieces[i : i + n_columns]], dim=-1) for i in range(0, len(pieces), n_columns)]
    return torch.cat(bands, dim=-2)
