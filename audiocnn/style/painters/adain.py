"""A image and any style -> the image in that style, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from audiocnn.backbones.vgg import VGG
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.models.painters import PAINTERS
from audiocnn.registry import InitArgs
from audiocnn.style.extract import first_stages, layers_of
from audiocnn.style.painters.feedforward import cropped, filled

SMALLEST = 1e-5  # deviation of a channel that is the same everywhere


def moments_of(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over all positions: (batch, channels, 1, 1) each."""
    variance, mean = torch.var_mean(maps, dim=(2, 3), keepdim=True, correction=0)
    return mean, (variance + SMALLEST**2).sqrt()


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Maps of a content with the mean and deviation of each channel of a style's.

    Shape: (batch, channels, rows, columns), and a style's of any size -> as the content's.
    Source: Huang and Belongie, "Arbitrary style transfer in real-time with adaptive instance normalization",
    2017, equation 8.
    """
    (mean, deviation), (mean_aim, deviation_aim) = moments_of(content), moments_of(style)
    return (content - mean) / deviation * deviation_aim + mean_aim


@PAINTERS.register
class AdaIN(InitArgs, nn.Module):
    """Images in the style of others, which it need not have seen before.

    Shape: (batch, 3, rows, columns), from 0 to 1, and styles (batch, 3, rows', columns') -> as the images.
    Source: Huang and Belongie 2017. Differs: the encoder is this project's VGG.
    Raises: ValueError when the layer is not the first of a block.

    Args:
        backbone: the encoder, of which a copy up to the layer is kept; it does not learn.
        layer: the number of its stage where statistics are exchanged, the first of a block.
    """

    def __init__(self, backbone: VGG, layer: int) -> None:
        super().__init__()
        self.layer, (self.backbone, self.n_halvings) = layer, up_to(backbone, layer)
        self.decode = _mirrored(backbone, self.n_halvings)

    def train(self, mode: bool = True) -> AdaIN:
        super().train(mode)
        self.backbone.eval()
        return self

    def encode(self, images: Tensor) -> Tensor:
        """The maps of the layer."""
        return self.backbone(images)

    def forward(
        self, images: Tensor, styles: Tensor | Sequence[Tensor], weights: Sequence[float] = (1.0,)
    ) -> Tensor:
        """Of several styles, each (batch, 3, rows', columns'), a mixture by their weights.

        A style of batch 1 is for all images.
        """
        styles = [styles] if isinstance(styles, Tensor) else styles
        content = self.encode(filled(images, 2**self.n_halvings))
        mixed = sum(
            weight / sum(weights) * adain(content, self.encode(filled(style, 2**self.n_halvings)))
            for style, weight in zip(styles, weights, strict=True)
        )
        return cropped(self.decode(mixed), images)


def up_to(backbone: VGG, layer: int) -> tuple[VGG, int]:
    """A copy of the stages up to the first of a block, mirrored at the edges; and how often that halves.

    Raises: ValueError when the layer is not the first of a block.
    """
    firsts = [*layers_of(backbone)[1]]
    if layer not in firsts:
        raise ValueError(f"layer is {layer}, expected the first of a block: one of {firsts}")
    kept = first_stages(backbone, layer)
    for part in kept.modules():
        if isinstance(part, nn.Conv2d):
            part.padding_mode = "reflect"  # by zeros a decoder would know where the edges are
    return kept, firsts.index(layer)


def backwards(backbone: VGG, n_halvings: int) -> Iterator[tuple[int, int, bool]]:
    """The encoder's layers from the last: channels in and out, and whether an enlargement follows."""
    before = backbone.widths[n_halvings]
    for i in reversed(range(n_halvings)):
        for place in range(len(backbone.kernels[i])):
            yield before, backbone.widths[i], place == 0
            before = backbone.widths[i]


def _mirrored(backbone: VGG, n_halvings: int) -> nn.Sequential:
    """The encoder backwards: repetitions for poolings, no norms, which would undo what was exchanged."""
    layers: list[nn.Module] = []
    arguments = {"dims": 2, "padding_mode": "reflect", "norm": "none"}
    for into, out, enlarges in backwards(backbone, n_halvings):
        layers.append(ConvNormAct(into, out, 3, **arguments))
        if enlarges:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
    last = ConvNormAct(backbone.widths[0], 3, 3, act="none", **arguments)
    return nn.Sequential(*layers, last, nn.Sigmoid())
