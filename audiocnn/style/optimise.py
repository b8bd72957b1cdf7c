"""Content and styles -> a picture, found by gradient descent on its pixels, from coarse to fine.

Source: Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", 2016; from coarse to
fine: Gatys et al., "Controlling perceptual factors in neural style transfer", 2017, section 6; averaged
iterates and the Wasserstein loss: github.com/crowsonkb/style-transfer-pytorch.
Differs: losses are relative (see `losses`); outside all masks the content stays as it is.

Conventions: pictures are (1, 3, rows, columns) from 0 to 1.
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
from audiocnn.style.knobs import Knobs
from audiocnn.style.losses import STATISTICS, content_loss, total_variation

AVERAGED = 0.98  # share of an average that the next iterate leaves: the last 50 count
AT_ONCE = 20  # steps of L-BFGS
FINER = math.sqrt(2)  # from one scale's side to the next


class Style(NamedTuple):
    """A style picture, its share of the style, and the mask (1, 1, rows, columns) where it goes, if any."""

    picture: Tensor
    weight: float = 1.0
    mask: Tensor | None = None


class Step(NamedTuple):
    """What is told while it runs: steps done and to do, the loss, and the picture so far."""

    done: int
    total: int
    loss: float
    picture: Tensor


def optimise(
    content: Tensor,
    styles: Sequence[Style],
    extractor: Extractor,
    knobs: Knobs,
    progress: Callable[[Step], object] | None = None,
) -> Tensor:
    """The content in the styles, as large as the content: (1, 3, rows, columns).

    Args:
        extractor: gives the layers that the knobs name; they must name some.
        progress: told each step.
    Raises: ValueError when a knob is none of its choices.
    """
    torch.manual_seed(knobs.seed)
    sizes = scales(content.shape[-2:], knobs.coarsest, extractor.least)
    picture, done = None, 0
    for rows, columns in sizes:
        aims = _aims(resized(content, (rows, columns)), styles, extractor, knobs)
        picture = aims.start if picture is None else resized(picture, (rows, columns))
        total = len(sizes) * knobs.iterations
        for n_steps, loss, so_far in choose(OPTIMISERS, knobs.optimiser, "optimiser")(picture, aims, knobs):
            picture, done = so_far, done + n_steps
            if progress:
                progress(Step(done, total, loss, picture))
    assert picture is not None
    return _where_styled(picture, content, styles)


def scales(size: Sequence[int], coarsest: int, least: int) -> list[tuple[int, int]]:
    """The sizes to go through, (rows, columns), the last the picture's own; no side falls below least."""
    rows, columns = size
    sizes = [(rows, columns)]
    shrink = FINER
    while round(max(rows, columns) / shrink) >= coarsest and round(min(rows, columns) / shrink) >= least:
        sizes.append((round(rows / shrink), round(columns / shrink)))
        shrink *= FINER
    return sizes[::-1]


def resized(picture: Tensor, size: Sequence[int]) -> Tensor:
    """The picture with other numbers of rows and columns, without aliasing."""
    if tuple(picture.shape[-2:]) == tuple(size):
        return picture
    made = functional.interpolate(picture, size=tuple(size), mode="bicubic", antialias=True)
    return made.clamp(0, 1)


@dataclass(frozen=True)
class _Aims:
    """What the picture of one scale is to have."""

    start: Tensor
    content: dict[int, Tensor]
    styles: list[tuple[float, dict[int, tuple[Tensor, ...]], dict[int, Tensor] | None]]
    extractor: Extractor

    def loss(self, picture: Tensor, knobs: Knobs) -> Tensor:
        maps = self.extractor(picture)
        total = knobs.tv_weight * total_variation(picture)
        for layer, aim in self.content.items():
            total = total + knobs.content_weight / len(self.content) * content_loss(maps[layer], aim)
        statistic = STATISTICS[knobs.statistic]
        for share, aims, masks in self.styles:
            for layer, aim in aims.items():
                made = statistic.of(maps[layer], masks[layer] if masks else None)
                weight = knobs.style_weight * share / len(aims)
                total = total + weight * statistic.distance(made, aim)
        return total


@torch.no_grad()
def _aims(content: Tensor, styles: Sequence[Style], extractor: Extractor, knobs: Knobs) -> _Aims:
    of, _ = choose(STATISTICS, knobs.statistic, "statistic")
    side = max(content.shape[-2:]) * knobs.style_scale
    found = extractor(content)
    aims = []
    for style in styles:
        painted = fitted(style.picture, side, extractor.least)
        maps = extractor(painted)
        statistics = {layer: of(maps[layer], None) for layer in knobs.style_layers}
        masks = None
        if style.mask is not None:
            mask = style.mask
            masks = {layer: resized(mask, found[layer].shape[-2:]) for layer in knobs.style_layers}
        aims.append((style.weight / sum(one.weight for one in styles), statistics, masks))
    start = choose(STARTS, knobs.start, "start")(content, styles)
    return _Aims(start, {layer: found[layer] for layer in knobs.content_layers}, aims, extractor)


def fitted(picture: Tensor, side: float, least: int = 1) -> Tensor:
    """The picture in a size with this longer side, and no shorter one below least."""
    rows, columns = picture.shape[-2:]
    factor = max(side / max(rows, columns), least / min(rows, columns))
    return resized(picture, (max(round(rows * factor), 1), max(round(columns * factor), 1)))


def _noise(content: Tensor, styles: Sequence[Style]) -> Tensor:
    return (0.5 + 0.1 * torch.randn_like(content)).clamp(0, 1)


STARTS: dict[str, Callable[[Tensor, Sequence[Style]], Tensor]] = {
    "content": lambda content, styles: content.clone(),
    "noise": _noise,
    "style": lambda content, styles: resized(styles[0].picture, content.shape[-2:]).clone(),
}

Iterates = Iterator[tuple[int, float, Tensor]]  # steps since the last, loss, and the picture so far


def _adam(start: Tensor, aims: _Aims, knobs: Knobs) -> Iterates:
    """Step by step; the picture is the average of the last ones."""
    picture = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([picture], lr=knobs.learning_rate, betas=(0.9, 0.99))
    average, weight = torch.zeros_like(start), 0.0
    for _ in range(knobs.iterations):
        optimiser.zero_grad()
        loss = aims.loss(picture, knobs)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            picture.clamp_(0, 1)
            average.mul_(AVERAGED).add_(picture, alpha=1 - AVERAGED)
            weight = AVERAGED * weight + 1 - AVERAGED
        yield 1, loss.item(), (average / weight).clamp(0, 1)


def _lbfgs(start: Tensor, aims: _Aims, knobs: Knobs) -> Iterates:
    """A few steps at once, as torch's line search does not go on from one call to the next."""
    picture = start.clone().requires_grad_()
    for first in range(0, knobs.iterations, AT_ONCE):
        n_steps = min(AT_ONCE, knobs.iterations - first)
        optimiser = torch.optim.LBFGS([picture], max_iter=n_steps, line_search_fn="strong_wolfe")
        losses = []

        def closure(optimiser=optimiser, losses=losses) -> Tensor:
            optimiser.zero_grad()
            loss = picture.numel() * aims.loss(picture, knobs)  # torch's passes over curvatures below 1e-10
            loss.backward()
            losses.append(loss.item() / picture.numel())
            return loss

        optimiser.step(closure)
        with torch.no_grad():
            picture.clamp_(0, 1)
        yield n_steps, losses[-1], picture.detach().clone()


OPTIMISERS: dict[str, Callable[[Tensor, _Aims, Knobs], Iterates]] = {"adam": _adam, "lbfgs": _lbfgs}


def _where_styled(picture: Tensor, content: Tensor, styles: Sequence[Style]) -> Tensor:
    """The picture where a style goes, and the content elsewhere."""
    masks = [style.mask for style in styles]
    if any(mask is None for mask in masks):
        return picture
    painted = torch.stack([resized(mask, content.shape[-2:]) for mask in masks if mask is not None]).sum(0)
    return torch.lerp(content, picture, painted.clamp(0, 1))
