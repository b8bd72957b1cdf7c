"""Content and styles -> an image, by gradient descent on its pixels, from coarse to fine.

Source: Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", 2016; from coarse to
fine: Gatys et al., "Controlling perceptual factors in neural style transfer", 2017, section 6; averaged
iterates and the Wasserstein loss: github.com/crowsonkb/style-transfer-pytorch.
Differs: losses are relative (see `losses`); outside all masks the content is unchanged; an image too large
for memory is optimised in tiles, with the gradient of the whole.

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
from audiocnn.ranges import ArgumentError
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
from audiocnn.style.tiles import Plan, Tile, assemble, plan

ADVICE = "lower the learning rate or the weights, or choose another backbone"
AVERAGED = 0.98  # decay of the moving average of iterates: about the last 50 count
LBFGS_STEPS = 20  # iterations in one call of L-BFGS
FINER = math.sqrt(2)  # ratio of the sides of one scale and the one before


class Style(NamedTuple):
    """A style image, with its weight and mask.

    Attributes:
        image: (1, 3, rows, columns).
        weight: its share of the style loss, relative to the other styles' weights.
        mask: where the style applies, (1, 1, rows, columns) from 0 to 1; everywhere when None.
        alpha: how much each pixel of the style image counts, (1, 1, rows, columns) from 0 to 1; all the same
            when None.
    """

    image: Tensor
    weight: float = 1.0
    mask: Tensor | None = None
    alpha: Tensor | None = None


class Step(NamedTuple):
    """The state of an optimisation.

    Attributes:
        done: steps taken.
        total: steps of all scales.
        loss: loss before the last step.
        image: the image so far.
    """

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
    """Optimise an image for the content of one image and the styles of others.

    Args:
        content: an image, or a spectrogram (1, 1, bins, frames).
        styles: at least one.
        extractor: extractor of the feature maps of the layers that the options name.
        options: options of the optimisation, which name some layers.
        progress: called after each step.
        planned: called before the first step with the tiles of the last scale, and their memory.

    Returns:
        The image, of the content's shape.

    Raises:
        ArgumentError: an option is none of its choices, tiles are smaller than the receptive field, or the
            loss is no longer finite.
    """
    torch.manual_seed(options.seed)
    sizes = scales(content.shape[-2:], options.coarsest, extractor.min_size)
    image, done = None, 0
    if planned:
        planned(plan(extractor, sizes[-1], options.tile))
    for rows, columns in sizes:
        targets = compute_targets(resize(content, (rows, columns)), styles, extractor, options)
        image = targets.start if image is None else resize(image, (rows, columns))
        total = len(sizes) * options.iterations
        for n_steps, loss, iterate in choose(OPTIMISERS, options.optimiser, "optimiser")(targets, image):
            image, done = iterate, done + n_steps
            if not (math.isfinite(loss) and image.isfinite().all()):
                raise ArgumentError(f"the loss is {loss:g} after {done} steps, expected a number: {ADVICE}")
            if progress:
                progress(Step(done, total, loss, image))
    assert image is not None
    return _restore_unmasked(image, content, styles)


def scales(size: Sequence[int], coarsest: int | None, min_size: int) -> list[tuple[int, int]]:
    """Compute the sizes at which an image is optimised, from coarse to fine.

    Args:
        size: rows and columns of the image.
        coarsest: minimum of the longer side at the first scale, in pixels; None for the image's own size
            alone.
        min_size: minimum of each side, in pixels.

    Returns:
        Rows and columns of each, the last the image's own.
    """
    rows, columns = size
    sizes = [(rows, columns)]
    if coarsest is None:
        return sizes
    shrink = FINER
    while round(max(rows, columns) / shrink) >= coarsest and round(min(rows, columns) / shrink) >= min_size:
        sizes.append((round(rows / shrink), round(columns / shrink)))
        shrink *= FINER
    return sizes[::-1]


def resize(image: Tensor, size: Sequence[int]) -> Tensor:
    """Resize an image by bicubic interpolation, without aliasing.

    Args:
        image: (batch, channels, rows, columns).
        size: rows and columns of the result.

    Returns:
        The image, clipped to 0 to 1; the same object where it has this size.
    """
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    resized = functional.interpolate(image, size=tuple(size), mode="bicubic", antialias=True)
    return resized.clamp(0, 1)


def resize_to_side(image: Tensor, side: float, min_size: int = 1) -> Tensor:
    """Resize an image by the length of its longer side.

    Args:
        image: (batch, channels, rows, columns).
        side: of the longer side, in pixels.
        min_size: minimum of each side, in pixels; the longer side may then exceed `side`.

    Returns:
        The image, clipped to 0 to 1.
    """
    rows, columns = image.shape[-2:]
    factor = max(side / max(rows, columns), min_size / min(rows, columns))
    return resize(image, (max(round(rows * factor), 1), max(round(columns * factor), 1)))


@dataclass(frozen=True)
class _StyleTarget:
    """A style's statistics by layer, and by layer the weights of positions where it has a mask."""

    share: float
    statistics: dict[int, tuple[Tensor, ...]]
    weights: dict[int, Tensor] | None


@dataclass(frozen=True)
class Targets:
    """The targets of the optimisation at one scale, and its loss.

    Attributes:
        start: the image that the optimisation starts from.
        content: the content's feature maps, by layer.
        styles: the styles' statistics.
        extractor: extractor of the image's feature maps.
        tiles: tiles of the image.
        options: options of the losses.
    """

    start: Tensor
    content: dict[int, Tensor]
    styles: list[_StyleTarget]
    extractor: Extractor
    tiles: list[Tile]
    options: StyleOptions

    def loss_and_gradient(self, image: Tensor) -> tuple[float, Tensor]:
        """Compute the loss and its gradient with respect to the pixels, tile by tile if there are several.

        The loss is a function of sums over all positions. A first pass over the tiles accumulates these sums,
        which give the loss and its gradient with respect to them; a second pass backpropagates that gradient
        to the pixels of each tile.

        Args:
            image: of the start's shape.

        Returns:
            The loss, and the gradient in the image's shape: those of the whole image, whatever the tiles.
        """
        pixels = image.detach().requires_grad_()
        smoothness = self.options.tv_weight * total_variation(pixels)
        if len(self.tiles) == 1:
            loss = smoothness + self._loss(self._sums(pixels, self.tiles[0]))
            return loss.item(), torch.autograd.grad(loss, pixels)[0]
        with torch.no_grad():
            of_tiles = [self._sums(tile.crop(image), tile) for tile in self.tiles]
        whole = [torch.stack(sums).sum(0).requires_grad_() for sums in zip(*of_tiles, strict=True)]
        loss = smoothness + self._loss(whole)
        gradient, *by_sums = torch.autograd.grad(loss, [pixels, *whole], allow_unused=True)
        for tile in self.tiles:
            cropped = tile.crop(image).detach().requires_grad_()
            pairs = zip(self._sums(cropped, tile), by_sums, strict=True)
            sums, outer = zip(*[pair for pair in pairs if pair[1] is not None], strict=True)
            tile.crop(gradient).add_(torch.autograd.grad(sums, cropped, outer)[0])
        return loss.item(), gradient

    def _sums(self, cropped: Tensor, tile: Tile) -> list[Tensor]:
        """Sums over a tile's core: squared errors of each content layer, moments of each style and layer."""
        maps = self.extractor(cropped)
        cores = {layer: tile.core(maps[layer], self.extractor.strides[layer]) for layer in maps}
        sums = []
        for layer, target in self.content.items():
            there = tile.core_of_whole(target, self.extractor.strides[layer])
            sums.append((cores[layer] - there).square().sum())
        for weights in self._weightings():
            for layer in self.options.style_layers or ():
                stride = self.extractor.strides[layer]
                n_positions = math.prod(self.extractor.map_size(self.start.shape[-2:], layer))
                weight = tile.core_of_whole(weights[layer], stride) if weights else 1 / n_positions
                sums += compute_moments(cores[layer], weight)
        return sums

    def _weightings(self) -> list[dict[int, Tensor] | None]:
        """The distinct weights of positions: None for all styles without a mask, then those of each mask."""
        masked = [style.weights for style in self.styles if style.weights is not None]
        return [None, *masked] if len(masked) < len(self.styles) else [*masked]

    def _loss(self, sums: Sequence[Tensor]) -> Tensor:
        """The loss of the whole image's sums, in the order of `_sums`."""
        rest = iter(sums)
        total = sums[0].new_zeros(())
        for target in self.content.values():
            weight = self.options.content_weight / len(self.content)
            total = total + weight * relative(next(rest), target.square().sum())
        of, distance = STATISTICS[self.options.statistic]
        style_layers = self.options.style_layers or ()
        for weights in self._weightings():
            styles = [style for style in self.styles if style.weights is weights]
            for layer in style_layers:
                statistic = of(Moments(next(rest), next(rest)))
                for style in styles:
                    weight = self.options.style_weight * style.share / len(style_layers)
                    total = total + weight * distance(statistic, style.statistics[layer])
        return total


@torch.no_grad()
def compute_targets(
    content: Tensor, styles: Sequence[Style], extractor: Extractor, options: StyleOptions
) -> Targets:
    """Compute the targets of the optimisation at one scale.

    Args:
        content: the content image in the size of the scale.
        styles: at least one.
        extractor: extractor of the layers that the options name.
        options: options of the losses.

    Returns:
        The targets.

    Raises:
        ArgumentError: an option is none of its choices, or tiles are smaller than the receptive field.
    """
    of, _ = choose(STATISTICS, options.statistic, "statistic")
    size = content.shape[-2:]
    tiles = plan(extractor, size, options.tile).tiles
    style_layers = options.style_layers or ()
    targets = []
    for style in styles:
        side = max(style.image.shape[-2:] if options.style_scale is None else size) * (
            options.style_scale or 1
        )
        moments = _moments(style, side, extractor, options)
        weights = None
        if style.mask is not None:
            sizes = {layer: extractor.map_size(size, layer) for layer in style_layers}
            weights = {layer: normalize_weights(resize(style.mask, sizes[layer])) for layer in style_layers}
        share = style.weight / sum(one.weight for one in styles)
        targets.append(_StyleTarget(share, {layer: of(one) for layer, one in moments.items()}, weights))
    start = choose(STARTS, options.start, "start")(content, styles)
    cores = _cores(content, tiles, extractor, options.content_layers or ())
    content_maps = {layer: assemble(of_tiles, tiles) for layer, of_tiles in cores.items()}
    return Targets(start, content_maps, targets, extractor, tiles, options)


def _moments(style: Style, side: float, extractor: Extractor, options: StyleOptions) -> dict[int, Moments]:
    """The moments of a style's feature maps, by style layer, at this length of its longer side."""
    image = resize_to_side(style.image, side, extractor.min_size)
    tiles = plan(extractor, image.shape[-2:], options.tile).tiles
    moments = {}
    for layer, cores in _cores(image, tiles, extractor, options.style_layers or ()).items():
        size = extractor.map_size(image.shape[-2:], layer)
        weights = [1 / math.prod(size)] * len(tiles)
        if style.alpha is not None:
            whole = normalize_weights(resize(style.alpha, size))
            weights = [tile.core_of_whole(whole, extractor.strides[layer]) for tile in tiles]
        parts = zip(*map(compute_moments, cores, weights), strict=True)
        moments[layer] = Moments(*(torch.stack(of_tiles).sum(0) for of_tiles in parts))
    return moments


def _cores(
    image: Tensor, tiles: Sequence[Tile], extractor: Extractor, layers: Sequence[int]
) -> dict[int, list[Tensor]]:
    """The feature maps of an image by layer, cropped to the core of each tile."""
    cores: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    for tile in tiles:
        maps = extractor(tile.crop(image))
        for layer in layers:
            cores[layer].append(tile.core(maps[layer], extractor.strides[layer]))
    return cores


def _noise(content: Tensor, styles: Sequence[Style]) -> Tensor:
    return (0.5 + 0.1 * torch.randn_like(content)).clamp(0, 1)


STARTS: dict[str, Callable[[Tensor, Sequence[Style]], Tensor]] = {
    "content": lambda content, styles: content.clone(),
    "noise": _noise,
    "style": lambda content, styles: resize(styles[0].image, content.shape[-2:]).clone(),
}

Iterates = Iterator[tuple[int, float, Tensor]]  # steps since the last, loss, and the image so far


def _adam(targets: Targets, start: Tensor) -> Iterates:
    """Optimise by Adam; each image yielded is a moving average of the iterates."""
    image = start.clone()
    optimiser = torch.optim.Adam([image], lr=targets.options.learning_rate, betas=(0.9, 0.99))
    average, weight = torch.zeros_like(start), 0.0
    for _ in range(targets.options.iterations):
        loss, image.grad = targets.loss_and_gradient(image)
        optimiser.step()
        image.clamp_(0, 1)
        average.mul_(AVERAGED).add_(image, alpha=1 - AVERAGED)
        weight = AVERAGED * weight + 1 - AVERAGED
        yield 1, loss, (average / weight).clamp(0, 1)


def _lbfgs(targets: Targets, start: Tensor) -> Iterates:
    """Optimise by L-BFGS, several iterations in each call: torch keeps no line search between calls."""
    image = start.clone()
    for first in range(0, targets.options.iterations, LBFGS_STEPS):
        n_steps = min(LBFGS_STEPS, targets.options.iterations - first)
        optimiser = torch.optim.LBFGS([image], max_iter=n_steps, line_search_fn="strong_wolfe")
        losses = []

        def closure(losses=losses) -> float:
            loss, gradient = targets.loss_and_gradient(image)
            losses.append(loss)
            image.grad = image.numel() * gradient  # torch's L-BFGS skips curvatures below 1e-10
            return image.numel() * loss

        optimiser.step(closure)
        image.clamp_(0, 1)
        yield n_steps, losses[-1], image.clone()


OPTIMISERS: dict[str, Callable[[Targets, Tensor], Iterates]] = {"adam": _adam, "lbfgs": _lbfgs}


def _restore_unmasked(image: Tensor, content: Tensor, styles: Sequence[Style]) -> Tensor:
    """The image where a style applies, and the content elsewhere."""
    masks = [style.mask for style in styles]
    if any(mask is None for mask in masks):
        return image
    covered = torch.stack([resize(mask, content.shape[-2:]) for mask in masks if mask is not None]).sum(0)
    return torch.lerp(content, image, covered.clamp(0, 1))
