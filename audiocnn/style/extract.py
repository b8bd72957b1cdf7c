"""The feature maps of a backbone that style transfer compares."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn

from audiocnn.backbones.base import Backbone
from audiocnn.backbones.vgg import VGG
from audiocnn.blocks.fuse import fuse_batch_norms

MAX_STAGES = 5  # that are compared where none are named: as many as Gatys et al. have layers
LUMA = (0.2126, 0.7152, 0.0722)  # of red, green and blue: ITU-R BT.709


class Extractor(nn.Module):
    """Some feature maps of a frozen backbone, by the numbers of its stages.

    The first convolution pads an image by its edges: zeros would darken them.

    Shape:
        (batch, 3, rows, columns) from 0 to 1 -> feature maps by number, (batch, channels, rows', columns').
        Of a backbone with one input channel the input is the luminance; of one with others the image as it
        is. For one of dims=1 the rows, bins of a spectrogram (batch, 1, bins, frames), are its channels: its
        feature maps have one row.

    Args:
        backbone: the network; a copy is made, which shares its weights.
        layers: the numbers of stages; of negative ones those counted from the last.
        mean: of the images that the backbone was trained on, each of its input channels.
        std: their standard deviation.

    Attributes:
        strides: pixels from one position of a feature map to the next, by number.
        n_outputs: outputs of all layers for each pixel (each column of pixels with dims=1), by which memory
            is estimated.
        grid: multiples of so many pixels are where a tile may begin for its feature maps to be those of the
            whole.

    Raises:
        ValueError: the backbone has no such stages.
    """

    mean: Tensor
    std: Tensor
    luma: Tensor

    def __init__(
        self,
        backbone: Backbone,
        layers: Sequence[int],
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        n_stages = len(backbone.stages)
        wrong = [layer for layer in layers if not -n_stages <= layer < n_stages]
        if wrong or not layers:
            raise ValueError(f"layers are {[*layers]}, expected some of 0 to {n_stages - 1}")
        self.layers = sorted({layer % n_stages for layer in layers})
        shared = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in backbone.parameters()}
        self.backbone = copy.deepcopy(backbone, shared).eval()  # weights are not copied
        self.backbone.stages = self.backbone.stages[: self.layers[-1] + 1]
        fuse_batch_norms(self.backbone)
        _pad_by_edges(self.backbone)
        self.grid = backbone.time_grid
        side = backbone.time_stride
        probe = torch.zeros(1, backbone.in_channels, *(side,) * backbone.dims)
        with torch.no_grad(), _counting(self.backbone) as counts:
            maps = self.backbone.features(probe)
        self.n_outputs = sum(counts) / probe[0, 0].numel()
        self.strides = {layer: side // maps[layer].shape[-1] for layer in self.layers}
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.register_buffer("luma", torch.tensor(LUMA).view(1, -1, 1, 1))

    @property
    def min_size(self) -> int:
        """Pixels that each axis of an image must have, so that the last feature map has two positions."""
        return 2 * self.strides[self.layers[-1]]

    def tiled_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return the axes along which an image may be cut into tiles: not rows that are channels.

        Args:
            size: rows and columns.

        Returns:
            Rows and columns, or columns alone.
        """
        return tuple(size)[-self.backbone.dims :]

    def map_size(self, size: Sequence[int], layer: int) -> tuple[int, ...]:
        """Compute the size of a layer's feature map.

        Args:
            size: rows and columns of the image.
            layer: number of the stage.

        Returns:
            Rows and columns.
        """
        rows, columns = (-(-n // self.strides[layer]) for n in size)
        return (1 if self.backbone.dims == 1 else rows), columns

    @cached_property
    def receptive_field(self) -> float:
        """Pixels along an axis on which a position of the last feature map depends; infinite where on all."""
        stride = self.backbone.time_stride
        return self.backbone.measure_receptive_field(self.backbone, stride)

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        if self.backbone.in_channels == 1 and image.shape[1] == 3:
            image = (image * self.luma).sum(1, keepdim=True)
        image = (image - self.mean) / self.std
        if self.backbone.dims == 2:
            maps = self.backbone.features(image)
        else:
            maps = [one.unsqueeze(2) for one in self.backbone.features(image.flatten(1, 2))]
        return {layer: maps[layer] for layer in self.layers}


def _pad_by_edges(backbone: Backbone) -> None:
    """Lets the first convolution pad by the edges where it padded by zeros."""
    convolutions = (part for part in backbone.modules() if isinstance(part, nn.Conv1d | nn.Conv2d))
    first = next(convolutions, None)
    if first is not None and first.padding_mode == "zeros":
        first.padding_mode = "replicate"


@contextmanager
def _counting(network: nn.Module) -> Iterator[list[int]]:
    """Lists how many outputs each layer has while it runs."""
    counts: list[int] = []

    def count(_layer: nn.Module, _inputs: object, output: Tensor) -> None:
        counts.append(output.numel())

    layers = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    yield counts
    for hook in hooks:
        hook.remove()


def layers_of(backbone: Backbone) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choose the stages to compare: of VGG the first of each block, else the first few.

    Args:
        backbone: whose feature maps are compared.

    Returns:
        The numbers of those for the content, and of those for the style.

    Source:
        Gatys et al., "Image style transfer using convolutional neural networks", 2016, section 3.
    """
    if isinstance(backbone, VGG):
        firsts = tuple(sum(map(len, backbone.kernels[:i])) for i in range(len(backbone.kernels)))
    else:
        firsts = tuple(range(min(len(backbone.stages), MAX_STAGES)))
    return firsts[-2:-1] or firsts, firsts
