"""What is transparent is not seen by any painter nor the optimiser; results keep the content's alpha."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from audiocnn import files, images
from audiocnn.images import Image
from audiocnn.models import weights
from audiocnn.style.images import stylize
from audiocnn.style.options import StyleOptions

SIDE = 48
ANY_STYLE = ("meta", "adain")
PAINTERS = [None, *weights.names("style")]


def hidden(colour: tuple[float, float, float], seed: int, opaque: slice = slice(16, None)) -> Image:
    """An image whose left third has a colour that is not seen."""
    rng = np.random.default_rng(seed)
    pixels = np.kron(rng.uniform(size=(3, 8, 8)), np.ones((1, SIDE // 8, SIDE // 8))).astype(np.float32)
    alpha = np.zeros((1, SIDE, SIDE), np.float32)
    alpha[..., opaque] = 1
    return Image(np.where(alpha > 0, pixels, np.array(colour, np.float32)[:, None, None]), alpha)


def paint(content: Image, style: Image, model: str | None) -> Image:
    named = {"style_bank": "udnie"}.get(str(model), ())
    options = StyleOptions(iterations=3, coarsest=None, learning_rate=0.1)
    return stylize(
        content, style if model in (None, *ANY_STYLE) else named, model=model, size=SIDE, options=options
    )


@pytest.mark.parametrize("model", PAINTERS)
def test_hidden_colours_of_the_content(model: str | None) -> None:
    """Pixels are alike whatever is hidden, and so is the transparency."""
    style = hidden((0, 0, 0), 1, opaque=slice(None))
    red, black = (paint(hidden(colour, 0), style, model) for colour in ((1, 0, 0), (0, 0, 0)))
    np.testing.assert_allclose(red.pixels, black.pixels, atol=1e-5)
    assert red.alpha is not None
    np.testing.assert_array_equal(red.alpha, hidden((0, 0, 0), 0).alpha)


@pytest.mark.parametrize("model", [None, *ANY_STYLE])
def test_hidden_colours_of_the_style(model: str | None) -> None:
    content = Image(hidden((0, 0, 0), 0, opaque=slice(None)).pixels)
    for opaque in (slice(16, None), slice(16, 32)):  # at the margin, which is cropped, and on both sides
        red, green = (hidden(colour, 1, opaque) for colour in ((1, 0, 0), (0, 1, 0)))
        assert np.abs(paint(content, red, model).pixels - paint(content, green, model).pixels).max() < 1e-5


def test_the_optimiser_weighs_the_style_by_its_transparency() -> None:
    """A hole in the middle of a style counts nothing, though it has to be filled by some colours."""
    content = Image(np.full((3, SIDE, SIDE), 0.5, np.float32))
    whole = hidden((0, 0, 0), 1, opaque=slice(None))
    alpha = np.ones((1, SIDE, SIDE), np.float32)
    alpha[:, :, 6:42] = 0
    holed = Image(whole.pixels, alpha)
    filled = Image(images.fill_transparent(holed).pixels)
    of_holed, of_filled = (paint(content, style, None).pixels for style in (holed, filled))
    assert np.abs(of_holed - of_filled).mean() > 1e-3


@pytest.mark.parametrize("which", ["content", "style"])
def test_an_image_of_which_nothing_is_seen(tmp_path: Path, which: str) -> None:
    Pillow.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "none.png")
    seen = hidden((0, 0, 0), 0)
    pair = (tmp_path / "none.png", seen) if which == "content" else (seen, tmp_path / "none.png")
    with pytest.raises(files.FileError, match=r"none\.png: is transparent everywhere, expected some pixels"):
        stylize(*pair, size=SIDE)
