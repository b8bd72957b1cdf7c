"""TransferNet: a network that paints in the one style that it was trained for."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.residual import ResidualV1
from audiocnn.models.painters import PAINTERS
from audiocnn.ranges import ArgumentError
from audiocnn.style.painters.base import Masks, Painter, Styles, crop_to, pad_to_stride

STRIDE = 4  # pixels between two positions of the feature maps between encoder and decoder


@PAINTERS.register
class TransferNet(Painter):
    """A painter in the one style that it was trained for.

    Shape:
        (batch, 3, rows, columns) from 0 to 1 -> the same.

    Source:
        Johnson, Alahi, Li, "Perceptual losses for real-time style transfer and super-resolution", 2016;
        instance norms: Ulyanov, Vedaldi, Lempitsky, "Instance normalization: the missing ingredient for fast
        stylization", 2016.

    Differs:
        Narrower. Enlarged by nearest neighbours, which leaves no checkerboard. Reflected at the edges in all
        layers: with zeros a network learns to paint a frame.

    Args:
        width: channels of the first feature maps; the paper's network has 32.
        n_blocks: residual blocks.
    """

    def __init__(self, width: int = 16, n_blocks: int = 3) -> None:
        super().__init__()
        self.encode, self.decode = encoder(width, n_blocks), decoder(width)

    @property
    def style_names(self) -> Sequence[str]:
        return ()

    def paint(
        self, content: Tensor, styles: Styles = (), weights: Sequence[float] = (), masks: Masks = ()
    ) -> Tensor:
        if len(styles) or len(masks):
            raise ArgumentError(
                f"{len(styles)} styles and {len(masks)} masks given, expected none: this model has one style"
            )
        return crop_to(self.decode(self.encode(pad_to_stride(content, STRIDE))), content)


def encoder(width: int, n_blocks: int) -> nn.Sequential:
    """Return layers from images to feature maps of a quarter of their size.

    Args:
        width: channels of the first feature maps.
        n_blocks: residual blocks.

    Shape:
        (batch, 3, rows, columns) -> (batch, 4 * width, rows / 4, columns / 4).
    """
    return nn.Sequential(
        _layer(3, width, 9),
        _layer(width, 2 * width, 3, stride=2),
        _layer(2 * width, 4 * width, 3, stride=2),
        *(
            ResidualV1(4 * width, 4 * width, dims=2, padding_mode="reflect", norm="instance")
            for _ in range(n_blocks)
        ),
    )


def decoder(width: int) -> nn.Sequential:
    """Return layers from an encoder's feature maps to images.

    Args:
        width: as of the encoder.

    Shape:
        (batch, 4 * width, rows, columns) -> (batch, 3, 4 * rows, 4 * columns), from 0 to 1.
    """
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        _layer(4 * width, 2 * width, 3),
        nn.Upsample(scale_factor=2, mode="nearest"),
        _layer(2 * width, width, 3),
        ConvNormAct(width, 3, 9, dims=2, padding_mode="reflect", norm="none", act="none"),
        nn.Sigmoid(),
    )


def _layer(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> ConvNormAct:
    arguments = {"dims": 2, "padding_mode": "reflect", "norm": "instance"}
    return ConvNormAct(in_channels, out_channels, kernel_size, stride=stride, **arguments)
