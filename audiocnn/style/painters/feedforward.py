"""A image -> the same in the one style that a network was trained for, in one pass."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.residual import ResidualV1
from audiocnn.models.painters import PAINTERS
from audiocnn.registry import InitArgs

STRIDE = 4  # of the maps between encoder and decoder


def encoder(width: int, n_blocks: int) -> nn.Sequential:
    """Images -> maps of a quarter of the size: (batch, 3, rows, columns) -> (batch, 4 * width, ...)."""
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
    """The way back: (batch, 4 * width, rows, columns) -> (batch, 3, 4 * rows, 4 * columns), from 0 to 1."""
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


@PAINTERS.register
class TransferNet(InitArgs, nn.Module):
    """Images in the style that the network was trained for; of any size.

    Shape: (batch, 3, rows, columns), from 0 to 1 -> the same.
    Source: Johnson, Alahi, Li, "Perceptual losses for real-time style transfer and super-resolution", 2016;
    instance norms: Ulyanov, Vedaldi, Lempitsky, "Instance normalization: the missing ingredient for fast
    stylization", 2016. Differs: narrower; enlarged by repetition, which leaves no checks; mirrored at
    the edges in all layers, for with zeros a network learns to paint a frame.

    Args:
        width: channels of the first maps; the paper's network has 32.
        n_blocks: residual blocks.
    """

    def __init__(self, width: int = 16, n_blocks: int = 3) -> None:
        super().__init__()
        self.width, self.n_blocks = width, n_blocks
        self.encode, self.decode = encoder(width, n_blocks), decoder(width)

    def forward(self, images: Tensor) -> Tensor:
        return cropped(self.decode(self.encode(filled(images, STRIDE))), images)


def filled(images: Tensor, stride: int) -> Tensor:
    """Images whose rows and columns are multiples of a stride, at least two of it: their edges go on."""
    missing = [max(-(-n // stride), 2) * stride - n for n in images.shape[2:]]
    return functional.pad(images, (0, missing[1], 0, missing[0]), mode="replicate")


def cropped(made: Tensor, images: Tensor) -> Tensor:
    """What was made of filled images, in their own size."""
    return made[..., : images.shape[2], : images.shape[3]]
