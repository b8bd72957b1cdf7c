"""Colour spaces: published values, colorsys, scikit-image and Pillow; round trips, borders and gradients."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color

from audiocnn.images import COLOUR_SPACES, convert

WHOLE = [name for name in COLOUR_SPACES if name != "grey"]  # that hold all of a colour
# Red, green and blue from 0 to 1; CIELAB; hue, saturation and value; cyan, magenta, yellow and key.
# Source of CIELAB: Lindbloom's calculator (sRGB, D65); of the others: their definitions.
PUBLISHED = {
    "red": ((1, 0, 0), (53.2408, 80.0925, 67.2032), (0, 1, 1), (0, 1, 1, 0)),
    "lime": ((0, 1, 0), (87.7347, -86.1827, 83.1793), (1 / 3, 1, 1), (1, 0, 1, 0)),
    "blue": ((0, 0, 1), (32.2970, 79.1875, -107.8602), (2 / 3, 1, 1), (1, 1, 0, 0)),
    "olive": (
        (128 / 255, 128 / 255, 0),
        (51.8687, -12.9296, 56.6751),
        (1 / 6, 1, 128 / 255),
        (0, 0, 1, 127 / 255),
    ),
    "white": ((1, 1, 1), (100, 0, 0), (0, 0, 1), (0, 0, 0, 0)),
    "black": ((0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0, 1)),
    "grey": ((0.5, 0.5, 0.5), (53.3890, 0, 0), (0, 0, 0.5), (0, 0, 0, 0.5)),
}


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """All corners, edges and faces of the cube of colours, and what is between: (3, 11, 121)."""
    steps = np.linspace(0, 1, 11)
    return np.stack(np.meshgrid(steps, steps, steps)).reshape(3, 11, 121)


def pixel(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name: str) -> None:
    rgb, *others = PUBLISHED[name]
    for space, expected in zip(("lab", "hsv", "cmyk"), others, strict=True):
        torch.testing.assert_close(convert(pixel(rgb), "rgb", space), pixel(expected), atol=1e-3, rtol=0)
        torch.testing.assert_close(convert(pixel(expected), space, "rgb"), pixel(rgb), atol=1e-3, rtol=0)


def test_hsv_is_that_of_colorsys(pixels: np.ndarray) -> None:
    expected = [colorsys.rgb_to_hsv(*one) for one in pixels.reshape(3, -1).T]
    found = convert(pixels, "rgb", "hsv").reshape(3, -1).T
    np.testing.assert_allclose(found, expected, atol=1e-12)
    back = [colorsys.hsv_to_rgb(*one) for one in found]
    np.testing.assert_allclose(convert(found.T.reshape(pixels.shape), "hsv", "rgb").reshape(3, -1).T, back)


def test_lab_and_hcl_are_those_of_scikit_image(pixels: np.ndarray) -> None:
    lab = color.rgb2lab(pixels, channel_axis=0)
    np.testing.assert_allclose(convert(pixels, "rgb", "lab"), lab, atol=0.01)  # four digits of its matrix
    lightness, chroma, radians = color.lab2lch(lab, channel_axis=0)
    hcl = convert(lab, "lab", "hcl")
    has_hue = chroma > 0.1
    np.testing.assert_allclose(hcl[0][has_hue], np.degrees(radians)[has_hue])
    np.testing.assert_allclose(hcl[1][has_hue], chroma[has_hue])
    np.testing.assert_array_equal(hcl[2], lightness)


def test_grey_is_that_of_pillow() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(levels).convert("L"), np.float32)
    found = 255 * convert(levels.transpose(2, 0, 1).astype(np.float32) / 255, "rgb", "grey")
    assert np.abs(found - expected).max() < 0.51  # it rounds


@pytest.mark.parametrize("source", WHOLE)
@pytest.mark.parametrize("target", WHOLE)
def test_round_trips(pixels: np.ndarray, source: str, target: str) -> None:
    there = convert(convert(pixels, "rgb", source), source, target)
    np.testing.assert_allclose(convert(there, target, "rgb"), pixels, atol=1e-6)


@pytest.mark.parametrize("space", COLOUR_SPACES)
def test_every_colour_is_in_the_range_of_its_channels(pixels: np.ndarray, space: str) -> None:
    found = convert(pixels, "rgb", space)
    assert len(found) == len(COLOUR_SPACES[space].channels)
    for values, allowed in zip(found, COLOUR_SPACES[space].channels.values(), strict=True):
        assert values.min() >= allowed.low - 1e-6 and values.max() <= allowed.high + 1e-6


@pytest.mark.parametrize("space", ["lab", "hcl", "hsv", "cmyk"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_grey_has_no_colour(space: str, dtype: torch.dtype) -> None:
    greys = torch.linspace(0, 1, 256, dtype=dtype).expand(3, 1, 256)
    where = {"lab": [1, 2], "hcl": [0, 1], "hsv": [0, 1], "cmyk": [0, 1, 2]}[space]
    assert convert(greys, "rgb", space)[where].abs().max() < 1e-3
    grey = convert(greys, "rgb", "grey")
    torch.testing.assert_close(convert(convert(grey, "grey", space), space, "grey"), grey)


@pytest.mark.parametrize("factor", [0.25, 0.5])
def test_less_light_changes_the_lightness_and_keeps_the_hue(factor: float) -> None:
    rgb = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before, after = (convert(one, "rgb", "hsv") for one in (rgb, factor * rgb))
    torch.testing.assert_close(after[:2], before[:2])
    torch.testing.assert_close(after[2], factor * before[2])


@pytest.mark.parametrize("space", WHOLE[1:])
def test_gradients_are_those_of_differences(space: str) -> None:
    rgb = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rgb = (0.05 + 0.9 * rgb).requires_grad_()
    there = convert(rgb.detach(), "rgb", space).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: convert(values, "rgb", space), rgb)
    assert torch.autograd.gradcheck(lambda values: convert(values, space, "rgb"), there)


@pytest.mark.parametrize("space", COLOUR_SPACES)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_gradients_of_black_grey_and_white_are_finite(space: str, level: float) -> None:
    rgb = torch.full((3, 1, 1), level, requires_grad=True)
    convert(convert(rgb, "rgb", space), space, "rgb").sum().backward()
    assert rgb.grad is not None and rgb.grad.isfinite().all()


def test_arrays_and_tensors_of_any_shape_and_precision(pixels: np.ndarray) -> None:
    for dtype in (np.float32, np.float64):
        array = pixels.astype(dtype)
        array.setflags(write=False)
        found = convert(array[..., ::-1], "rgb", "lab")
        assert isinstance(found, np.ndarray) and found.dtype == dtype
        tensor = torch.tensor(array).flip(-1).expand(2, 1, 3, 11, 121)
        assert tensor.dtype == convert(tensor, "rgb", "lab").dtype
        np.testing.assert_allclose(convert(tensor, "rgb", "lab")[1, 0], found, atol=1e-4)


def test_what_srgb_lacks_is_clipped() -> None:
    rgb = convert(pixel((20, -60, 90)), "lab", "rgb")
    assert rgb.min() == 0 and rgb.max() <= 1


@pytest.mark.parametrize(
    ("values", "source", "target", "message"),
    [
        (
            torch.zeros(3, 2, 2),
            "rgb",
            "luv",
            "the colour space is 'luv', expected one of rgb, grey, lab, hcl",
        ),
        (torch.zeros(3, 2, 2), "RGB", "lab", "the colour space is 'RGB', expected one of rgb"),
        (
            torch.zeros(1, 2, 2),
            "rgb",
            "lab",
            r"the shape \(1, 2, 2\), expected \(\.\.\., 3, rows, columns\) in",
        ),
        (np.zeros((2, 2, 3)), "rgb", "lab", r"the shape \(2, 2, 3\), expected"),
        (
            np.zeros((4, 4)),
            "grey",
            "rgb",
            r"the shape \(4, 4\), expected \(\.\.\., 1, rows, columns\) in grey",
        ),
        (np.full((3, 2, 2), 200, np.uint8), "rgb", "lab", "pixels are uint8, expected floating point"),
        (torch.full((3, 2, 2), 200), "rgb", "lab", r"pixels are torch\.int64, expected floating point"),
        (torch.full((3, 2, 2), 200.0), "rgb", "lab", "red of rgb is 200, expected a number from 0 to 1"),
        (torch.full((3, 2, 2), torch.nan), "lab", "rgb", "L of lab is nan, expected a number from 0 to 100"),
        (pixel((50, 0, 300)), "lab", "rgb", "b of lab is 300, expected a number from -128 to 128"),
    ],
)
def test_wrong_arguments(values, source: str, target: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convert(values, source, target)
