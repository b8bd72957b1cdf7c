"""Receptive fields: which cells of the spectrogram a cell of a map sees, as crops of the spectrogram.

Conventions: cells count from 0 along each axis after the channels; a span is a slice of one axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from audiocnn.backbones.harmonic import HarmonicNet
from audiocnn.blocks.geometry import ReceptiveField
from audiocnn.blocks.measure import receptive_field
from audiocnn.explain.network import Upto

Spans = tuple[slice, ...]
Fields = tuple[ReceptiveField, ...]

# Network -> layer and shape -> fields: they do not depend on weights, and of a deep network take seconds.
_measured: WeakKeyDictionary[nn.Module, dict[tuple[str, tuple[int, ...]], Fields]] = WeakKeyDictionary()


def measure_fields(network: nn.Module, spectrogram: Tensor) -> Fields:
    """The receptive field along each axis of a network's map, for spectrograms of this size; see `upto`.

    What gates by whole maps, as squeeze-and-excitation, is left out: it sees all, of everything.
    """
    shape = (1, *spectrogram.shape[1:])
    whole, layer = (network.network, network.layer) if isinstance(network, Upto) else (network, "")
    known = _measured.setdefault(whole, {})
    if (layer, shape) not in known:
        with torch.inference_mode(False), torch.enable_grad():
            known[layer, shape] = tuple(
                receptive_field(network, shape, axis, whole_map=False) for axis in range(2 - len(shape), 0)
            )
    return known[layer, shape]


def span(field: ReceptiveField, cell: int, size: int) -> slice:
    """What a cell of the map sees of an axis with `size` cells; all of it where it sees no end."""
    if math.isinf(field.size):
        return slice(0, size)
    middle, reach = field.offset + cell * field.stride, (field.size - 1) / 2
    return slice(min(max(math.ceil(middle - reach), 0), size - 1), min(math.floor(middle + reach) + 1, size))


def spans(axes: Sequence[ReceptiveField], cell: Sequence[int], spectrogram: Tensor) -> Spans:
    """The crop of a spectrogram that a cell of the map sees: `spectrogram[..., *spans]`."""
    sizes = spectrogram.shape[2:]
    return tuple(span(field, i, size) for field, i, size in zip(axes, cell, sizes, strict=True))


def alone(crop: Spans, axes: Sequence[ReceptiveField], grid: int = 1) -> Spans:
    """A crop that begins a little earlier, where the strides do: fed alone, it has the very activation.

    Args:
        grid: of a backbone whose pieces must begin on one, its `time_grid`.
    """
    steps = [max(math.ceil(field.stride), grid) for field in axes]
    return tuple(slice(one.start // n * n, one.stop) for one, n in zip(crop, steps, strict=True))


def centres(network: nn.Module, cells: Tensor, spectrogram: Tensor) -> list[Tensor]:
    """Where the cells of a network's map lie in the spectrogram: in the middle of what they see, for each axis.

    The rows of a HarmonicNet are pitches: they see harmonics far above, and lie at their own frequency.
    """
    harmonic = next((part for part in network.modules() if isinstance(part, HarmonicNet)), None)
    if harmonic is None:
        axes = zip(measure_fields(network, spectrogram), cells.shape[2:], spectrogram.shape[2:], strict=True)
        return [_positions(field, n_cells, size) for field, n_cells, size in axes]
    rows, columns = (torch.arange(n) for n in cells.shape[2:])
    pace = round(spectrogram.shape[-1] / len(columns))
    n_bins = harmonic.bins_per_semitone
    return [n_bins * rows + n_bins // 2, pace * columns + (pace - 1) / 2]


def _positions(field: ReceptiveField, n_cells: int, size: int) -> Tensor:
    """Evenly spread where a field does not tell, because each cell sees everything."""
    cells = torch.arange(n_cells)
    if math.isinf(field.size):
        return (cells + 0.5) * size / n_cells - 0.5
    return field.offset + cells * field.stride


def interpolation(known: Tensor, wanted: Tensor) -> Tensor:
    """The matrix of linear interpolation from ascending positions to others; constant beyond the ends.

    Shape: (known,) and (wanted,) -> (wanted, known).
    """
    known, wanted = known.double(), wanted.double()
    if len(known) == 1:
        return torch.ones(len(wanted), 1)
    right = torch.searchsorted(known, wanted).clamp(1, len(known) - 1)
    left = right - 1
    share = ((wanted - known[left]) / (known[right] - known[left])).clamp(0, 1)
    matrix = torch.zeros(len(wanted), len(known), dtype=torch.float64)
    matrix.scatter_(1, left[:, None], 1 - share[:, None])
    return matrix.scatter_(1, right[:, None], share[:, None]).float()
