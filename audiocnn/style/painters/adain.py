"""AdaIN: a network that paints in any style by the means and deviations of feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from audiocnn.backbones.vgg import VGG
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.models.painters import PAINTERS
from audiocnn.style.painters.base import AnyStylePainter, crop_to, mirrored_layers

MIN_DEVIATION = 1e-5  # of a channel that is the same everywhere


def instance_statistics(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the mean and standard deviation of each channel over all positions.

    Args:
        maps: feature maps (batch, channels, rows, columns).

    Returns:
        (batch, channels, 1, 1) each.
    """
    variance, mean = torch.var_mean(maps, dim=(2, 3), keepdim=True, correction=0)
    return mean, (variance + MIN_DEVIATION**2).sqrt()


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Give the channels of a content the mean and deviation of a style's.

    Args:
        content: feature maps (batch, channels, rows, columns).
        style: feature maps (batch or 1, channels, rows', columns').

    Returns:
        Feature maps of the content's shape.

    Source:
        Huang and Belongie, "Arbitrary style transfer in real-time with adaptive instance normalization",
        2017, equation 8.
    """
    (mean, deviation), (style_mean, style_deviation) = (
        instance_statistics(content),
        instance_statistics(style),
    )
    return (content - mean) / deviation * style_deviation + style_mean


@PAINTERS.register
class AdaIN(AnyStylePainter):
    """A painter in any style, by adaptive instance normalisation of an encoder's feature maps.

    Shape:
        (batch, 3, rows, columns) from 0 to 1 -> the same.

    Source:
        Huang and Belongie 2017.

    Differs:
        The encoder is this project's VGG.

    Args:
        backbone: the encoder, of which a copy up to the layer is kept; it does not learn.
        layer: number of its stage where statistics are exchanged, the first of a block.

    Raises:
        ValueError: the layer is not the first of a block.
    """

    def __init__(self, backbone: VGG, layer: int) -> None:
        super().__init__(backbone, layer)
        self.decode = _mirror(backbone, self.n_halvings)

    def mix(self, content: Tensor, styles: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
        maps = self.encode(content)[-1]
        mixed = torch.zeros_like(maps)
        for style, share in zip(styles, shares, strict=True):
            mixed = mixed + share * adain(maps, self.encode(style)[-1])
        return crop_to(self.decode(mixed), content)


def _mirror(backbone: VGG, n_halvings: int) -> nn.Sequential:
    """The encoder backwards: nearest neighbours for poolings; no norms, which would undo the exchange."""
    layers: list[nn.Module] = []
    arguments = {"dims": 2, "padding_mode": "reflect", "norm": "none"}
    for in_channels, out_channels, enlarges in mirrored_layers(backbone, n_halvings):
        layers.append(ConvNormAct(in_channels, out_channels, 3, **arguments))
        if enlarges:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
    last = ConvNormAct(backbone.widths[0], 3, 3, act="none", **arguments)
    return nn.Sequential(*layers, last, nn.Sigmoid())
