"""The contract of painters: networks that paint an image in a style in one pass.

A painter says by `style_names` which styles it paints in, and paints by `paint`; `stylize` and `StyleTask`
ask for nothing else. Another package's painter inherits `Painter` and registers with
`models.painters.PAINTERS`.

Conventions: images are (batch, 3, rows, columns) from 0 to 1.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones.vgg import VGG
from audiocnn.models.base import check_part
from audiocnn.ranges import ArgumentError, Range
from audiocnn.registry import InitArgs
from audiocnn.style.extract import layers_of

Styles = Sequence[Tensor] | Sequence[str]  # images, or names of a painter's own styles
COUNT = Range(1, 10_000, whole=True)  # of channels, blocks or numbers
Masks = Sequence[Tensor]  # where each style goes, (1, 1, rows, columns) from 0 to 1


class Painter(InitArgs, nn.Module):
    """A network that paints an image in a style in one pass.

    Arguments with the same names have the same ranges in all of them.

    Attributes:
        n_fixed: styles, the first by number, that training leaves as they are.
        identity_share: share of the training steps in which it learns to give images back, painted in no
            style.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        **dict.fromkeys(("width", "n_hidden", "n_passes"), COUNT),
        **dict.fromkeys(("layer", "n_blocks"), Range(0, COUNT.high, whole=True)),
    }
    n_fixed: int = 0
    identity_share: float = 0.0

    @property
    def style_names(self) -> Sequence[str] | None:
        """Names of its styles; empty for one without a name; None for any style, given as an image."""
        return None

    def paint(
        self, content: Tensor, styles: Styles = (), weights: Sequence[float] = (), masks: Masks = ()
    ) -> Tensor:
        """Paint images in a mixture of styles, or each style in a region.

        Args:
            content: images (batch, 3, rows, columns).
            styles: names, images (batch or 1, 3, rows', columns'), or none, as `style_names` says.
            weights: share of each style; equal shares when empty. Without effect where masks are given.
            masks: where each style goes, (1, 1, rows, columns) from 0 to 1; elsewhere the content stays.

        Returns:
            Images of the content's shape.

        Raises:
            ArgumentError: the styles are not what the painter takes.
        """
        raise NotImplementedError

    def forward(self, *arguments: Any, **options: Any) -> Tensor:
        return self.paint(*arguments, **options)

    def load_encoder(self, backbone: nn.Module) -> None:
        """Take the weights of the loss network, for an encoder of the same shape.

        Args:
            backbone: of the loss network.
        """

    def start_from(self, other: nn.Module) -> None:
        """Take the weights of another painter.

        Args:
            other: a painter of the same class and shape.

        Raises:
            ArgumentError: it is of another class.
            RuntimeError: it is of another shape.
        """
        if type(other) is not type(self):
            raise ArgumentError(f"start is a {type(other).__name__}, expected a {type(self).__name__}")
        self.load_state_dict(other.state_dict())


class AnyStylePainter(Painter):
    """A painter in any style, by the feature maps of an encoder that does not learn.

    Args:
        backbone: the encoder, of which a copy up to the layer is kept.
        layer: number of the stage whose feature maps are decoded, the first of a block.

    Attributes:
        n_halvings: how often the encoder halves the size of an image.

    Raises:
        ArgumentError: the layer is not the first of a block.
        TypeError: backbone is something else.
    """

    def __init__(self, backbone: VGG, layer: int) -> None:
        super().__init__()
        check_part("backbone", backbone, VGG)
        firsts = [*layers_of(backbone)[1]]
        if layer not in firsts:
            raise ArgumentError(f"layer is {layer}, expected the first of a block: one of {firsts}")
        self.n_halvings = firsts.index(layer)
        self.backbone = _first_stages(backbone, layer)
        self.init_args["backbone"] = (
            self.backbone
        )  # of the same arguments, without the stages that are not needed

    def train(self, mode: bool = True) -> Self:
        """Set the training mode of all but the encoder."""
        super().train(mode)
        self.backbone.eval()
        return self

    def load_encoder(self, backbone: nn.Module) -> None:
        weights = backbone.state_dict()
        self.backbone.load_state_dict({name: weights[name] for name in self.backbone.state_dict()})

    def encode(self, images: Tensor) -> list[Tensor]:
        """Compute the encoder's feature maps, stage by stage."""
        return self.backbone.features(pad_to_stride(images, 2**self.n_halvings))

    def paint(
        self, content: Tensor, styles: Styles = (), weights: Sequence[float] = (), masks: Masks = ()
    ) -> Tensor:
        given = [style for style in styles if isinstance(style, Tensor)]
        if not given or len(given) < len(styles):
            n = max(len(styles), 1)
            raise ArgumentError(
                f"{len(given)} style images given, expected {n}: this model paints in any style"
            )
        if not masks:
            weights = weights or [1.0] * len(given)
            return self.mix(content, given, [weight / sum(weights) for weight in weights])
        painted = content
        for style, mask in zip(given, masks, strict=True):
            painted = torch.lerp(painted, self.mix(content, [style], [1.0]), mask)
        return painted

    def mix(self, content: Tensor, styles: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
        """Paint images in a mixture of styles.

        Args:
            content: images (batch, 3, rows, columns).
            styles: images, each (batch or 1, 3, rows', columns').
            shares: of each style, 1 in sum.

        Returns:
            Images of the content's shape.
        """
        raise NotImplementedError


def _first_stages(backbone: VGG, last: int) -> VGG:
    """A copy of the stages up to this one, mirrored at the edges, which does not learn."""
    kept = copy.deepcopy(backbone).eval().requires_grad_(False)
    kept.stages = kept.stages[: last + 1]
    for part in kept.modules():
        if isinstance(part, nn.Conv2d):
            part.padding_mode = "reflect"  # by zeros a decoder would know where the edges are
    return kept


def mirrored_layers(backbone: VGG, n_halvings: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the encoder's convolutions from the last to the first, as a decoder that mirrors it has them.

    Args:
        backbone: the encoder.
        n_halvings: how often it halves the size.

    Yields:
        Channels in and out, and whether an enlargement follows.
    """
    in_channels = backbone.widths[n_halvings]
    for i in reversed(range(n_halvings)):
        for place in range(len(backbone.kernels[i])):
            yield in_channels, backbone.widths[i], place == 0
            in_channels = backbone.widths[i]


def pad_to_stride(images: Tensor, stride: int) -> Tensor:
    """Extend images at the bottom and on the right by their edges.

    Args:
        images: (batch, channels, rows, columns).
        stride: what rows and columns are to be multiples of.

    Returns:
        Images with rows and columns that are multiples of the stride, at least two of it.
    """
    missing = [max(-(-n // stride), 2) * stride - n for n in images.shape[2:]]
    return functional.pad(images, (0, missing[1], 0, missing[0]), mode="replicate")


def crop_to(padded: Tensor, images: Tensor) -> Tensor:
    """Crop what was computed of padded images to the images' own size."""
    return padded[..., : images.shape[2], : images.shape[3]]
