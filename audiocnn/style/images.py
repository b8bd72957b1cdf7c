"""Image files and a backbone or painter by name -> an image in the style of another: `audiocnn.stylize`.

Place in the flow: `images` reads, `style` paints, `images` writes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from torch import Tensor, nn

from audiocnn import files, images
from audiocnn.backbones import backbone_family, list_backbones
from audiocnn.backbones.base import Backbone
from audiocnn.backbones.pretrained import pretrained
from audiocnn.backbones.vgg import VGG, E
from audiocnn.blocks.arguments import choose
from audiocnn.images import Image
from audiocnn.models.base import Model
from audiocnn.models.file import ModelError, read_model
from audiocnn.models.image import ImageModel
from audiocnn.models.load import find_model
from audiocnn.models.weights import names
from audiocnn.ranges import ArgumentError, Range
from audiocnn.style.colour import COLOURS
from audiocnn.style.extract import Extractor, layers_of
from audiocnn.style.optimise import Step, Style, optimise, resize_to_side
from audiocnn.style.options import StyleOptions
from audiocnn.style.painters.base import Painter
from audiocnn.style.tiles import Plan

MAX_SIDE = 20_000  # of a result, in pixels
PIXEL_BYTES = 750  # of memory for each pixel that a painter paints: at most, measured on the shipped ones
MAX_STRETCH = 0.02  # of a mask's proportions, which rounding changes
RANDOM = {"kernels": E, "widths": (32, 64, 128, 256, 256), "pool": "average"}  # half of VGG-19's channels

PathLike = str | os.PathLike


class Network(NamedTuple):
    """A backbone, with the mean and standard deviation of the inputs that it was trained on, by channel."""

    backbone: Backbone
    mean: Sequence[float]
    std: Sequence[float]


def stylize(
    content: PathLike | Image,
    style: PathLike | Image | Sequence[PathLike | Image] = (),
    *,
    model: PathLike | Painter | None = None,
    weights: Sequence[float] = (),
    masks: Sequence[PathLike | Image] = (),
    backbone: str = "vgg",
    size: int | None = 512,
    strength: float = 1.0,
    colours: str = "style",
    options: StyleOptions = StyleOptions(),  # noqa: B008, it is frozen
    device: str = "cpu",
    progress: Callable[[Step], object] | None = None,
    planned: Callable[[Plan], object] | None = None,
) -> Image:
    """Paint an image in the style of another, or in a mixture of styles.

    Colours of transparent pixels count neither in the content nor in a style.

    Args:
        content: an image file, or an image.
        style: one style or more: image files or images; for a model with built-in styles their names, which
            may be left out where it has only one.
        model: name or file of a feed-forward style transfer network, or one that is loaded; when None the
            pixels are optimised.
        weights: share of each style; equal shares when empty.
        masks: a mask image for each style, white where the style applies; where none applies, the content is
            kept.
        backbone: whose feature maps are compared: vgg, this project's own; vgg19 and others with published
            ImageNet weights, fetched once; genre and other models (see `audiocnn models`) or a model file; or
            random, an untrained VGG-19 of half the width.
        size: longer side of the result, in pixels; the content's own when None.
        strength: 0 gives the content, 1 the stylized image, values between them a blend.
        colours: style, those of the style; or those of the content: luminance transfers only the lightness
            (CIELAB), histogram matches the histogram of each channel.
        options: of the optimisation.
        device: where the network runs, such as cpu or cuda.
        progress: called with each step of the optimisation.
        planned: called before the first step with the tiles of the image, and their memory.

    Returns:
        The image, with the content's colour profile and transparency.

    Raises:
        FileError: a file cannot be read, or an image is transparent everywhere.
        ModelError: a model cannot be read, or is of another kind.
        ConnectionError: ImageNet weights are not cached and cannot be downloaded.
        ArgumentError: a number is out of its range, there is not one weight or mask for each style, a mask is
            black or of other proportions than the content, the model has no such style, or the optimisation
            diverges.
        MemoryError: a model needs more memory than is free.

    Example:
        >>> import numpy as np
        >>> from audiocnn import stylize
        >>> from audiocnn.images import Image
        >>> gradient = np.linspace(0, 1, 3 * 48 * 64, dtype=np.float32).reshape(3, 48, 64)
        >>> stylize(Image(gradient), model="udnie", size=64).size
        (48, 64)
    """
    styles = [style] if isinstance(style, str | os.PathLike | Image) else [*style]
    painter = model if model is None or isinstance(model, Painter) else load_painter(model, device)
    if not styles and painter is None:
        raise ArgumentError("no style given, expected at least one")
    check_arguments(len(styles), weights=weights, masks=masks, size=size, strength=strength)
    recolour = choose(COLOURS, colours, "colours")
    original = images.fill_transparent(_read(content))
    pixels = _tensor(original, device)
    if painter is None:
        torch.manual_seed(options.seed)  # also of random weights
        extractor, options = extractor_of(find_network(backbone), options, device)
        resized = resize_to_side(pixels, size or max(original.size), extractor.min_size)
        targets = [
            Style(
                _tensor(one, device),
                weights[i] if weights else 1.0,
                _mask(masks[i], resized) if masks else None,
                None if one.alpha is None else torch.from_numpy(one.alpha)[None].to(device),
            )
            for i, one in enumerate(map(_read_style, styles))
        ]
        painted = optimise(resized, targets, extractor, options, progress, planned)
    else:
        _check_memory(original.size, size or max(original.size))
        resized = resize_to_side(pixels, size or max(original.size))
        painted = _paint(painter, resized, styles, weights, [_mask(mask, resized) for mask in masks])
    blended = torch.lerp(resized, recolour(painted, resized), strength)
    return images.with_pixels(original, blended[0].cpu().numpy())


def load_painter(model: PathLike, device: str = "cpu") -> Painter:
    """Load a feed-forward style transfer network.

    Args:
        model: a shipped model's name, or a model file.
        device: where the weights go.

    Returns:
        The network in evaluation mode.

    Raises:
        ModelError: there is no such model, the file is damaged, or it is of another kind.
    """
    loaded = read_model(find_model(model, "style"), nn.Module)
    if not isinstance(loaded, Painter):
        expected = f"expected a network that paints, such as {', '.join(names('style'))}"
        raise ModelError(model, f"holds {type(loaded).__name__}, {expected}")
    return loaded.to(device)


def extractor_of(network: Network, options: StyleOptions, device: str) -> tuple[Extractor, StyleOptions]:
    """Create the feature extractor, with the backbone's default layers where the options name none.

    Args:
        network: whose feature maps are compared.
        options: of the optimisation.
        device: where the network is to run.

    Returns:
        The extractor of the feature maps, and the options with the indices of the layers.
    """
    content_layers, style_layers = layers_of(network.backbone)
    content_layers, style_layers = (
        options.content_layers or content_layers,
        options.style_layers or style_layers,
    )
    options = replace(options, content_layers=content_layers, style_layers=style_layers)
    extractor = Extractor(network.backbone, [*content_layers, *style_layers], network.mean, network.std)
    return extractor.to(device), options


def _check_memory(size: Sequence[int], side: int) -> None:
    """Check that a painter has the memory for an image of this size at this length of its longer side."""
    rows, columns = (round(n * side / max(size)) for n in size)
    needed, free = PIXEL_BYTES * rows * columns, psutil.virtual_memory().available
    if needed > free:
        memory = f"about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"
        raise MemoryError(f"{columns} × {rows} pixels need {memory}: a smaller size takes less")


@torch.no_grad()
def _paint(
    painter: Painter,
    content: Tensor,
    styles: Sequence[PathLike | Image],
    weights: Sequence[float],
    masks: Sequence[Tensor],
) -> Tensor:
    """Stylize the content by a network in one pass; styles are names, or images resized to its size."""
    if painter.style_names is not None:
        return painter.paint(content, [str(one) for one in styles], weights, masks)
    side = max(content.shape[2:])
    resized = [resize_to_side(_tensor(_read_style(one), str(content.device)), side) for one in styles]
    return painter.paint(content, resized, weights, masks)


def check_arguments(
    n_styles: int,
    *,
    weights: Sequence[float] = (),
    masks: Sequence[object] = (),
    size: int | None = None,
    strength: float = 1.0,
) -> None:
    """Check arguments of `stylize` and `stylize_sound`.

    Args:
        n_styles: how many styles are given.
        weights: of the styles.
        masks: of the styles.
        size: of the result.
        strength: of the style.

    Raises:
        ArgumentError: there is not one weight or mask for each style, or a number is out of its range.
    """
    for name, given in (("weights", weights), ("masks", masks)):
        if given and len(given) != n_styles:
            raise ArgumentError(f"{len(given)} {name} given, expected {n_styles}, one for each style")
    if not all(0 <= weight < math.inf for weight in weights) or (weights and not sum(weights)):
        raise ArgumentError(f"weights are {[*weights]}, expected 0 or more, one of them above 0")
    if size is not None:
        Range(1, MAX_SIDE, whole=True).check("size", size)
    Range(0, 1).check("strength", strength)


def find_network(name: str) -> Network:
    """Find a backbone by its name.

    Args:
        name: random; a network with published ImageNet weights; a shipped model, or a model file.

    Returns:
        The backbone, and the mean and standard deviation of its inputs.

    Raises:
        ModelError: there is no such network, or its inputs cannot be images.
        ConnectionError: ImageNet weights are not cached and cannot be downloaded.
    """
    if name == "random":
        return Network(VGG(in_channels=3, **RANDOM), (0.5,), (0.25,))
    if name in list_backbones(name, pretrained=True):
        published = backbone_family(name).weights[name]
        return Network(pretrained(name, in_channels=3)[0], published.mean, published.std)
    others = ["random", *list_backbones(pretrained=True)]
    path = find_model(name, "images", "notes", "labels", others=others)
    model = read_model(path, nn.Module)
    if isinstance(model, ImageModel):
        return Network(model.backbone, model.mean, model.std)
    if not isinstance(model, Model):
        raise ModelError(path, f"holds a {type(model).__name__}, expected a model with a backbone")
    if model.backbone.pitch_rows:
        raise ModelError(name, "has a row for each pitch, expected a backbone for any image")
    return Network(model.backbone, (0.5,), (0.1,))  # its spectrograms have values from about -5 to 5


def _read(image: PathLike | Image) -> Image:
    """Read an image, if it is a file, in which something is seen."""
    read = image if isinstance(image, Image) else images.read_image(Path(image))
    if read.alpha is not None and not read.alpha.any():
        place = "image" if isinstance(image, Image) else image
        raise files.FileError(place, "is transparent everywhere, expected some pixels that are not")
    return read


def _read_style(image: PathLike | Image) -> Image:
    """Read a style: what is transparent around it is cropped, and what is within has colours of the rest."""
    return images.fill_transparent(images.crop_transparent(_read(image)))


def _tensor(image: Image, device: str) -> Tensor:
    return torch.from_numpy(image.pixels)[None].to(device)


def _mask(image: PathLike | Image, content: Tensor) -> Tensor:
    """Read a mask, 1 where it is white and opaque: (1, 1, rows, columns), in the content's size.

    Raises:
        ArgumentError: it is black everywhere, or has other proportions than the content.
    """
    mask, size = _read(image), content.shape[-2:]
    name = "a mask" if isinstance(image, Image) else f"the mask {image}"
    levels = mask.pixels.mean(0) * (1 if mask.alpha is None else mask.alpha[0])
    if not levels.any():
        raise ArgumentError(f"{name} is black everywhere, expected white where the style applies")
    (rows, columns), (n_rows, n_columns) = mask.size, size
    # In whole pixels, which small masks have few of.
    if abs(rows * n_columns - columns * n_rows) > max(n_rows, n_columns, MAX_STRETCH * rows * n_columns):
        raise ArgumentError(
            f"{name} has {columns} × {rows} pixels, expected the proportions of the image, "
            f"{n_columns} × {n_rows}"
        )
    whole = torch.from_numpy(levels.astype("float32"))[None, None].to(content)
    return torch.nn.functional.interpolate(whole, size=size, mode="bilinear", antialias=True)
