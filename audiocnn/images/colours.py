"""Colour spaces of images: RGB, grey, CIELAB, HCL, HSV and CMYK, each from each.

Conventions: pixels are (..., channels, rows, columns), floating point, as arrays or as tensors, through which
gradients pass. RGB is sRGB, whose white is D65. HCL is CIELAB in polar coordinates: hue and chroma in place
of a and b.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from audiocnn.ranges import Range

if TYPE_CHECKING:
    Pixels = TypeVar("Pixels", np.ndarray, Tensor)

# sRGB, linear -> CIE XYZ; a row sums to the white point's X, Y or Z, so that grey has neither a nor b.
# Source: Lindbloom, "RGB/XYZ matrices", from the primaries of IEC 61966-2-1.
XYZ_OF_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
# Of sRGB (IEC 61966-2-1): the dark part is a straight line, the rest a power.
LINEAR_BELOW, SLOPE, OFFSET, GAMMA = 0.0031308, 12.92, 0.055, 2.4
LAB_BELOW = (6 / 29) ** 3  # of a share of white: below, CIELAB's cube root is a straight line. Source: CIE 15
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue. Source: Rec. ITU-R BT.601, as Pillow and torchvision
GREY_CHROMA = 0.0015  # the most that a grey has, which has no hue. Source: CSS Color 4, of LCH
ROUNDING = 1e-3  # of a channel's range: what rounding may add to it


class ColourSpace(NamedTuple):
    """A colour space, by its relation to another.

    Attributes:
        channels: their names, and the range of each.
        parent: the space that it is computed from; "" of RGB.
        of_parent: pixels of the parent -> its own.
        to_parent: its own pixels -> the parent's.
    """

    channels: dict[str, Range]
    parent: str = ""
    of_parent: Callable[[Tensor], Tensor] = torch.positive
    to_parent: Callable[[Tensor], Tensor] = torch.positive


def convert(pixels: Pixels, source: str, target: str) -> Pixels:
    """Convert pixels from one colour space to another.

    Colours of CIELAB and HCL that are none of sRGB become the nearest by channel: their red, green and blue
    are clipped to 0 to 1.

    Args:
        pixels: an array or a tensor of floating point.
        source: the space that they are in, of `COLOUR_SPACES`: rgb, grey, hsv and cmyk, all from 0 to 1, the
            hue too; lab, L from 0 to 100, a and b from -128 to 128; hcl, hue in degrees, chroma, and
            lightness from 0 to 100.
        target: the space that is wanted.

    Returns:
        Pixels in the target's channels, of the same kind and precision.

    Raises:
        ValueError: there is no such space, or the pixels are of another type, number of channels or range.

    Shape:
        (..., channels of the source, rows, columns) -> (..., channels of the target, rows, columns).

    Source:
        CIE 15:2004 (CIELAB and its polar coordinates); Smith, "Color gamut transform pairs", 1978 (HSV).

    Differs:
        In scikit-image's CIELAB white has a little colour (a -0.002, b 0.005), by a matrix of fewer digits.
        Its grey is the luminance of Rec. 709, here it is the luma of Rec. 601, Pillow's and torchvision's.
        CMYK is without the profile of a printer.
    """
    _check_spaces(source, target)
    if isinstance(pixels, np.ndarray):
        _check_type(pixels.dtype, np.issubdtype(pixels.dtype, np.floating))
        return convert(torch.from_numpy(np.array(pixels, order="C")), source, target).numpy()
    _check_type(pixels.dtype, pixels.is_floating_point())
    _check_values(pixels, source)
    return _convert(pixels, source, target)


def _convert(pixels: Tensor, source: str, target: str) -> Tensor:
    """Up from the source to a space that the target is computed from, then down to the target."""
    while source not in (lineage := _lineage(target)):
        pixels, source = COLOUR_SPACES[source].to_parent(pixels), COLOUR_SPACES[source].parent
    for name in reversed(lineage[: lineage.index(source)]):
        pixels = COLOUR_SPACES[name].of_parent(pixels)
    return pixels


def _lineage(name: str) -> list[str]:
    """A space, its parent, and so on to RGB."""
    return [name, *_lineage(COLOUR_SPACES[name].parent)] if name else []


def _check_spaces(*names: str) -> None:
    for name in names:
        if name not in COLOUR_SPACES:
            raise ValueError(f"the colour space is {name!r}, expected one of {', '.join(COLOUR_SPACES)}")


def _check_type(dtype: object, is_floating: bool) -> None:
    if not is_floating:
        raise ValueError(f"pixels are {dtype}, expected floating point: bytes / 255 are RGB from 0 to 1")


def _check_values(pixels: Tensor, name: str) -> None:
    channels = COLOUR_SPACES[name].channels
    if pixels.ndim < 3 or pixels.shape[-3] != len(channels):
        expected = f"(..., {len(channels)}, rows, columns) in {name}"
        raise ValueError(f"pixels have the shape {(*pixels.shape,)}, expected {expected}")
    for (channel, allowed), values in zip(channels.items(), pixels.detach().unbind(-3), strict=True):
        rounding = ROUNDING * (allowed.high - allowed.low)
        inside = (values >= allowed.low - rounding) & (values <= allowed.high + rounding)  # nan is not
        if not inside.all():
            raise ValueError(f"{channel} of {name} is {values[~inside][0]:.4g}, expected {allowed}")


def _mix(pixels: Tensor, matrix: Tensor) -> Tensor:
    """Multiply each pixel's channels by a matrix."""
    return torch.einsum("oc,...cij->...oij", matrix.to(pixels), pixels)


def _grey_of_rgb(rgb: Tensor) -> Tensor:
    return _mix(rgb, torch.tensor([LUMA]))


def _rgb_of_grey(grey: Tensor) -> Tensor:
    return grey.repeat_interleave(3, dim=-3)


def _white(like: Tensor) -> Tensor:
    """X, Y and Z of white, (3, 1, 1)."""
    return torch.tensor(XYZ_OF_RGB, dtype=torch.float64).sum(1).view(3, 1, 1).to(like)


def _lab_of_rgb(rgb: Tensor) -> Tensor:
    power = ((rgb.clamp(min=0) + OFFSET) / (1 + OFFSET)) ** GAMMA
    linear = torch.where(rgb <= SLOPE * LINEAR_BELOW, rgb / SLOPE, power)
    shares = _mix(linear, torch.tensor(XYZ_OF_RGB, dtype=torch.float64)) / _white(rgb)
    # Where the root is not taken, its argument has a gradient all the same, which at 0 would be infinite.
    root = shares.clamp(min=LAB_BELOW) ** (1 / 3)
    x, y, z = torch.where(shares > LAB_BELOW, root, shares * (29 / 6) ** 2 / 3 + 4 / 29).unbind(-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def _rgb_of_lab(lab: Tensor) -> Tensor:
    lightness, a, b = lab.unbind(-3)
    y = (lightness + 16) / 116
    roots = torch.stack([y + a / 500, y, y - b / 200], dim=-3)
    shares = torch.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    rgb_of_xyz = torch.tensor(XYZ_OF_RGB, dtype=torch.float64).inverse()
    linear = _mix(shares * _white(lab), rgb_of_xyz)
    power = (1 + OFFSET) * linear.clamp(min=LINEAR_BELOW) ** (1 / GAMMA) - OFFSET
    return torch.where(linear <= LINEAR_BELOW, SLOPE * linear, power).clamp(0, 1)


def _hcl_of_lab(lab: Tensor) -> Tensor:
    lightness, a, b = lab.unbind(-3)
    chroma = torch.linalg.vector_norm(lab[..., 1:, :, :], dim=-3)
    is_grey = chroma <= GREY_CHROMA
    hue = torch.atan2(b.masked_fill(is_grey, 0), a.masked_fill(is_grey, 1))
    degrees = (hue * (180 / math.pi)) % 360
    return torch.stack([degrees, chroma.masked_fill(is_grey, 0), lightness], dim=-3)


def _lab_of_hcl(hcl: Tensor) -> Tensor:
    degrees, chroma, lightness = hcl.unbind(-3)
    hue = degrees * (math.pi / 180)
    return torch.stack([lightness, chroma * hue.cos(), chroma * hue.sin()], dim=-3)


def _hsv_of_rgb(rgb: Tensor) -> Tensor:
    (value, brightest), darkest = rgb.max(-3, keepdim=True), rgb.amin(-3, keepdim=True)
    spread = value - darkest
    # Of red, green and blue as the brightest: green - blue, blue - red, red - green.
    differences = rgb.roll(-1, -3) - rgb.roll(-2, -3)
    sixths = differences.gather(-3, brightest) / spread.masked_fill(spread == 0, 1) + 2 * brightest
    saturation = spread / value.masked_fill(value == 0, 1)
    return torch.cat([(sixths / 6) % 1, saturation, value], dim=-3)


def _rgb_of_hsv(hsv: Tensor) -> Tensor:
    hue, saturation, value = (hsv[..., i : i + 1, :, :] for i in range(3))
    sixths = (hsv.new_tensor([5, 3, 1]).view(3, 1, 1) + 6 * hue) % 6
    return value * (1 - saturation * torch.minimum(sixths, 4 - sixths).clamp(0, 1))


def _cmyk_of_rgb(rgb: Tensor) -> Tensor:
    value = rgb.amax(-3, keepdim=True)
    return torch.cat([(value - rgb) / value.masked_fill(value == 0, 1), 1 - value], dim=-3)


def _rgb_of_cmyk(cmyk: Tensor) -> Tensor:
    return (1 - cmyk[..., :3, :, :]) * (1 - cmyk[..., 3:, :, :])


_SHARE, _LIGHTNESS, _OPPONENT = Range(0, 1), Range(0, 100), Range(-128, 128)
COLOUR_SPACES = {
    "rgb": ColourSpace(dict.fromkeys(("red", "green", "blue"), _SHARE)),
    "grey": ColourSpace({"grey": _SHARE}, "rgb", _grey_of_rgb, _rgb_of_grey),
    "lab": ColourSpace({"L": _LIGHTNESS, "a": _OPPONENT, "b": _OPPONENT}, "rgb", _lab_of_rgb, _rgb_of_lab),
    "hcl": ColourSpace(
        {"hue": Range(0, 360), "chroma": Range(0, 182), "lightness": _LIGHTNESS},
        "lab",
        _hcl_of_lab,
        _lab_of_hcl,
    ),
    "hsv": ColourSpace(
        dict.fromkeys(("hue", "saturation", "value"), _SHARE), "rgb", _hsv_of_rgb, _rgb_of_hsv
    ),
    "cmyk": ColourSpace(
        dict.fromkeys(("cyan", "magenta", "yellow", "key"), _SHARE), "rgb", _cmyk_of_rgb, _rgb_of_cmyk
    ),
}
