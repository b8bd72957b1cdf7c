"""stylize: files in, an image out; strengths, colours, masks, backbones, and wrong arguments."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from audiocnn import images
from audiocnn.backbones.vgg import VGG
from audiocnn.images import Image
from audiocnn.models.file import ModelError, write_model
from audiocnn.models.image import ImageModel
from audiocnn.style.images import stylize
from audiocnn.style.options import StyleOptions
from audiocnn.style.painters.adain import AdaIN
from audiocnn.style.painters.bank import StyleBank
from audiocnn.style.painters.feedforward import TransferNet
from audiocnn.style.painters.meta import MetaNet

FAST = StyleOptions(iterations=3, coarsest=64, learning_rate=0.1)


def blobs(seed: int, rows: int = 64, columns: int = 80) -> Image:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(size=(3, 4, 5)).astype(np.float32)
    return Image(np.kron(coarse, np.ones((1, rows // 4, columns // 5), np.float32)))


def painted(**settings) -> np.ndarray:
    return stylize(blobs(0), blobs(1), **{"size": 80, "options": FAST, **settings}).pixels


def test_files_in_and_an_image_out(tmp_path: Path) -> None:
    for name, seed in (("content.png", 0), ("style.png", 1)):
        images.write_image(blobs(seed), tmp_path / name)
    result = stylize(tmp_path / "content.png", tmp_path / "style.png", size=100, options=FAST)
    assert result.size == (80, 100) and result.pixels.dtype == np.float32
    assert result.pixels.min() >= 0 and result.pixels.max() <= 1


def test_the_content_comes_back_at_strength_0() -> None:
    np.testing.assert_allclose(painted(strength=0.0), blobs(0).pixels, atol=1e-6)
    half, whole = painted(strength=0.5), painted()
    np.testing.assert_allclose(half, (whole + blobs(0).pixels) / 2, atol=1e-6)


def test_luminance_keeps_the_colours_of_the_content() -> None:
    from skimage.color import rgb2lab

    kept, free = (rgb2lab(painted(colours=colours).transpose(1, 2, 0)) for colours in ("luminance", "style"))
    content = rgb2lab(blobs(0).pixels.transpose(1, 2, 0))
    away = [np.median(np.abs(one - content)[..., 1:]) for one in (kept, free)]
    assert away[0] < 1 < away[1]  # some colours are too light or dark to be kept


def test_colours_beyond_those_of_a_screen_are_the_nearest_without_a_warning() -> None:
    from audiocnn.style.colour import keep_luminance

    yellow = torch.tensor([1.0, 1.0, 0.0]).view(1, 3, 1, 1)
    dark = keep_luminance(torch.full_like(yellow, 0.01), yellow)
    assert dark.min() >= 0 and dark.max() < 0.2


def test_histograms_are_those_of_the_content() -> None:
    kept = painted(colours="histogram")
    for result, content in zip(kept, blobs(0).pixels, strict=True):
        assert np.abs(np.sort(result.ravel()) - np.sort(content.ravel())).mean() < 0.04


def test_masks_of_another_size_and_grey_contents() -> None:
    mask = np.zeros((3, 16, 20), np.float32)
    mask[..., :10] = 1
    result = painted(masks=[Image(mask)])
    difference = np.abs(result - blobs(0).pixels)
    assert difference[..., 44:].max() <= 1 / 255 and difference[..., :36].mean() > 0.02


def test_backbones_of_sound_models() -> None:
    losses: list[float] = []
    options = StyleOptions(iterations=20, coarsest=64, learning_rate=0.03)
    result = painted(backbone="genre", options=options, progress=lambda step: losses.append(step.loss))
    assert losses[-1] < 0.8 * losses[0]
    assert np.abs(result - blobs(0).pixels).mean() > 0.02


def test_the_smallest_image() -> None:
    one = Image(np.full((3, 1, 1), 0.5, np.float32))
    assert stylize(one, one, size=64, options=FAST).size == (64, 64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": [1.0, 2.0]}, "2 weights given, expected 1, one for each style"),
        ({"weights": [0.0]}, r"weights are \[0.0\], expected 0 or more, one of them above 0"),
        ({"size": 0}, "size is 0, expected a whole number from 1 to 20000"),
        ({"size": 30_000}, "size is 30000, expected a whole number from 1 to 20000"),
        ({"size": 64.5}, "size is 64.5, expected a whole number"),
        ({"strength": 2.0}, "strength is 2.0, expected a number from 0 to 1"),
        ({"strength": math.nan}, "strength is nan, expected a number from 0 to 1"),
        ({"weights": [math.nan]}, r"weights are \[nan\], expected 0 or more"),
        ({"weights": [math.inf]}, r"weights are \[inf\], expected 0 or more"),
        ({"weights": [-1.0]}, r"weights are \[-1.0\], expected 0 or more"),
        ({"masks": [Image(np.zeros((3, 8, 10)))]}, "a mask is black everywhere, expected white where"),
        ({"masks": [Image(np.ones((3, 10, 20)))]}, "a mask has 20 × 10 pixels, expected the proportions of"),
        ({"masks": [blobs(0)] * 2}, "2 masks given, expected 1, one for each style"),
        ({"colours": "mine"}, "colours is 'mine', expected one of style, luminance, histogram"),
    ],
)
def test_wrong_arguments(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        painted(**settings)


def test_backbones_of_pitches_are_refused() -> None:
    with pytest.raises(ModelError, match="has a row for each pitch"):
        painted(backbone="notes-piano")


def test_no_such_backbone() -> None:
    with pytest.raises(
        ModelError, match=r"no such model, expected a file or one of random, alexnet, .*, genre, .*, vgg"
    ):
        painted(backbone="vgg99")


def test_no_such_painter() -> None:
    with pytest.raises(ModelError, match="night: no such model, expected a file or one of"):
        stylize(blobs(0), model="night")


@pytest.fixture(scope="module")
def painters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painter of each class and an image classifier, without training."""
    folder = tmp_path_factory.mktemp("painters")
    torch.manual_seed(0)
    backbone = VGG(in_channels=3, kernels=((3,), (3,)), widths=(4, 8), hidden=8, size=1)
    bank = StyleBank(["night", "day"], 4, 1)
    result = {
        "one": TransferNet(4, 1),
        "any": AdaIN(backbone, 1),
        "bank": bank,
        "vgg": ImageModel(backbone, 2),
    }
    result["meta"] = MetaNet(backbone, 1, 8)
    for name, network in result.items():
        write_model(network, folder / f"{name}.safetensors")
    return folder


def test_one_pass(painters: Path) -> None:
    def painted(model: str, style: object = (), **settings) -> np.ndarray:
        path = str(painters / f"{model}.safetensors")
        return stylize(blobs(0), style, model=path, size=40, **settings).pixels  # pyright: ignore, settings are of any type

    assert painted("one").shape == painted("any", blobs(1)).shape == (3, 32, 40)
    np.testing.assert_allclose(
        painted("any", blobs(1), strength=0.0), painted("one", strength=0.0), atol=1e-6
    )
    assert painted("meta", [blobs(1), blobs(2)], weights=[1.0, 2.0]).shape == (3, 32, 40)
    night, day = painted("bank", "night"), painted("bank", ["day"])
    assert np.abs(night - day).max() > 1e-6
    np.testing.assert_allclose(painted("bank", ["night", "day"], weights=[3.0, 0.0]), night, atol=1e-6)
    mask = np.zeros((3, 32, 40), np.float32)
    mask[..., 20:] = 1
    content = stylize(blobs(0), blobs(1), size=40, strength=0.0, options=FAST).pixels
    result = painted("any", blobs(1), masks=[Image(mask)])
    np.testing.assert_allclose(result[..., :20], content[..., :20], atol=1e-6)
    np.testing.assert_allclose(painted("bank", "day", masks=[Image(np.ones_like(mask))]), day, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "style", "message"),
    [
        ("one", ["a.png"], "1 styles and 0 masks given, expected none: this model has one style"),
        ("any", [], "0 style images given, expected 1: this model paints in any style"),
        ("bank", ["noon"], "style is 'noon', expected one of night, day"),
    ],
)
def test_wrong_styles(painters: Path, model: str, style: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stylize(blobs(0), style, model=str(painters / f"{model}.safetensors"), size=32)


def test_image_classifiers_are_backbones_not_painters(painters: Path) -> None:
    with pytest.raises(ModelError, match="holds ImageModel, expected a network that paints"):
        stylize(blobs(0), model=str(painters / "vgg.safetensors"))
    result = painted(backbone=str(painters / "vgg.safetensors"))
    assert result.shape == (3, 64, 80) and np.abs(result - blobs(0).pixels).mean() > 0.01


def test_an_optimisation_that_diverges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiocnn.style.optimise.total_variation", lambda image: image.sum() * math.nan)
    with pytest.raises(ValueError, match="the loss is nan after 1 steps, expected a number: lower"):
        painted()


def test_an_image_larger_than_memory(painters: Path) -> None:
    with pytest.raises(
        MemoryError, match=r"20000 × 16000 pixels need about 240.0 GB of memory, .* are free: a"
    ):
        stylize(blobs(0), model=str(painters / "one.safetensors"), size=20_000)
