"""Augmentation of the light and the colours of images; in evaluation mode nothing changes.

Conventions: those of `augment.image`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audiocnn.augment.image import ImageTransform, Interval, around, draw
from audiocnn.images import convert
from audiocnn.ranges import FINITE, NOT_NEGATIVE, ArgumentError, Range, check_interval

FACTOR = Range(0, 100)  # of light or colour; none, or so much that all is black or white
TURN = Range(-0.5, 0.5)  # of the circle of hues


class ColorJitter(ImageTransform):
    """Change the brightness, contrast, saturation and hue of images, in this order.

    A factor of 1 leaves an image as it is; 0 makes it black, one grey, or without colour.

    Args:
        brightness: of the factor, the furthest to either side of 1, or the lowest and highest.
        contrast: the same.
        saturation: the same.
        hue: part of the circle of hues that all are moved by: the furthest to either side of 0, up to 0.5, or
            the lowest and highest.
        p: probability that an image is changed.

    Raises:
        ArgumentError: a number is out of its range, or an interval not in ascending order; in a batch, images
            that have not three channels are to change their saturation or hue.

    Shape:
        (batch, channels, rows, columns), from 0 to 1 -> the same.

    Differs:
        torchvision draws the order, too.
    """

    def __init__(
        self,
        brightness: float | Interval = 0.0,
        contrast: float | Interval = 0.0,
        saturation: float | Interval = 0.0,
        hue: float | Interval = 0.0,
        p: float = 1.0,
    ) -> None:
        super().__init__(p)
        self.brightness = around("brightness", brightness, FACTOR, 1.0)
        self.contrast = around("contrast", contrast, FACTOR, 1.0)
        self.saturation = around("saturation", saturation, FACTOR, 1.0)
        self.hue = around("hue", hue, TURN)

    def change(self, images: Tensor) -> Tensor:
        has_colour = images.shape[1] == 3
        if not has_colour and (self.saturation != (1.0, 1.0) or self.hue != (0.0, 0.0)):
            raise ArgumentError(f"images have {images.shape[1]} channels, expected 3 for saturation and hue")
        images = (images * _each(images, self.brightness)).clamp(0, 1)
        grey = convert(images, "rgb", "grey") if has_colour else images
        images = _blend(images, grey.mean((1, 2, 3), keepdim=True), _each(images, self.contrast))
        if not has_colour:
            return images
        images = _blend(images, convert(images, "rgb", "grey"), _each(images, self.saturation))
        return _turn(images, _each(images, self.hue)) if self.hue != (0.0, 0.0) else images


def _each(images: Tensor, interval: Interval) -> Tensor:
    return draw(images, interval).view(-1, 1, 1, 1)


def _blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    """Images at a factor of 1, the others at 0, and beyond."""
    return torch.where(factors == 1, images, others + factors * (images - others)).clamp(0, 1)


def _turn(images: Tensor, turns: Tensor) -> Tensor:
    hue, *others = convert(images, "rgb", "hsv").split(1, dim=1)
    return convert(torch.cat([(hue + turns) % 1, *others], dim=1), "hsv", "rgb")


class RandomGainBias(ImageTransform):
    """Multiply images by a gain and add a bias, as other light and another exposure do: a · x + b.

    Args:
        gain: a, the lowest and highest.
        bias: b, the lowest and highest; 1 is from black to white.
        p: probability that an image is changed.

    Raises:
        ArgumentError: a number is out of its range, or an interval not in ascending order.

    Shape:
        (batch, channels, rows, columns), from 0 to 1 -> the same; what is beyond is clipped.
    """

    def __init__(self, gain: Interval = (0.8, 1.2), bias: Interval = (-0.1, 0.1), p: float = 1.0) -> None:
        super().__init__(p)
        self.gain = check_interval("gain", gain, NOT_NEGATIVE)
        self.bias = check_interval("bias", bias, FINITE)

    def change(self, images: Tensor) -> Tensor:
        return (images * _each(images, self.gain) + _each(images, self.bias)).clamp(0, 1)
