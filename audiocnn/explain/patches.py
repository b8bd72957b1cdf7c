"""The spectrogram patches of a data set that most activate a channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audiocnn.explain.receptive_fields import Crop, locate_crop, measure_receptive_fields


class Patch(NamedTuple):
    """A crop of a spectrogram that activates a channel.

    Attributes:
        activation: activation of the channel.
        spectrogram: index of the spectrogram in the data set.
        position: index in the layer's feature map.
        crop: receptive field of that position: `spectrogram[..., *crop]`.
    """

    activation: float
    spectrogram: int
    position: tuple[int, ...]
    crop: Crop


def find_top_patches(
    layer: nn.Module, spectrograms: Iterable[Tensor], channel: int, n: int = 9
) -> list[Patch]:
    """Find the patches that most activate a layer's channel, at most one in each spectrogram.

    Args:
        layer: network up to the layer, see `truncate`.
        spectrograms: those of the data set, each (1, channels, bins, frames), or (1, bins, frames) for
            dims=1, of any length; they are taken one after the other, so the data set may be larger than
            memory.
        channel: index of the channel.
        n: number of patches.

    Returns:
        Patches, the highest activation first.

    Source:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 4.
    """
    return find_top_patches_by_channel(layer, spectrograms, [channel], n)[channel]


def find_top_patches_by_channel(
    layer: nn.Module, spectrograms: Iterable[Tensor], channels: Sequence[int], n: int = 9
) -> dict[int, list[Patch]]:
    """Find the patches that most activate each of a layer's channels, in one pass over the data set.

    Args:
        layer: as of `find_top_patches`.
        spectrograms: likewise.
        channels: indices of the channels.
        n: number of patches for each.

    Returns:
        Patches by channel, the highest activation first.
    """
    best: dict[int, list[Patch]] = {channel: [] for channel in channels}
    fields = None
    for number, spectrogram in enumerate(spectrograms):
        with torch.no_grad():
            feature_map = layer(spectrogram)[0]
        fields = fields or measure_receptive_fields(layer, spectrogram)
        for channel in channels:
            activations = feature_map[channel]
            position = tuple(int(i) for i in torch.unravel_index(activations.argmax(), activations.shape))
            crop = locate_crop(fields, position, spectrogram)
            patch = Patch(float(activations[position]), number, position, crop)
            best[channel] = sorted([*best[channel], patch], key=lambda one: -one.activation)[:n]
    return best
