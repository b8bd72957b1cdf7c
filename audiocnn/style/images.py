"""Image files and a backbone's name -> a image in another's style: what `audiocnn stylize` calls.

Place in the flow: `images` reads, `style` paints, `images` writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from audiocnn import images
from audiocnn.backbones import backbone_family, list_backbones
from audiocnn.backbones.base import Backbone
from audiocnn.backbones.harmonic import HarmonicNet, HarmonicUNet
from audiocnn.backbones.pretrained import pretrained
from audiocnn.backbones.vgg import VGG, E
from audiocnn.blocks.arguments import choose
from audiocnn.images import Image
from audiocnn.models import weights
from audiocnn.models.base import Model
from audiocnn.models.file import ModelError, read_model
from audiocnn.models.image import ImageModel
from audiocnn.style.colour import COLOURS
from audiocnn.style.extract import Extractor, layers_of
from audiocnn.style.optimise import Step, Style, fitted, optimise
from audiocnn.style.options import StyleOptions
from audiocnn.style.painters.adain import AdaIN
from audiocnn.style.painters.bank import StyleBank
from audiocnn.style.painters.feedforward import TransferNet
from audiocnn.style.painters.meta import MetaNet
from audiocnn.style.tiles import Plan

LONGEST = 20_000  # side of a result, in pixels
RANDOM = {"kernels": E, "widths": (32, 64, 128, 256, 256), "pool": "average"}  # half of VGG-19's channels

PathLike = str | os.PathLike
Painter = TransferNet | AdaIN | StyleBank | MetaNet


def stylize(
    content: PathLike | Image,
    style: PathLike | Image | Sequence[PathLike | Image] = (),
    *,
    model: str | None = None,
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
    """The content in the style of another image, or of several.

    Args:
        style: images; of a model that knows its styles the names of some, of one that knows but one none.
        model: a file or name of a network that paints in one pass; without it pixels are optimised.
        weights: how much of each style; the same of all where not given.
        masks: a image for each style, white where it goes; where none goes the content stays.
        backbone: vgg, this project's own; vgg19 and others with torchvision's ImageNet weights, fetched once;
            genre and other models (see `audiocnn models`) or a model file; or random, a VGG-19 of half the
            width that has learned nothing.
        size: longer side of the result, in pixels; the content's own when None.
        strength: 0 gives the content back, 1 the styled image, between them a mixture.
        colours: of the style; or the content's: luminance keeps them in Lab, histogram as much of each.
        options: all others.
        progress: told each step.
        planned: told before the first step in what tiles it is painted and how much memory that takes.
    Raises: FileError when a file cannot be read; ModelError when a model cannot; ConnectionError when
        ImageNet weights cannot be had; ValueError when a number is out of its range, or weights or masks are
        not one for each style.
    """
    styles = [style] if isinstance(style, str | os.PathLike | Image) else [*style]
    network = None if model is None else _painter(model).to(device)
    check([None] if network and not styles else styles, weights, masks, size, strength)
    recolour = choose(COLOURS, colours, "colours")
    source = _read(content)
    shown = _tensor(source, device)
    if network is None:
        torch.manual_seed(options.seed)  # also of random weights
        extractor, options = extractor_of(*network_of(backbone), options, device)
        wanted = fitted(shown, size or max(source.size), extractor.least)
        aims = [
            Style(
                _tensor(_read(one), device),
                weights[i] if weights else 1.0,
                _mask(masks[i], wanted) if masks else None,
            )
            for i, one in enumerate(styles)
        ]
        made = optimise(wanted, aims, extractor, options, progress, planned)
    else:
        wanted = fitted(shown, size or max(source.size))
        made = _painted(network, wanted, styles, weights, [_mask(mask, wanted) for mask in masks])
    made = torch.lerp(wanted, recolour(made, wanted), strength)
    return images.with_pixels(source, made[0].cpu().numpy())


def extractor_of(
    network: Backbone, mean: Sequence[float], std: Sequence[float], options: StyleOptions, device: str
) -> tuple[Extractor, StyleOptions]:
    """What sees the maps that are compared, and the knobs with the numbers of its layers."""
    content_layers, style_layers = layers_of(network)
    options = replace(
        options,
        content_layers=options.content_layers or content_layers,
        style_layers=options.style_layers or style_layers,
    )
    layers = [*options.content_layers, *options.style_layers]
    return Extractor(network, layers, mean, std).to(device), options


def _painter(model: str) -> Painter:
    """Raises: ModelError when the model is none that paints, or cannot be read."""
    path = weights.path(model)
    if not path.exists():
        known = ", ".join(weights.names("style"))
        raise ModelError(model, f"no such model, expected a file or one of {known}")
    network = read_model(path, nn.Module)
    if not isinstance(network, Painter):
        raise ModelError(model, f"holds {type(network).__name__}, expected a network that paints")
    return network


@torch.no_grad()
def _painted(
    network: Painter,
    content: Tensor,
    styles: Sequence[PathLike | Image],
    weights: Sequence[float],
    masks: Sequence[Tensor],
) -> Tensor:
    """The content as a network paints it; where masks are, each style in its own."""
    if isinstance(network, StyleBank):
        numbers = [network.styles.index(_known(network.styles, one)) for one in styles]
        shares = torch.zeros(1, len(network.styles), device=content.device)
        for number, weight in zip(numbers, weights or [1.0] * len(numbers), strict=True):
            shares[0, number] += weight
        if masks:
            regions = torch.zeros(1, len(network.styles), *content.shape[2:], device=content.device)
            for number, mask in zip(numbers, masks, strict=True):
                regions[0, number] += mask[0, 0]
            return network(content, masks=regions.clamp(0, 1))
        return network(content, shares / shares.sum()) if styles else network(content)
    if isinstance(network, TransferNet):
        if styles or masks:
            raise ValueError(f"{len(styles)} styles given, expected none: this model has one of its own")
        return network(content)
    if not styles:
        raise ValueError("no style given, expected at least one picture: this model paints in any style")
    side = max(content.shape[2:])
    shown = [fitted(_tensor(_read(one), str(content.device)), side) for one in styles]
    if not masks:
        return network(content, shown, weights or [1.0] * len(shown))
    made = content
    for style, mask in zip(shown, masks, strict=True):
        made = torch.lerp(made, network(content, style), mask)
    return made


def _known(known: Sequence[str], name: object) -> str:
    """Raises: ValueError when the name is none of those known."""
    if str(name) not in known:
        raise ValueError(f"style is {str(name)!r}, expected one of {', '.join(known)}")
    return str(name)


def check(
    styles: Sequence[object],
    weights: Sequence[float],
    masks: Sequence[object],
    size: int | None,
    strength: float,
) -> None:
    """Raises: ValueError when an argument of `stylize` cannot be."""
    if not styles:
        raise ValueError("no style given, expected at least one")
    for name, given in (("weights", weights), ("masks", masks)):
        if given and len(given) != len(styles):
            raise ValueError(f"{len(given)} {name} given, expected {len(styles)}, one for each style")
    if any(weight < 0 for weight in weights) or (weights and not sum(weights)):
        raise ValueError(f"weights are {[*weights]}, expected 0 or more, one of them above 0")
    if size is not None and not 1 <= size <= LONGEST:
        raise ValueError(f"size is {size}, expected 1 to {LONGEST}")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}, expected 0 to 1")


def network_of(name: str) -> tuple[Backbone, Sequence[float], Sequence[float]]:
    """A backbone by its name, and the mean and deviation of the images that it has seen."""
    if name == "random":
        return VGG(in_channels=3, **RANDOM), (0.5,), (0.25,)
    if name in list_backbones(name, pretrained=True):
        published = backbone_family(name).weights[name]
        return pretrained(name, in_channels=3)[0], published.mean, published.std
    path = weights.path(name)
    if not path.exists():
        published = list_backbones(pretrained=True)
        known = ", ".join(("random", *weights.names("images"), *weights.names("notes", "labels"), *published))
        raise ModelError(name, f"no such backbone, expected a model file or one of {known}")
    model = read_model(path, nn.Module)
    if isinstance(model, ImageModel):
        return model.backbone, (0.0,), (1.0,)
    if not isinstance(model, Model):
        raise ModelError(path, f"holds {type(model).__name__}, expected one with a backbone")
    backbone = model.backbone
    if isinstance(backbone, HarmonicNet | HarmonicUNet):
        raise ModelError(name, "has a row for each pitch, expected one for any picture")
    return backbone, (0.5,), (0.1,)  # its spectrograms' levels go over a range ten times as wide as 0 to 1


def _read(image: PathLike | Image) -> Image:
    return image if isinstance(image, Image) else images.read_image(Path(image))


def _tensor(image: Image, device: str) -> Tensor:
    return torch.from_numpy(image.pixels)[None].to(device)


def _mask(image: PathLike | Image, content: Tensor) -> Tensor:
    """Where white is 1: (1, 1, rows, columns), in the content's size."""
    levels = _tensor(_read(image), str(content.device)).mean(1, keepdim=True)
    return torch.nn.functional.interpolate(levels, size=content.shape[-2:], mode="bilinear", antialias=True)
