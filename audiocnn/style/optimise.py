"""Content and styles -> a image, found by gradient descent on its pixels, from coarse to fine.

Source: Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", 2016; from coarse to
fine: Gatys et al., "Controlling perceptual factors in neural style transfer", 2017, section 6; averaged
iterates and the Wasserstein loss: github.com/crowsonkb/style-transfer-pytorch.
Differs: losses are relative (see `losses`); outside all masks the content stays as it is; a image too big
for memory is painted in tiles, with the gradient of the whole.

Conventions: images are (1, 3, rows, columns) from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from audiocnn.blocks.arguments import choose
from audiocnn.style.extract import Extractor
from audiocnn.style.losses import (
    STATISTICS,
    Moments,
    compute_moments,
    normalize_weights,
    relative,
    total_variation,
)
from audiocnn.style.options import StyleOptions
from audiocnn.style.tiles import Plan, Tile, assembled, plan

AVERAGED = 0.98  # share of an average that the next iterate leaves: the last 50 count
AT_ONCE = 20  # steps of L-BFGS
FINER = math.sqrt(2)  # from one scale's side to the next


class Style(NamedTuple):
    """A style image, its share of the style, and the mask (1, 1, rows, columns) where it goes, if any."""

    image: Tensor
    weight: float = 1.0
    mask: Tensor | None = None


class Step(NamedTuple):
    """What is told while it runs: steps done and to do, the loss, and the image so far."""

    done: int
    total: int
    loss: float
    image: Tensor


def optimise(
    content: Tensor,
    styles: Sequence[Style],
    extractor: Extractor,
    options: StyleOptions,
    progress: Callable[[Step], object] | None = None,
    planned: Callable[[Plan], object] | None = None,
) -> Tensor:
    """The content in the styles, as large as the content: (1, 3, rows, columns).

    Args:
        extractor: gives the layers that the knobs name; they must name some.
        progress: told each step.
        planned: told before the first step in how many tiles and how much memory the last scale is painted.
    Raises: ValueError when a knob is none of its choices, or tiles are too small for the network.
    """
    torch.manual_seed(options.seed)
    sizes = scales(content.shape[-2:], options.coarsest, extractor.min_size)
    image, done = None, 0
    if planned:
        planned(plan(extractor, sizes[-1], options.tile))
    for rows, columns in sizes:
        aims = _aims(resized(content, (rows, columns)), styles, extractor, options)
        image = aims.start if image is None else resized(image, (rows, columns))
        total = len(sizes) * options.iterations
        for n_steps, loss, so_far in choose(OPTIMISERS, options.optimiser, "optimiser")(aims, image):
            image, done = so_far, done + n_steps
            if progress:
                progress(Step(done, total, loss, image))
    assert image is not None
    return _where_styled(image, content, styles)


def scales(size: Sequence[int], coarsest: int, least: int) -> list[tuple[int, int]]:
    """The sizes to go through, (rows, columns), the last the image's own; no side falls below least."""
    rows, columns = size
    sizes = [(rows, columns)]
    shrink = FINER
    while round(max(rows, columns) / shrink) >= coarsest and round(min(rows, columns) / shrink) >= least:
        sizes.append((round(rows / shrink), round(columns / shrink)))
        shrink *= FINER
    return sizes[::-1]


def resized(image: Tensor, size: Sequence[int]) -> Tensor:
    """The image with other numbers of rows and columns, without aliasing."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    made = functional.interpolate(image, size=tuple(size), mode="bicubic", antialias=True)
    return made.clamp(0, 1)


@dataclass(frozen=True)
class _StyleAim:
    """What a style asks of the maps, by layer, and the weights of their cells where it has a mask."""

    share: float
    statistics: dict[int, tuple[Tensor, ...]]
    weights: dict[int, Tensor] | None


@dataclass(frozen=True)
class _Aims:
    """What the image of one scale is to have."""

    start: Tensor
    content: dict[int, Tensor]
    styles: list[_StyleAim]
    extractor: Extractor
    tiles: list[Tile]
    options: StyleOptions

    def loss_and_gradient(self, image: Tensor) -> tuple[float, Tensor]:
        """The loss, and its gradient by the pixels; tile by tile, where there are several, but of the whole.

        What the loss is made of are sums over all tiles: a first pass adds them up, which tells the loss's
        gradient by the sums, with which a second goes back to the pixels.
        """
        pixels = image.detach().requires_grad_()
        smooth = self.options.tv_weight * total_variation(pixels)
        if len(self.tiles) == 1:
            loss = smooth + self._loss(self._parts(pixels, self.tiles[0]))
            return loss.item(), torch.autograd.grad(loss, pixels)[0]
        with torch.no_grad():
            of_tiles = [self._parts(tile.piece(image), tile) for tile in self.tiles]
        whole = [torch.stack(parts).sum(0).requires_grad_() for parts in zip(*of_tiles, strict=True)]
        loss = smooth + self._loss(whole)
        gradient, *of_parts = torch.autograd.grad(loss, [pixels, *whole], allow_unused=True)
        for tile in self.tiles:
            piece = tile.piece(image).detach().requires_grad_()
            pairs = zip(self._parts(piece, tile), of_parts, strict=True)
            parts, by_parts = zip(*[pair for pair in pairs if pair[1] is not None], strict=True)
            tile.piece(gradient).add_(torch.autograd.grad(parts, piece, by_parts)[0])
        return loss.item(), gradient

    def _parts(self, piece: Tensor, tile: Tile) -> list[Tensor]:
        """The sums over a tile's core: squared differences by content layer; by style and layer, its sums."""
        maps = self.extractor(piece)
        cores = {layer: tile.core(maps[layer], self.extractor.strides[layer]) for layer in maps}
        parts = []
        for layer, aim in self.content.items():
            there = tile.place(aim, self.extractor.strides[layer])
            parts.append((cores[layer] - there).square().sum())
        for weights in self._weightings():
            for layer in self.options.style_layers:
                stride = self.extractor.strides[layer]
                n_cells = math.prod(self.extractor.map_size(self.start.shape[-2:], layer))
                parts += compute_moments(
                    cores[layer], tile.place(weights[layer], stride) if weights else 1 / n_cells
                )
        return parts

    def _weightings(self) -> list[dict[int, Tensor] | None]:
        """The different weights of cells: of all styles without a mask once, then of each with one."""
        masked = [style.weights for style in self.styles if style.weights is not None]
        return [None, *masked] if len(masked) < len(self.styles) else [*masked]

    def _loss(self, parts: Sequence[Tensor]) -> Tensor:
        """Of the whole image's parts, in the order of `_parts`."""
        rest = iter(parts)
        total = parts[0].new_zeros(())
        for aim in self.content.values():
            weight = self.options.content_weight / len(self.content)
            total = total + weight * relative(next(rest), aim.square().sum())
        of, distance = STATISTICS[self.options.statistic]
        for weights in self._weightings():
            styles = [style for style in self.styles if style.weights is weights]
            for layer in self.options.style_layers:
                made = of(Moments(next(rest), next(rest)))
                for style in styles:
                    weight = self.options.style_weight * style.share / len(self.options.style_layers)
                    total = total + weight * distance(made, style.statistics[layer])
        return total


@torch.no_grad()
def _aims(content: Tensor, styles: Sequence[Style], extractor: Extractor, options: StyleOptions) -> _Aims:
    of, _ = choose(STATISTICS, options.statistic, "statistic")
    size = content.shape[-2:]
    tiles = plan(extractor, size, options.tile).tiles
    aims = []
    for style in styles:
        side = max(size) * options.style_scale or max(style.image.shape[-2:])
        found = _sums(resize_to_side(style.image, side, extractor.min_size), extractor, options)
        statistics = {layer: of(means) for layer, means in found.items()}
        weights = None
        if style.mask is not None:
            sizes = {layer: extractor.map_size(size, layer) for layer in options.style_layers}
            weights = {
                layer: normalize_weights(resized(style.mask, of_map)) for layer, of_map in sizes.items()
            }
        aims.append(_StyleAim(style.weight / sum(one.weight for one in styles), statistics, weights))
    start = choose(STARTS, options.start, "start")(content, styles)
    maps = _cores(content, tiles, extractor, options.content_layers)
    kept = {layer: assembled(of_tiles, tiles) for layer, of_tiles in maps.items()}
    return _Aims(start, kept, aims, extractor, tiles, options)


def _sums(image: Tensor, extractor: Extractor, options: StyleOptions) -> dict[int, Moments]:
    """The sums of a whole image's maps, by style layer."""
    size = image.shape[-2:]
    tiles = plan(extractor, size, options.tile).tiles
    found = {}
    for layer, cores in _cores(image, tiles, extractor, options.style_layers).items():
        parts = [compute_moments(core, 1 / math.prod(extractor.map_size(size, layer))) for core in cores]
        found[layer] = Moments(*(torch.stack(of_parts).sum(0) for of_parts in zip(*parts, strict=True)))
    return found


def _cores(
    image: Tensor, tiles: Sequence[Tile], extractor: Extractor, layers: Sequence[int]
) -> dict[int, list[Tensor]]:
    """The maps of a image, each in the cores of its tiles."""
    cores: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    for tile in tiles:
        maps = extractor(tile.piece(image))
        for layer in layers:
            cores[layer].append(tile.core(maps[layer], extractor.strides[layer]))
    return cores


def resize_to_side(image: Tensor, side: float, least: int = 1) -> Tensor:
    """The image in a size with this longer side, and no shorter one below least."""
    rows, columns = image.shape[-2:]
    factor = max(side / max(rows, columns), least / min(rows, columns))
    return resized(image, (max(round(rows * factor), 1), max(round(columns * factor), 1)))


def _noise(content: Tensor, styles: Sequence[Style]) -> Tensor:
    return (0.5 + 0.1 * torch.randn_like(content)).clamp(0, 1)


STARTS: dict[str, Callable[[Tensor, Sequence[Style]], Tensor]] = {
    "content": lambda content, styles: content.clone(),
    "noise": _noise,
    "style": lambda content, styles: resized(styles[0].image, content.shape[-2:]).clone(),
}

Iterates = Iterator[tuple[int, float, Tensor]]  # steps since the last, loss, and the image so far


def _adam(aims: _Aims, start: Tensor) -> Iterates:
    """Step by step; the image is the average of the last ones."""
    image = start.clone()
    optimiser = torch.optim.Adam([image], lr=aims.options.learning_rate, betas=(0.9, 0.99))
    average, weight = torch.zeros_like(start), 0.0
    for _ in range(aims.options.iterations):
        loss, image.grad = aims.loss_and_gradient(image)
        optimiser.step()
        image.clamp_(0, 1)
        average.mul_(AVERAGED).add_(image, alpha=1 - AVERAGED)
        weight = AVERAGED * weight + 1 - AVERAGED
        yield 1, loss, (average / weight).clamp(0, 1)


def _lbfgs(aims: _Aims, start: Tensor) -> Iterates:
    """A few steps at once, as torch's line search does not go on from one call to the next."""
    image = start.clone()
    for first in range(0, aims.options.iterations, AT_ONCE):
        n_steps = min(AT_ONCE, aims.options.iterations - first)
        optimiser = torch.optim.LBFGS([image], max_iter=n_steps, line_search_fn="strong_wolfe")
        losses = []

        def closure(losses=losses) -> float:
            loss, gradient = aims.loss_and_gradient(image)
            losses.append(loss)
            image.grad = image.numel() * gradient  # torch's passes over curvatures below 1e-10
            return image.numel() * loss

        optimiser.step(closure)
        image.clamp_(0, 1)
        yield n_steps, losses[-1], image.clone()


OPTIMISERS: dict[str, Callable[[_Aims, Tensor], Iterates]] = {"adam": _adam, "lbfgs": _lbfgs}


def _where_styled(image: Tensor, content: Tensor, styles: Sequence[Style]) -> Tensor:
    """The image where a style goes, and the content elsewhere."""
    masks = [style.mask for style in styles]
    if any(mask is None for mask in masks):
        return image
    painted = torch.stack([resized(mask, content.shape[-2:]) for mask in masks if mask is not None]).sum(0)
    return torch.lerp(content, image, painted.clamp(0, 1))
