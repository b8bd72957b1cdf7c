"""Tiles: they cover an image once, their maps are those of the whole, and so are loss and gradient."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from audiocnn.backbones import create_backbone
from audiocnn.backbones.vgg import VGG
from audiocnn.style import tiles
from audiocnn.style.extract import Extractor
from audiocnn.style.optimise import Style, compute_targets, optimise
from audiocnn.style.options import StyleOptions
from audiocnn.style.tiles import assemble, plan

SIZE = (90, 131)
OPTIONS = StyleOptions(
    content_layers=(3,), style_layers=(0, 1, 3), coarsest=None, iterations=3, learning_rate=0.1
)


def image(seed: int, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def extractor() -> Extractor:
    torch.manual_seed(0)
    backbone = VGG(in_channels=3, kernels=((3,), (3,), (3, 3)), widths=(4, 8, 16), norm="batch")
    return Extractor(backbone, (0, 1, 3))


def test_cores_cover_the_image_once(extractor: Extractor) -> None:
    planned = plan(extractor, SIZE, 64)
    assert len(planned.tiles) > 4 and planned.side == 64 and planned.size == SIZE
    covered = torch.zeros(1, *SIZE)
    for tile in planned.tiles:
        tile.core_of_whole(covered, 1).add_(1)
        assert max(tile.crop(covered).shape) <= 64
    assert torch.equal(covered, torch.ones_like(covered))


def test_maps_of_tiles_are_those_of_the_whole(extractor: Extractor) -> None:
    content, planned = image(0), plan(extractor, SIZE, 64)
    whole = extractor(content)
    pieces = [extractor(tile.crop(content)) for tile in planned.tiles]
    for layer, stride in extractor.strides.items():
        cores = [tile.core(piece[layer], stride) for tile, piece in zip(planned.tiles, pieces, strict=True)]
        torch.testing.assert_close(assemble(cores, planned.tiles), whole[layer], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("statistic", ["gram", "moments", "wasserstein"])
@pytest.mark.parametrize("masked", [False, True])
def test_tiles_have_the_gradient_of_the_whole(extractor: Extractor, statistic: str, masked: bool) -> None:
    """In double precision, in which all that is left is the order of sums.

    Adam's first steps have the size of the learning rate wherever the gradient is not 0: in single precision
    a pixel whose gradient is rounding noise goes up with some tiles and down with others, on some processors.
    """
    mask = torch.zeros(1, 1, *SIZE).double()
    mask[..., :70] = 1
    masks = [mask, 1 - mask] if masked else [None, None]
    content, first, second = image(0).double(), image(1).double(), image(2, (70, 50)).double()
    styles = [Style(first, 1.0, masks[0]), Style(second, 1.0, masks[1])]
    settings = [replace(OPTIONS, statistic=statistic, tile=side) for side in (None, 64)]
    (loss, gradient), (tiled_loss, tiled_gradient) = (
        compute_targets(content, styles, extractor.double(), options).loss_and_gradient(image(3).double())
        for options in settings
    )
    assert tiled_loss == pytest.approx(loss, rel=1e-12)
    largest = gradient.abs().max().item()
    torch.testing.assert_close(tiled_gradient, gradient, atol=1e-10 * largest, rtol=0)
    whole, tiled = (optimise(content, styles, extractor, options) for options in settings)
    assert (whole - content).abs().mean() > 0.02
    torch.testing.assert_close(tiled, whole, atol=1e-7, rtol=0)


def test_the_tile_fits_the_memory(extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (4000, 6000)
    monkeypatch.setattr(tiles, "_free", lambda: 1e12)
    whole = plan(extractor, size)
    assert len(whole.tiles) == 1 and whole.side == 6000
    monkeypatch.setattr(tiles, "_free", lambda: 0.75 * whole.memory)
    tiled = plan(extractor, size)
    assert len(tiled.tiles) > 1 and tiled.memory <= 0.75 * whole.memory
    monkeypatch.setattr(tiles, "_free", lambda: 0)
    assert plan(extractor, size).side == tiles.MIN_CHOSEN < tiled.side


def test_networks_that_see_everything_have_no_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = Extractor(create_backbone("mnasnet_small"), (0, 1, 2, 3, 4))
    if extractor.receptive_field < float("inf"):
        extractor = Extractor(create_backbone("efficientnet_small"), (0, 1, 2, 3, 4))
    with pytest.raises(ValueError, match="tile is 64, expected None: this network"):
        plan(extractor, SIZE, 64)
    monkeypatch.setattr(tiles, "_free", lambda: 0)
    assert len(plan(extractor, SIZE).tiles) == 1


def test_tiles_that_are_too_small(extractor: Extractor) -> None:
    with pytest.raises(ValueError, match="tile is 20, expected at least 40: this network"):
        plan(extractor, SIZE, 20)
