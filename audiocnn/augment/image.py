"""Augmentation of images in space, a batch at once on the model's device; in evaluation mode nothing changes.

Conventions: images are (batch, channels, rows, columns) from 0 to 1, and stay of this size. Names and ranges
are those of torchvision's v2 transforms. Each image of a batch is changed by itself; what is drawn comes from
torch's generator of the CPU, so that a seed gives the same images on every device.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.ranges import POSITIVE, SHARE, ArgumentError, Range, check_interval
from audiocnn.registry import InitArgs

Images = Float[Tensor, "batch channels rows columns"]
Interval = tuple[float, float]  # the lowest and the highest value
# What comes in from beyond the edge: black, the edge's pixels, the mirrored image; and grid_sample's words.
PADDING = {"constant": "zeros", "replicate": "border", "reflect": "reflection"}
PIXELS = Range(0, 1 << 14, whole=True)
DEGREES, SHEAR = Range(-180, 180), Range(-80, 80)  # at a shear of 90 degrees an image would be a line
AREA = Range(0, 1, is_open=True)


class ImageTransform(InitArgs, nn.Module):
    """Change images at random; a subclass says how.

    Args:
        p: probability that an image is changed.

    Raises:
        ArgumentError: p is no probability.

    Shape:
        (batch, channels, rows, columns), from 0 to 1 -> the same.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"p": SHARE}

    def __init__(self, p: float = 1.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, images: Images) -> Images:
        if not self.training:
            return images
        chosen = torch.rand(len(images), 1, 1, 1) < self.p
        return torch.where(chosen.to(images.device), self.change(images), images)

    def change(self, images: Tensor) -> Tensor:
        """Change each image of a batch by what is drawn for it.

        Args:
            images: (batch, channels, rows, columns).

        Returns:
            Images of the same shape.
        """
        raise NotImplementedError


def draw(images: Tensor, interval: Interval) -> Tensor:
    """Draw a number for each image of a batch, uniformly.

    Args:
        images: (batch, ...).
        interval: the lowest and the highest.

    Returns:
        (batch,), on their device.
    """
    return torch.empty(len(images)).uniform_(*interval).to(images.device)


def around(name: str, value: float | Interval, allowed: Range, middle: float = 0.0) -> Interval:
    """Expand a strength to the interval around the value at which an image stays as it is.

    Args:
        name: of the argument, for the message.
        value: the distance to either side of the middle; or the interval itself.
        allowed: the numbers that the interval may hold; it is cut at the lowest of them.
        middle: at which an image stays as it is.

    Returns:
        The lowest and the highest value.

    Raises:
        ArgumentError: a number is out of its range, or an interval not in ascending order.
    """
    if isinstance(value, tuple | list):
        return check_interval(name, value, allowed)
    Range(0, allowed.high - middle).check(name, value)
    return max(allowed.low, middle - value), middle + value


class RandomHorizontalFlip(ImageTransform):
    """Mirror images, left to right.

    Where left and right mean something, as in letters and digits, the mirror image is of no class or another.

    Args:
        p: probability that an image is mirrored.

    Raises:
        ArgumentError: p is no probability.

    Shape:
        (batch, channels, rows, columns) -> the same.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def change(self, images: Tensor) -> Tensor:
        return images.flip(-1)


class RandomCrop(ImageTransform):
    """Shift images by whole pixels: pad them, and crop their size at a random place.

    Args:
        padding: the furthest shift up, down, left or right, in pixels.
        padding_mode: what comes in from beyond the edge: constant (black), replicate (the edge's pixels) or
            reflect (the mirrored image).
        p: probability that an image is shifted.

    Raises:
        ArgumentError: padding is no whole number from 0 on, there is no such padding_mode, or p is no
            probability; in a batch, reflect is to pad by as much as an image has.

    Shape:
        (batch, channels, rows, columns) -> the same.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"padding": PIXELS}

    def __init__(self, padding: int = 4, padding_mode: str = "constant", p: float = 1.0) -> None:
        super().__init__(p)
        self.padding, self.padding_mode = padding, _check_mode(padding_mode)

    def change(self, images: Tensor) -> Tensor:
        rows, columns = images.shape[2:]
        if self.padding_mode == "reflect" and self.padding >= min(rows, columns):
            expected = f"less than {min(rows, columns)}, the pixels of a side, for reflect"
            raise ArgumentError(f"padding is {self.padding}, expected {expected}")
        padded = functional.pad(images, (self.padding,) * 4, mode=self.padding_mode)
        begins = torch.randint(0, 2 * self.padding + 1, (len(images), 2)).tolist()
        crops = [
            image[:, top : top + rows, left : left + columns]
            for image, (top, left) in zip(padded, begins, strict=True)
        ]
        return torch.stack(crops)


class RandomResizedCrop(ImageTransform):
    """Crop a random part of each image, and enlarge it to the size of the whole.

    Args:
        scale: smallest and largest share of the area.
        ratio: smallest and largest ratio of width to height, as shares of the image's.
        p: probability that an image is cropped.

    Raises:
        ArgumentError: a number is out of its range, or an interval not in ascending order.

    Shape:
        (batch, channels, rows, columns) -> the same.

    Source:
        Szegedy et al., "Going deeper with convolutions", 2015, section 6.

    Differs:
        A side longer than the image's becomes the image's, where torchvision draws again.
    """

    def __init__(
        self, scale: Interval = (0.08, 1.0), ratio: Interval = (3 / 4, 4 / 3), p: float = 1.0
    ) -> None:
        super().__init__(p)
        self.scale, self.ratio = (
            check_interval("scale", scale, AREA),
            check_interval("ratio", ratio, POSITIVE),
        )

    def change(self, images: Tensor) -> Tensor:
        area = draw(images, self.scale)
        ratio = draw(images, (math.log(self.ratio[0]), math.log(self.ratio[1]))).exp()
        sides = torch.stack([(area / ratio).sqrt(), (area * ratio).sqrt()], dim=1).tolist()
        places = torch.rand(len(images), 2).tolist()
        crops = [crop(*one) for one in zip(images, sides, places, strict=True)]
        return torch.stack([resize(one[None], images)[0] for one in crops])


def resize(crops: Tensor, like: Tensor) -> Tensor:
    """Resize images to the rows and columns of others, bilinearly.

    Args:
        crops: (batch, channels, any rows, any columns).
        like: images of the size that is wanted.

    Returns:
        (batch, channels, rows, columns).
    """
    return functional.interpolate(crops, size=like.shape[-2:], mode="bilinear", antialias=True)


def crop(images: Tensor, shares: Sequence[float], place: Sequence[float]) -> Tensor:
    """Crop images to whole pixels.

    Args:
        images: (..., rows, columns).
        shares: of the height and the width, that the crop has.
        place: of the crop, down and to the right, from 0 (top, left) to 1 (bottom, right).

    Returns:
        A view of at least one pixel.
    """
    sides = images.shape[-2:]
    rows, columns = (min(max(1, round(share * n)), n) for share, n in zip(shares, sides, strict=True))
    top, left = (round(at * (n - m)) for at, n, m in zip(place, sides, (rows, columns), strict=True))
    return images[..., top : top + rows, left : left + columns]


class RandomAffine(ImageTransform):
    """Scale, shear, rotate and shift images about their middle, in this order.

    Args:
        degrees: of the rotation, counter-clockwise: the furthest to either side, or the lowest and highest.
        translate: the furthest shift along the columns and along the rows, in shares of the image and whole
            pixels; none when None.
        scale: smallest and largest factor of the sides; none when None.
        shear: degrees by which what stands upright leans to the right: the most to either side, or the lowest
            and highest.
        padding_mode: what comes in from beyond the edge: constant (black), replicate (the edge's pixels) or
            reflect (the mirrored image).
        p: probability that an image is changed.

    Raises:
        ArgumentError: a number is out of its range, an interval not in ascending order, or there is no such
            padding_mode.

    Shape:
        (batch, channels, rows, columns) -> the same.

    Differs:
        Pixels are interpolated bilinearly, where torchvision takes the nearest by default. Its RandomAffine
        counts angles clockwise, its RandomRotation as here.
    """

    def __init__(
        self,
        degrees: float | Interval = 0.0,
        translate: Interval | None = None,
        scale: Interval | None = None,
        shear: float | Interval = 0.0,
        padding_mode: str = "constant",
        p: float = 1.0,
    ) -> None:
        super().__init__(p)
        self.degrees, self.shear = around("degrees", degrees, DEGREES), around("shear", shear, SHEAR)
        self.translate = translate or (0.0, 0.0)
        for share in self.translate:
            SHARE.check("translate", share)
        self.scale = check_interval("scale", scale or (1.0, 1.0), POSITIVE)
        self.padding_mode = _check_mode(padding_mode)

    def change(self, images: Tensor) -> Tensor:
        angle, lean = (draw(images, one) * (math.pi / 180) for one in (self.degrees, self.shear))
        inverse = _shear(lean) @ _rotate(angle) / draw(images, self.scale)[:, None, None]
        shares = torch.stack([draw(images, (-share, share)) for share in self.translate], dim=1)
        shifts = (shares * shares.new_tensor(images.shape[:1:-1])).round()
        changed = move(images, inverse, shifts, self.padding_mode)
        unmoved = (inverse == torch.eye(2).to(inverse)).flatten(1).all(1) & (shifts == 0).all(1)
        return torch.where(unmoved.view(-1, 1, 1, 1), images, changed)


def move(images: Tensor, inverse: Tensor, shifts: Tensor, padding_mode: str = "constant") -> Tensor:
    """Transform each image by a matrix about its middle, then shift it.

    Args:
        images: (batch, channels, rows, columns).
        inverse: for each image the inverse of its matrix, of columns (to the right) and rows (down): it says
            where a pixel of the result comes from. (batch, 2, 2).
        shifts: pixels to the right and down, (batch, 2).
        padding_mode: one of `PADDING`.

    Returns:
        Images of the same shape, interpolated bilinearly.
    """
    # Pixels -> grid_sample's units, in which an image extends from -1 to 1.
    half = images.new_tensor(images.shape[:1:-1]) / 2
    matrices = inverse * half / half[:, None]
    offsets = -matrices @ (shifts / half)[..., None]
    grid = functional.affine_grid(torch.cat([matrices, offsets], dim=2), [*images.shape], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode=PADDING[padding_mode], align_corners=False)


def _rotate(angles: Tensor) -> Tensor:
    """Where the pixels of an image come from that is rotated counter-clockwise, as rows point down."""
    cosines, sines = angles.cos(), angles.sin()
    return torch.stack([cosines, -sines, sines, cosines], dim=1).view(-1, 2, 2)


def _shear(angles: Tensor) -> Tensor:
    """Where the pixels of an image come from whose upper half leans to the right."""
    ones, zeros = torch.ones_like(angles), torch.zeros_like(angles)
    return torch.stack([ones, angles.tan(), zeros, ones], dim=1).view(-1, 2, 2)


def _check_mode(padding_mode: str) -> str:
    if padding_mode not in PADDING:
        raise ArgumentError(f"padding_mode is {padding_mode!r}, expected one of {', '.join(PADDING)}")
    return padding_mode
