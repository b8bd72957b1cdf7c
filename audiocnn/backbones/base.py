"""The contract of every backbone: a image or waveform in, feature maps out.

Conventions: maps are (batch, channels, frames) for dims=1, (batch, channels, bins, frames) for dims=2; for
dims=1 the bins of a image are its channels. A family is a file: a class, and a table of its members.
"""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor, nn

from audiocnn.blocks.global_pool import global_pool
from audiocnn.blocks.measure import receptive_field

LEAST_CHANNELS = 8  # that oneDNN's strided convolutions of 1 × 1 need in channels_last


class Backbone(nn.Module):
    """A convolutional network without its head.

    A subclass keeps each argument of its constructor as an attribute of the same name, from which a model
    file rebuilds it, and sets the attributes below.

    Attributes:
        dims: 1 for (batch, channels, frames), 2 for (batch, channels, bins, frames).
        in_channels: channels of the input; for dims=1 on a spectrogram its bins.
        stages: one after the other; each gives a map of `features`.
        stage_channels: channels of each map that `features` gives.
        time_stride: input frames for each output frame, and the least that an input must have.
        time_grid: a piece of a long input has the maps of the whole where it begins at a multiple of this.
    """

    dims: int
    in_channels: int
    stages: nn.ModuleList
    stage_channels: tuple[int, ...]
    time_stride: int

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
