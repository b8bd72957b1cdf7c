"""Receptive fields: the crop of the spectrogram that a position of a feature map depends on.

Conventions: as network.py. A crop is a slice for each axis of the spectrogram after the channels:
`spectrogram[..., *crop]`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from audiocnn.backbones.harmonic import HarmonicNet
from audiocnn.blocks.geometry import ReceptiveField
from audiocnn.blocks.receptive_field import measure_receptive_field
from audiocnn.explain.network import TruncatedNetwork

Crop = tuple[slice, ...]
SIZES = ("kernel_size", "stride", "dilation", "padding", "sides")  # attributes of layers, one for each axis
ReceptiveFields = tuple[ReceptiveField, ...]  # along each axis after the channels

# Network -> layer and shape -> receptive fields: they do not depend on weights, and take seconds to
# measure for a deep network.
_measured: WeakKeyDictionary[nn.Module, dict[tuple[str, tuple[int, ...]], ReceptiveFields]] = (
    WeakKeyDictionary()
)


def measure_receptive_fields(network: nn.Module, spectrogram: Tensor) -> ReceptiveFields:
    """Measure the receptive field of a network's feature map along each axis.

    Gates computed from whole feature maps, as in squeeze-and-excitation, are ignored: they depend on
    everything.

    Args:
        network: network to a feature map, see `truncate`.
        spectrogram: any spectrogram of the size in question, (batch, channels, ..., frames).

    Returns:
        The receptive field along each axis after the channels.
    """
    shape = (1, *spectrogram.shape[1:])
    truncated = isinstance(network, TruncatedNetwork)
    whole, layer = (network.network, network.layer) if truncated else (network, "")
    known = _measured.setdefault(whole, {})
    if (layer, shape) not in known:
        with torch.inference_mode(False), torch.enable_grad():
            n_axes = len(shape) - 2
            axes = (-1,) if _is_same_along_axes(network, shape) else range(-n_axes, 0)
            fields = tuple(measure_receptive_field(network, shape, axis, whole_map=False) for axis in axes)
            known[layer, shape] = fields if len(fields) == n_axes else fields * n_axes
    return known[layer, shape]


def _is_same_along_axes(network: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether rows and columns are treated alike, as in networks for images: one measurement is for both."""
    sizes = [getattr(part, name, 1) for part in network.modules() for name in SIZES]
    return len(set(shape[2:])) == 1 and all(
        len({*one}) == 1 for one in sizes if isinstance(one, tuple) and one
    )


def locate_crop(fields: Sequence[ReceptiveField], position: Sequence[int], spectrogram: Tensor) -> Crop:
    """Locate the crop of a spectrogram that a position of a feature map depends on.

    Args:
        fields: receptive fields of the feature map.
        position: index along each axis of the feature map.
        spectrogram: spectrogram that the crop is of.

    Returns:
        The crop: `spectrogram[..., *crop]`.
    """
    sizes = spectrogram.shape[2:]
    return tuple(_locate(field, i, size) for field, i, size in zip(fields, position, sizes, strict=True))


def _locate(field: ReceptiveField, index: int, size: int) -> slice:
    """Locate what an index depends on along an axis of some size; all of it where the field is infinite."""
    if math.isinf(field.size):
        return slice(0, size)
    middle, reach = field.offset + index * field.stride, (field.size - 1) / 2
    return slice(min(max(math.ceil(middle - reach), 0), size - 1), min(math.floor(middle + reach) + 1, size))


def align_crop(crop: Crop, fields: Sequence[ReceptiveField], grid: int = 1) -> Crop:
    """Extend a crop to begin at a multiple of the network's strides.

    The network has the same activation on the aligned crop alone as on the whole spectrogram.

    Args:
        crop: as of `locate_crop`.
        fields: receptive fields of the feature map.
        grid: the backbone's `time_grid`, on which its excerpts must begin.
    """
    steps = [max(math.ceil(field.stride), grid) for field in fields]
    return tuple(slice(one.start // n * n, one.stop) for one, n in zip(crop, steps, strict=True))


def locate_centres(network: nn.Module, feature_map: Tensor, spectrogram: Tensor) -> list[Tensor]:
    """Locate the centres of the receptive fields of all positions of a feature map.

    The rows of a HarmonicNet are pitches: their receptive fields reach to harmonics far above, so the
    bins of the fundamental frequencies are taken as their centres.

    Args:
        network: network to the feature map, see `truncate`.
        feature_map: (batch, channels, ..., frames).
        spectrogram: (batch, channels, ..., frames).

    Returns:
        For each axis after the channels, the bin or frame of each index, with fractions.
    """
    harmonic = next((part for part in network.modules() if isinstance(part, HarmonicNet)), None)
    if harmonic is None:
        fields = measure_receptive_fields(network, spectrogram)
        axes = zip(fields, feature_map.shape[2:], spectrogram.shape[2:], strict=True)
        return [_locate_centres(field, n_positions, size) for field, n_positions, size in axes]
    rows, columns = (torch.arange(n) for n in feature_map.shape[2:])
    stride = round(spectrogram.shape[-1] / len(columns))
    n_bins = harmonic.bins_per_semitone
    return [n_bins * rows + n_bins // 2, stride * columns + (stride - 1) / 2]


def _locate_centres(field: ReceptiveField, n_positions: int, size: int) -> Tensor:
    """Locate centres along an axis; evenly spread where the field is infinite and has no centre."""
    positions = torch.arange(n_positions)
    if math.isinf(field.size):
        return (positions + 0.5) * size / n_positions - 0.5
    return field.offset + positions * field.stride


def make_interpolation_matrix(known: Tensor, wanted: Tensor) -> Tensor:
    """Make the matrix of linear interpolation between values at known coordinates.

    Args:
        known: coordinates of the values, ascending, (known,).
        wanted: coordinates to interpolate at, (wanted,); beyond the ends the values are constant.

    Returns:
        A matrix to multiply the values with from the left, (wanted, known).
    """
    known, wanted = known.double(), wanted.double()
    if len(known) == 1:
        return torch.ones(len(wanted), 1)
    right = torch.searchsorted(known, wanted).clamp(1, len(known) - 1)
    left = right - 1
    weight = ((wanted - known[left]) / (known[right] - known[left])).clamp(0, 1)
    matrix = torch.zeros(len(wanted), len(known), dtype=torch.float64)
    matrix.scatter_(1, left[:, None], 1 - weight[:, None])
    return matrix.scatter_(1, right[:, None], weight[:, None]).float()
