"""The contract of every backbone: spectrogram, image or waveform in, feature maps out.

Feature maps are (batch, channels, frames) for dims=1, (batch, channels, bins, frames) for dims=2; for dims=1
the bins of a spectrogram are its channels. A family is a file: a class, and a table of its members.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from audiocnn.blocks.cost import evaluation_mode
from audiocnn.blocks.global_pool import create_global_pool
from audiocnn.blocks.receptive_field import measure_receptive_field
from audiocnn.ranges import Range
from audiocnn.registry import InitArgs

# name of a network -> the arguments that differ from the defaults of its class
Members = Mapping[str, Mapping[str, Any]]
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB from 0 to 1, as in torchvision
IMAGENET_STD = (0.229, 0.224, 0.225)
MIN_CHANNELS = 8  # that oneDNN's strided convolutions of 1 × 1 need in channels_last


@dataclass(frozen=True)
class PretrainedWeights:
    """Published ImageNet weights of a network with three input channels, and what they were trained on.

    Attributes:
        file: below `site`, or in the package; its name ends in the first digits of its SHA-256.
        arguments: of the network, where they differ from the member's own.
        mean: of each input channel, subtracted from RGB from 0 to 1.
        std: standard deviation of each input channel, by which the difference is divided.
        size: pixels of a side of the images that the network is evaluated on.
        site: address of the folder of the file.
        package: Python package that the file is in, in place of the site, for those who installed it.
        licence: of the weights, by its SPDX identifier.
    """

    file: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    size: int = 224
    site: str = "https://download.pytorch.org/models/"
    package: str | None = None
    licence: str = "BSD-3-Clause"

    @property
    def url(self) -> str:
        """Address of the file."""
        return self.site + self.file


class Backbone(InitArgs, nn.Module):
    """A convolutional network without its head.

    A subclass sets `stages`, `stage_channels` and `time_stride`, and is registered with its members by
    `audiocnn.backbones.register`.

    Its arguments are those that families share. A family declares its own, and of these only the ones with
    another default; the rest it takes as `**common: Any`, and passes on with `super().__init__(**common)`.

    Args:
        dims: 1 for (batch, channels, frames), 2 for (batch, channels, bins, frames).
        in_channels: channels of the input; 1 when None, and in a model of sound those of its front end's
            spectrograms: 1, or for dims=1 the bins.
        norm: of convolutions, as `create_norm`.
        act: activation of convolutions, as `create_act`.

    Attributes:
        members: of the family, each with the arguments that differ from the defaults of the class.
        weights: published weights of members.
        pitch_rows: whether rows of the feature maps are pitches, so that the input must be a spectrogram of
            these.
        bins_per_semitone: of that spectrogram.
        of_waveforms: whether frames are samples, so that the input must be a waveform.
        of_tokens: whether the input is a sequence of tokens, not sound.
        dims: as given.
        in_channels: channels of the input.
        norm: as given.
        act: as given.
        stages: one after the other; the output of each is a feature map of `features`.
        stage_channels: channels of each feature map of `features`.
        time_stride: input frames for each output frame, and the smallest number of frames of an input.
    """

    members: ClassVar[Members] = MappingProxyType({})
    weights: ClassVar[Mapping[str, PretrainedWeights]] = MappingProxyType({})
    pitch_rows: ClassVar[bool] = False
    ranges: ClassVar[Mapping[str, Range]] = {"in_channels": Range(1, whole=True)}
    of_waveforms: ClassVar[bool] = False
    of_tokens: ClassVar[bool] = False
    bins_per_semitone: int = 1
    stages: nn.ModuleList
    stage_channels: tuple[int, ...]
    time_stride: int

    def __init__(
        self, dims: int = 2, in_channels: int | None = None, *, norm: str = "batch", act: str = "relu"
    ) -> None:
        super().__init__()
        self.dims, self.norm, self.act = dims, norm, act
        self.in_channels = 1 if in_channels is None else in_channels

    @property
    def layer_options(self) -> dict[str, Any]:
        """dims, norm and act, as layers such as `ConvNormAct` take them."""
        return {"dims": self.dims, "norm": self.norm, "act": self.act}

    @property
    def out_channels(self) -> int:
        """Channels of the last feature map."""
        return self.stage_channels[-1]

    @property
    def time_grid(self) -> int:
        """An excerpt has the features of the whole input where it begins at a multiple of so many frames."""
        return self.time_stride

    @cached_property
    def receptive_field(self) -> float:
        """Input frames on which one output frame depends, the same number on both sides of frame i * stride.

        Infinite where a network depends on its whole input, as with squeeze-and-excitation. Measured: that
        takes a moment for a large network.
        """
        return self.measure_receptive_field(self, self.time_stride)

    def measure_receptive_field(self, network: nn.Module, min_size: int) -> float:
        """Measure the receptive field of a network in time, as `receptive_field` defines it.

        Args:
            network: with the input of this one.
            min_size: positions along each axis that its input needs; the measurement begins with them.

        Returns:
            The number of input frames.
        """
        with torch.inference_mode(False), torch.enable_grad():  # it is found by gradient, whoever asks
            field = measure_receptive_field(network, (1, self.in_channels, *(min_size,) * self.dims))
        if math.isinf(field.size):
            return math.inf
        return 1 + 2 * math.ceil((field.size - 1) / 2 + abs(field.offset))

    def features(self, x: Shaped[Tensor, " batch *channels_and_positions"]) -> list[Tensor]:
        """Compute the feature map of each stage.

        Args:
            x: spectrogram, image or waveform: (batch, in_channels, ..., frames).

        Returns:
            The feature maps: (batch, stage_channels[i], ..., frames').
        """
        feature_maps = []
        for stage in self.stages:
            x = stage(x)
            feature_maps.append(x)
        return feature_maps

    def forward(
        self, x: Shaped[Tensor, " batch *channels_and_positions"]
    ) -> Float[Tensor, "batch out_channels *positions"]:
        """Compute the last feature map.

        Args:
            x: spectrogram, image or waveform: (batch, in_channels, ..., frames).

        Returns:
            The feature map: (batch, out_channels, ..., ceil(frames / time_stride)).
        """
        return self.features(x)[-1]

    def count_output_bins(self, n_bins: int) -> int | None:
        """Count the bins of the last feature map.

        Args:
            n_bins: bins of the input.

        Returns:
            Their number; None for dims=1.
        """
        if self.dims == 1:
            return None
        with torch.no_grad(), evaluation_mode(self):
            return self(torch.zeros(1, self.in_channels, n_bins, self.time_stride)).shape[2]

    def classifier(self, n_classes: int) -> nn.Module:
        """Create the head that this network was published with.

        Args:
            n_classes: number of classes.

        Returns:
            The head: last feature map -> logits.

        Shape:
            (batch, out_channels, ..., frames) -> (batch, n_classes).
        """
        return nn.Sequential(
            create_global_pool("average", self.out_channels), nn.Linear(self.out_channels, n_classes)
        )


def to_channels_last(network: nn.Module) -> None:
    """Convert 2-D weights to the memory layout in which convolutions are fastest; their feature maps follow.

    A network with a layer that corrupts memory in this layout is left as it is.

    Args:
        network: changed in place.
    """
    if any(_corrupts_memory(layer) for layer in network.modules()):
        return
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _corrupts_memory(layer: nn.Module) -> bool:
    """Whether training corrupts memory with this layout without AVX-512: oneDNN's issue 6035."""
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and max(layer.stride) > 1
        and layer.in_channels < MIN_CHANNELS
    )


def create_linear_head(in_channels: int, n_classes: int, p: float) -> nn.Sequential:
    """Create a head of the mean of each channel, dropout and a linear layer.

    Args:
        in_channels: channels of the feature map.
        n_classes: number of classes.
        p: dropout probability.

    Returns:
        The head.

    Shape:
        (batch, in_channels, ..., frames) -> (batch, n_classes).
    """
    return nn.Sequential(
        create_global_pool("average", in_channels), nn.Dropout(p), nn.Linear(in_channels, n_classes)
    )
