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
from audiocnn.ranges import ArgumentError

MAX_STAGES = 5  # compared by default: as many as the style layers of Gatys et al.
LUMA = (0.2126, 0.7152, 0.0722)  # weights of red, green and blue, ITU-R BT.709


class Extractor(nn.Module):
    """Extracts the feature maps of some stages of a frozen backbone.

    The first convolution uses replicate padding: zero padding would darken the edges of an image.

    Shape:
        (batch, 3, rows, columns) from 0 to 1 -> feature maps by stage index, (batch, channels, rows',
        columns'). A backbone with one input channel is given the luminance, any other the image as it is.
        With dims=1 the bins of a spectrogram (batch, 1, bins, frames) are the input channels, and the feature
        maps have one row.

    Args:
        backbone: the network; a copy is made, which shares its weights.
        layers: indices of stages; negative ones count from the last.
        mean: mean of the images that the backbone was trained on, one for each input channel.
        std: standard deviation of those images, likewise.

    Attributes:
        strides: pixels from one position of a feature map to the next, by stage index.
        n_outputs: activations of all layers per pixel (per column of pixels with dims=1), from which memory
            is estimated.
        grid: tiles must begin at multiples of this number of pixels for their feature maps to equal those of
            the whole image.

    Raises:
        ArgumentError: the backbone has no such stages.
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
            raise ArgumentError(f"layers are {[*layers]}, expected some of 0 to {n_stages - 1}")
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
        """Smallest side of an image, in pixels, for which the last feature map has two positions per axis."""
        return 2 * self.strides[self.layers[-1]]

    def tiled_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return the size along the axes that may be cut into tiles; with dims=1 the rows are channels.

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
            layer: index of the stage.

        Returns:
            Rows and columns.
        """
        rows, columns = (-(-n // self.strides[layer]) for n in size)
        return (1 if self.backbone.dims == 1 else rows), columns

    @cached_property
    def receptive_field(self) -> float:
        """Receptive field of the last feature map along an axis, in pixels; infinite where unbounded."""
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
    """Switch the first convolution from zero padding to replicate padding."""
    convolutions = (part for part in backbone.modules() if isinstance(part, nn.Conv1d | nn.Conv2d))
    first = next(convolutions, None)
    if first is not None and first.padding_mode == "zeros":
        first.padding_mode = "replicate"


@contextmanager
def _counting(network: nn.Module) -> Iterator[list[int]]:
    """Count the activations of each layer while the network runs."""
    counts: list[int] = []

    def count(_layer: nn.Module, _inputs: object, output: Tensor) -> None:
        counts.append(output.numel())

    layers = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    yield counts
    for hook in hooks:
        hook.remove()


def layers_of(backbone: Backbone) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choose the stages to compare: the first of each block of a VGG, the first few of other backbones.

    Args:
        backbone: whose feature maps are compared.

    Returns:
        Indices of the stages for the content, and of those for the style.

    Source:
        Gatys et al., "Image style transfer using convolutional neural networks", 2016, section 3.
    """
    if isinstance(backbone, VGG):
        firsts = tuple(sum(map(len, backbone.kernels[:i])) for i in range(len(backbone.kernels)))
    else:
        firsts = tuple(range(min(len(backbone.stages), MAX_STAGES)))
    return firsts[-2:-1] or firsts, firsts
