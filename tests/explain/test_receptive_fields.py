"""Receptive fields as crops: an activation depends on its crop alone."""

import math

import pytest
import torch
from torch import nn

from audiocnn.backbones import create_backbone
from audiocnn.blocks.geometry import ReceptiveField
from audiocnn.explain.network import truncate
from audiocnn.explain.receptive_fields import (
    align_crop,
    locate_centres,
    locate_crop,
    make_interpolation_matrix,
    measure_receptive_fields,
)


@pytest.mark.parametrize(
    ("position", "expected"), [(0, slice(0, 3)), (1, slice(2, 7)), (5, slice(18, 23)), (6, slice(22, 23))]
)
def test_a_crop_is_the_receptive_field_inside_the_spectrogram(position: int, expected: slice) -> None:
    fields = (ReceptiveField(5, 4, 0.0),)
    assert locate_crop(fields, (position,), torch.zeros(1, 1, 23)) == (expected,)


def test_an_infinite_receptive_field_has_the_whole_as_its_crop() -> None:
    fields = (ReceptiveField(math.inf, 4, 1.5),)
    assert locate_crop(fields, (3,), torch.zeros(1, 1, 23)) == (slice(0, 23),)


@pytest.mark.parametrize(
    ("name", "dims", "layer", "position"),
    [
        ("resnet18", 2, "backbone.stages.1", (7, 11)),
        ("resnet18", 2, "backbone.stages.2", (0, 9)),  # at the edge
        ("vgg11", 2, "backbone.stages.3", (5, 4)),
        ("resnet18", 1, "backbone.stages.2", (9,)),
        ("m5", 1, "backbone.stages.1", (40,)),
        ("tcn", 1, "backbone", (70,)),
    ],
)
def test_an_aligned_crop_alone_has_the_same_activation(
    name: str, dims: int, layer: str, position: tuple
) -> None:
    torch.manual_seed(0)
    channels = 1 if dims == 2 or name == "m5" else 24
    network = nn.Sequential()
    network.add_module("backbone", create_backbone(name, dims=dims, in_channels=channels).eval())
    size = (80, 96) if dims == 2 else (4000 if name == "m5" else 96,)
    spectrogram = torch.randn(1, channels, *size)
    part = truncate(network, layer)
    fields = measure_receptive_fields(part, spectrogram)
    crop = locate_crop(fields, position, spectrogram)
    assert all(0 <= one.start < one.stop <= n for one, n in zip(crop, size, strict=True))
    aligned = align_crop(crop, fields)
    begins = [one.start // int(field.stride) for one, field in zip(aligned, fields, strict=True)]
    inner = tuple(i - begin for i, begin in zip(position, begins, strict=True))
    with torch.no_grad():
        expected = part(spectrogram)[(0, slice(None), *position)]
        torch.testing.assert_close(part(spectrogram[(..., *aligned)])[(0, slice(None), *inner)], expected)
        # and nothing beyond the crop matters
        elsewhere = torch.randn_like(spectrogram)
        elsewhere[(..., *crop)] = spectrogram[(..., *crop)]
        torch.testing.assert_close(part(elsewhere)[(0, slice(None), *position)], expected)


def test_centres_of_receptive_fields() -> None:
    network = nn.Conv2d(1, 1, 3, stride=2, padding=1)
    spectrogram = torch.zeros(1, 1, 8, 12)
    found = locate_centres(network, network(spectrogram), spectrogram)
    assert [axis.tolist() for axis in found] == [[0, 2, 4, 6], [0, 2, 4, 6, 8, 10]]


def test_rows_of_pitches_lie_at_their_frequency() -> None:
    backbone = create_backbone("harmonic_unet")
    spectrogram = torch.zeros(1, 1, 294, 24)
    rows, frames = locate_centres(backbone, torch.zeros(1, 1, 88, 6), spectrogram)
    assert rows[:3].tolist() == [1, 4, 7]
    assert frames.tolist() == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5]


def test_interpolation_matrix() -> None:
    matrix = make_interpolation_matrix(torch.tensor([1.0, 3.0, 4.0]), torch.tensor([0.0, 1.0, 1.5, 3.5, 9.0]))
    known = torch.tensor([10.0, 20.0, 50.0])
    assert (matrix @ known).tolist() == [10, 10, 12.5, 35, 50]


def test_receptive_fields_are_measured_once_for_each_layer_and_size() -> None:
    network = nn.Sequential(nn.Conv1d(1, 1, 3), nn.Conv1d(1, 1, 5))
    spectrogram = torch.zeros(1, 1, 40)
    found = [measure_receptive_fields(truncate(network, layer), spectrogram) for layer in ("0", "1", "0")]
    assert [fields[0].size for fields in found] == [3, 7, 3]
    assert found[0] is found[2]
