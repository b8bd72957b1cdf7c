"""The patches of a data set that most excite a channel: where they are, and the crop that it saw of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audiocnn.explain.fields import Spans, measure_fields, spans


class Patch(NamedTuple):
    """A place that excites a channel.

    Attributes:
        activation: how much.
        spectrogram: the number of the spectrogram in the data set.
        cell: of the layer's map.
        crop: what that cell sees: `spectrogram[..., *crop]`.
    """

    activation: float
    spectrogram: int
    cell: tuple[int, ...]
    crop: Spans


def top_patches(layer: nn.Module, spectrograms: Iterable[Tensor], channel: int, n: int = 9) -> list[Patch]:
    """The patches that most excite a layer's channel, the most exciting first; of a spectrogram at most one.

    Shape: of each spectrogram (1, channels, bins, frames), or (1, bins, frames) for dims=1; of any length.
    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 4.

    Args:
        layer: of `upto`.
        spectrograms: of the data set; they are seen one after the other, so it may be larger than memory.
    """
    best: list[Patch] = []
    axes = None
    for number, spectrogram in enumerate(spectrograms):
        with torch.no_grad():
            cells = layer(spectrogram)[0, channel]
        axes = axes or measure_fields(layer, spectrogram)
        cell = tuple(int(i) for i in torch.unravel_index(cells.argmax(), cells.shape))
        best.append(Patch(float(cells[cell]), number, cell, spans(axes, cell, spectrogram)))
        best = sorted(best, key=lambda patch: -patch.activation)[:n]
    return best
