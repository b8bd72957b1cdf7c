"""Tiles: they cover a image once, their maps are those of the whole, and so is what is painted in them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from audiocnn.backbones import create_backbone
from audiocnn.backbones.vgg import VGG
from audiocnn.style import tiles
from audiocnn.style.extract import Extractor
from audiocnn.style.optimise import Style, optimise
from audiocnn.style.options import StyleOptions
from audiocnn.style.tiles import assembled, plan

SIZE = (90, 131)
KNOBS = StyleOptions(
    content_layers=(3,), style_layers=(0, 1, 3), coarsest=999, iterations=3, learning_rate=0.1
)


def image(seed: int, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def extractor() -> Extractor:
    torch.manual_seed(0)
    backbone = VGG(in_channels=3, kernels=((3,), (3,), (3, 3)), widths=(4, 8, 16), norm="batch")
    return Extractor(backbone, (0, 1, 3))


def test_cores_cover_the_image_once(extractor: Extractor) -> None:
    made = plan(extractor, SIZE, 64)
    assert len(made.tiles) > 4 and made.side == 64 and made.size == SIZE
    covered = torch.zeros(1, *SIZE)
    for tile in made.tiles:
        tile.place(covered, 1).add_(1)
        assert max(tile.piece(covered).shape) <= 64
    assert torch.equal(covered, torch.ones_like(covered))


def test_maps_of_tiles_are_those_of_the_whole(extractor: Extractor) -> None:
    shown, made = image(0), plan(extractor, SIZE, 64)
    whole = extractor(shown)
    pieces = [extractor(tile.piece(shown)) for tile in made.tiles]
    for layer, stride in extractor.strides.items():
        cores = [tile.core(piece[layer], stride) for tile, piece in zip(made.tiles, pieces, strict=True)]
        torch.testing.assert_close(assembled(cores, made.tiles), whole[layer], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("statistic", ["gram", "moments", "wasserstein"])
@pytest.mark.parametrize("masked", [False, True])
def test_tiles_are_painted_as_the_whole(extractor: Extractor, statistic: str, masked: bool) -> None:
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., :70] = 1
    styles = [Style(image(1), 1.0, mask if masked else None), Style(image(2, (70, 50)))]
    if masked:
        styles[1] = Style(styles[1].image, 1.0, 1 - mask)
    whole, tiled = (
        optimise(image(0), styles, extractor, replace(KNOBS, statistic=statistic, tile=side))
        for side in (999, 64)
    )
    assert (whole - image(0)).abs().mean() > 0.02
    torch.testing.assert_close(tiled, whole, atol=1 / 255, rtol=0)


def test_the_tile_fits_the_memory(extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (4000, 6000)
    monkeypatch.setattr(tiles, "_free", lambda: 1e12)
    whole = plan(extractor, size)
    assert len(whole.tiles) == 1 and whole.side == 6000
    monkeypatch.setattr(tiles, "_free", lambda: 0.75 * whole.memory)
    tiled = plan(extractor, size)
    assert len(tiled.tiles) > 1 and tiled.memory <= 0.75 * whole.memory
    monkeypatch.setattr(tiles, "_free", lambda: 0)
    assert plan(extractor, size).side == tiles.LEAST_CHOSEN < tiled.side


def test_networks_that_see_everything_have_no_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = Extractor(create_backbone("mnasnet_small"), (0, 1, 2, 3, 4))
    if extractor.receptive_field < float("inf"):
        extractor = Extractor(create_backbone("efficientnet_small"), (0, 1, 2, 3, 4))
    with pytest.raises(ValueError, match="tile is 64, expected 0: cells of this network see the whole"):
        plan(extractor, SIZE, 64)
    monkeypatch.setattr(tiles, "_free", lambda: 0)
    assert len(plan(extractor, SIZE).tiles) == 1


def test_tiles_that_are_too_small(extractor: Extractor) -> None:
    with pytest.raises(ValueError, match="tile is 20, expected at least 40: around a cell"):
        plan(extractor, SIZE, 20)
