"""Activation maximisation of images: gradient ascent from noise to an image that most activates a unit.

Conventions: as network.py; an image is (1, 3, rows, columns) from 0 to 1. Ascent on pixels ends in coloured
noise, whatever the unit. What keeps it from that: the ascent is on a spectrum, whose fine details grow more
slowly; on colours that are not correlated, so that it does not end in the few colours with the steepest
gradients; and in each step the network sees the image shifted, scaled and rotated a little, so that what it
shows does not depend on single pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.explain.activation_maximisation import scale_frequencies, select_score
from audiocnn.explain.network import Target
from audiocnn.ranges import COUNT, NOT_NEGATIVE, POSITIVE, check_fields

# Columns: the principal components of the colours of ImageNet's pixels, times their standard deviations;
# about lightness, red against blue, green against magenta. Source: tensorflow/lucid, optvis/param/color.py,
# 2018.
COLOUR_COMPONENTS = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


@dataclass(frozen=True, kw_only=True)
class ImageMaximisationOptions:
    """Options of the gradient ascent and its regularisation.

    Args:
        steps: steps of Adam.
        learning_rate: learning rate of Adam.
        jitter: largest random shift of the image in each step, in pixels along each axis.
        scale: largest random change of its size, as a share.
        rotation: largest random rotation, in degrees to either side.
        frequency_penalty: exponent p of the scale 1 / f ** p of the optimised spectrum at spatial frequency
            f.
        seed: seed of the noise and the transformations.

    Raises:
        ValueError: a number is out of its range.

    Source:
        Olah, Mordvintsev, Schubert, "Feature visualization", Distill, 2017.
    """

    steps: int = 160
    learning_rate: float = 0.1
    jitter: int = 8
    scale: float = 0.1
    rotation: float = 10.0
    frequency_penalty: float = 1.3
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(
            self,
            steps=COUNT,
            learning_rate=POSITIVE,
            jitter=NOT_NEGATIVE,
            scale=NOT_NEGATIVE,
            rotation=NOT_NEGATIVE,
        )


def maximise_image(
    network: nn.Module,
    target: Target,
    size: int,
    normalise: Callable[[Tensor], Tensor],
    channels: int = 3,
    options: ImageMaximisationOptions = ImageMaximisationOptions(),
) -> Tensor:
    """Find an image that most activates a target.

    Args:
        network: network from normalised images to scores, or to a feature map, see `truncate`.
        target: a class; or a channel, averaged over its positions or at one of them.
        size: side of the image, in pixels.
        normalise: pixels from 0 to 1 -> the network's input.
        channels: of the image: 3, or 1 for grey.
        options: options of the gradient ascent and its regularisation.

    Returns:
        The image, (1, channels, size, size) from 0 to 1.
    """
    generator = torch.Generator().manual_seed(options.seed)
    scale = scale_frequencies((size, size), options.frequency_penalty)
    spectrum = (0.1 * torch.randn((2, 1, channels, *scale.shape), generator=generator)).requires_grad_()
    ascent = torch.optim.Adam([spectrum], options.learning_rate)
    device = next(network.parameters()).device

    def synthesise() -> Tensor:
        components = torch.fft.irfftn(torch.complex(*spectrum) * scale, (size, size), (-2, -1), norm="ortho")
        return torch.sigmoid(correlate_colours(components) if channels == 3 else components)

    for _ in range(options.steps):
        seen = transform(synthesise(), options, generator)
        score = select_score(network(normalise(seen.to(device))), target)
        ascent.zero_grad()
        (-score).backward(inputs=[spectrum])
        ascent.step()
    return synthesise().detach()


def correlate_colours(components: Tensor) -> Tensor:
    """Mix three components that are not correlated to RGB values that are correlated as those of photographs.

    Args:
        components: (batch, 3, rows, columns).

    Returns:
        RGB before the sigmoid, (batch, 3, rows, columns).
    """
    mixing = torch.tensor(COLOUR_COMPONENTS)
    mixing = mixing / mixing.norm(dim=0).max()
    return torch.einsum("rc,bcij->brij", mixing, components)


def transform(image: Tensor, options: ImageMaximisationOptions, generator: torch.Generator) -> Tensor:
    """Shift, scale and rotate an image at random, its edges reflected.

    Args:
        image: (1, channels, rows, columns).
        options: how far at most.
        generator: of random numbers.

    Returns:
        An image of the same size.
    """

    def draw(furthest: float) -> float:
        return furthest * (2 * float(torch.rand((), generator=generator)) - 1)

    angle, factor = math.radians(draw(options.rotation)), 1 + draw(options.scale)
    shift = 2 * options.jitter / image.shape[-1]  # affine_grid counts from -1 to 1
    cosine, sine = math.cos(angle) / factor, math.sin(angle) / factor
    matrix = torch.tensor([[cosine, -sine, draw(shift)], [sine, cosine, draw(shift)]])
    grid = functional.affine_grid(matrix[None], [*image.shape], align_corners=False)
    return functional.grid_sample(image, grid, padding_mode="reflection", align_corners=False)
