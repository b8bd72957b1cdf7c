"""A image -> the maps of a backbone that style transfer compares."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn

from audiocnn.backbones.base import Backbone
from audiocnn.backbones.vgg import VGG
from audiocnn.blocks.fuse import fuse

MOST_STAGES = 5  # that are compared where nobody says which
LUMA = (0.2126, 0.7152, 0.0722)  # of red, green and blue: ITU-R BT.709


class Extractor(nn.Module):
    """Some maps of a frozen backbone, by the numbers of its stages.

    Its first convolution goes on beyond the image's edges with their colours: zeros would darken them.

    Shape: (batch, 3, rows, columns), from 0 to 1 -> maps by number, (batch, channels, rows', columns'). A
    backbone with one input channel sees the luminance; one with others the image as it is. For one of
    dims=1 the rows, bins of a spectrogram (batch, 1, bins, frames), are its channels: its maps have one row.
    Raises: ValueError when the backbone has no such stages.

    Attributes:
        strides: pixels for each cell of a map, by number.
        numbers: that all layers put out for each pixel (each column of pixels with dims=1).
        grid: of the pixels where a piece of a image may begin for its maps to be those of the whole.

    Args:
        layers: the numbers of stages; of negative ones those counted from the last.
        mean: of the images that the backbone was trained on, each of its input channels.
        std: their deviation.
    """

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
        self.backbone.stages = self.backbone.stages[: self.layers[-1] + 1]  # the others' maps are not needed
        fuse(self.backbone)
        self.grid = backbone.time_grid
        side = backbone.time_stride
        probe = torch.zeros(1, backbone.in_channels, *(side,) * backbone.dims)
        with torch.no_grad(), _counting(self.backbone) as counted:
            maps = self.backbone.features(probe)
        self.numbers = sum(counted) / probe[0, 0].numel()
        self.strides = {layer: side // maps[layer].shape[-1] for layer in self.layers}
        kinds = (nn.Conv1d, nn.Conv2d)
        first = next((part for part in self.backbone.modules() if isinstance(part, kinds)), None)
        if first is not None and first.padding_mode == "zeros":
            first.padding_mode = "replicate"
        self.mean: Tensor
        self.std: Tensor
        self.luma: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.register_buffer("luma", torch.tensor(LUMA).view(1, -1, 1, 1))

    @property
    def least(self) -> int:
        """Cells along each axis that a image must have, so that the last map has more than one."""
        return 2 * self.strides[self.layers[-1]]

    def cut(self, size: Sequence[int]) -> tuple[int, ...]:
        """Of rows and columns those that pieces of a image divide: not rows that are channels."""
        return tuple(size)[-self.backbone.dims :]

    def map_size(self, size: Sequence[int], layer: int) -> tuple[int, ...]:
        """Rows and columns of a layer's map of a image with this size."""
        rows, columns = (-(-n // self.strides[layer]) for n in size)
        return (1 if self.backbone.dims == 1 else rows), columns

    @cached_property
    def field(self) -> float:
        """Pixels along an axis that a cell of the last map sees; infinite where it sees all."""
        stride = self.backbone.time_stride
        return self.backbone.measured_field(self.backbone, stride)

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        if self.backbone.in_channels == 1 and image.shape[1] == 3:
            image = (image * self.luma).sum(1, keepdim=True)
        image = (image - self.mean) / self.std
        if self.backbone.dims == 2:
            maps = self.backbone.features(image)
        else:
            maps = [one.unsqueeze(2) for one in self.backbone.features(image.flatten(1, 2))]
        return {layer: maps[layer] for layer in self.layers}


def first_stages(backbone: VGG, last: int) -> VGG:
    """A copy with the stages up to this one, which does not learn."""
    kept = copy.deepcopy(backbone).eval().requires_grad_(False)
    kept.stages = kept.stages[: last + 1]
    return kept


@contextmanager
def _counting(network: nn.Module) -> Iterator[list[int]]:
    """Lists how many numbers each layer puts out while it runs."""
    counted: list[int] = []

    def count(_layer: nn.Module, _inputs: object, output: Tensor) -> None:
        counted.append(output.numel())

    layers = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    yield counted
    for hook in hooks:
        hook.remove()


def layers_of(backbone: Backbone) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The stages to compare for content and for style: of VGG the first of each block, else the first few.

    Source: Gatys et al., "Image style transfer using convolutional neural networks", 2016, section 3.
    """
    if isinstance(backbone, VGG):
        firsts = tuple(sum(map(len, backbone.kernels[:i])) for i in range(len(backbone.kernels)))
    else:
        firsts = tuple(range(min(len(backbone.stages), MOST_STAGES)))
    return firsts[-2:-1] or firsts, firsts
