"""The contract of every backbone: a image or waveform in, feature maps out.

Conventions: maps are (batch, channels, frames) for dims=1, (batch, channels, bins, frames) for dims=2; for
dims=1 the bins of a image are its channels. A family is a file: a class, and a table of its members.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from audiocnn.blocks.global_pool import global_pool
from audiocnn.blocks.measure import receptive_field
from audiocnn.registry import InitArgs

# name of a network -> the arguments that differ from the defaults of its class
Members = Mapping[str, Mapping[str, Any]]
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB from 0 to 1, as in torchvision
IMAGENET_STD = (0.229, 0.224, 0.225)
LEAST_CHANNELS = 8  # that oneDNN's strided convolutions of 1 × 1 need in channels_last


@dataclass(frozen=True)
class PretrainedWeights:
    """Published ImageNet weights of a network with three input channels, and what they were trained on.

    Attributes:
        file: below `site`; its name ends in the first digits of its SHA-256.
        arguments: of the network, where they differ from the member's own.
        mean: of each input channel, subtracted from RGB from 0 to 1.
        std: standard deviation of each input channel, by which the difference is divided.
        site: address of the folder of the file.
        licence: of the weights, by its SPDX identifier.
    """

    file: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    site: str = "https://download.pytorch.org/models/"
    licence: str = "BSD-3-Clause"

    @property
    def url(self) -> str:
        """Address of the file."""
        return self.site + self.file


class Backbone(InitArgs, nn.Module):
    """A convolutional network without its head.

    A subclass sets `stages`, `stage_channels` and `time_stride`, and is registered with its members by
    `audiocnn.backbones.register`.

    Args:
        dims: 1 for (batch, channels, frames), 2 for (batch, channels, bins, frames).
        in_channels: channels of the input; for dims=1 on a spectrogram its bins.

    Attributes:
        members: of the family, each with the arguments that differ from the defaults of the class.
        weights: published weights of members.
        pitch_rows: whether rows of the feature maps are pitches, so that the input must be a spectrogram of these.
        dims: as given.
        in_channels: as given.
        stages: one after the other; each gives a map of `features`.
        stage_channels: channels of each map that `features` gives.
        time_stride: input frames for each output frame, and the least that an input must have.
        time_grid: a piece of a long input has the maps of the whole where it begins at a multiple of this.
    """

    members: ClassVar[Members] = MappingProxyType({})
    weights: ClassVar[Mapping[str, PretrainedWeights]] = MappingProxyType({})
    pitch_rows: ClassVar[bool] = False
    stages: nn.ModuleList
    stage_channels: tuple[int, ...]
    time_stride: int

    def __init__(self, dims: int, in_channels: int) -> None:
        super().__init__()
        self.dims, self.in_channels = dims, in_channels

    @property
    def out_channels(self) -> int:
        """Channels of the last map."""
        return self.stage_channels[-1]

    @property
    def time_grid(self) -> int:
        return self.time_stride

    @cached_property
    def receptive_field(self) -> float:
        """Input frames on which one output frame depends, the same number on both sides of frame i * stride.

        Infinite where a network looks at the whole map, as squeeze-and-excitation does. Measured: a moment's
        work for a large network.
        """
        return self.measured_field(self, self.time_stride)

    def measured_field(self, network: nn.Module, least: int) -> float:
        """What `receptive_field` says, of a network like this one; measured on `least` cells and more."""
        with torch.inference_mode(False), torch.enable_grad():  # it is found by gradient, whoever asks
            field = receptive_field(network, (1, self.in_channels, *(least,) * self.dims))
        if math.isinf(field.size):
            return math.inf
        return 1 + 2 * math.ceil((field.size - 1) / 2 + abs(field.offset))

    def features(self, x: Tensor) -> list[Tensor]:
        """The map after each stage."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """The last map."""
        return self.features(x)[-1]

    def map_rows(self, n_bins: int) -> int | None:
        """Rows of the last map of images with so many bins; None for dims=1."""
        if self.dims == 1:
            return None
        before = self.training
        with torch.no_grad():
            rows = self.eval()(torch.zeros(1, self.in_channels, n_bins, self.time_stride)).shape[2]
        self.train(before)
        return rows

    def classifier(self, n_classes: int) -> nn.Module:
        """The head that this network was published with: last map -> logits.

        Shape: (batch, channels, ..., frames) -> (batch, n_classes).
        """
        return nn.Sequential(
            global_pool("average", self.out_channels), nn.Linear(self.out_channels, n_classes)
        )


def channels_last(network: nn.Module) -> None:
    """Lays the weights of 2-D convolutions out as dense and cheap ones are fastest; their maps follow."""
    if any(_overruns(layer) for layer in network.modules()):
        return
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _overruns(layer: nn.Module) -> bool:
    """Whether training corrupts memory with this layout without AVX-512: oneDNN's issue 6035."""
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and max(layer.stride) > 1
        and layer.in_channels < LEAST_CHANNELS
    )


def dropout_classifier(channels: int, n_classes: int, p: float) -> nn.Sequential:
    """The mean of each channel, dropout, a linear layer."""
    return nn.Sequential(global_pool("average", channels), nn.Dropout(p), nn.Linear(channels, n_classes))
