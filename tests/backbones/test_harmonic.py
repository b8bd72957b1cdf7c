"""HarmonicNet and HarmonicUNet against numbers worked out by hand, and what they promise of pitches."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from audiocnn import create_backbone
from audiocnn.backbones import Backbone
from audiocnn.backbones.harmonic import HarmonicNet
from audiocnn.blocks.cost import count_macs, count_parameters

BINS = 3 * 98  # of the default spectrogram

# Small networks: (name, arguments, receptive field)
SMALL: list[tuple[str, dict[str, Any], int]] = [
    (
        "harmonic",
        {"channels": 6, "n_pitches": 30, "dilations": (((12, 1), (1, 2)), ((7, 2), (12, 4)))},
        1 + 2 * (1 + 1 + 2 + 2 + 4),
    ),
    (
        "harmonic_unet",
        {
            "channels": 6,
            "middle_channels": 8,
            "pool": 3,
            "n_pitches": 30,
            "before": (((12, 1), (1, 2)),),
            "middle": (((7, 1), (12, 2)),),
            "after": (((1, 1), (1, 1)),),
        },
        # Stem and before, middle with pooled context, the rest of a position, after.
        1 + 2 * (1 + 1 + 2 + 3 * (1 + 2 + 1) + 2 + 1 + 1),
    ),
]
# By default: (name, parameters, multiplications for the frames of one step of the grid)
COUNTS = [
    # Stem over ten harmonics of three bins, eight convolutions, nine norms, and the bias a pitch.
    (
        "harmonic",
        9 * 30 * 48 + 8 * 9 * 48**2 + 9 * 2 * 48 + 48 * 88,
        88 * (9 * 30 * 48 + 8 * 9 * 48**2),
    ),
    # Stem, two blocks before and one after, down and up; four blocks of the middle, each with two
    # convolutions of what all pitches do together; all norms; the bias a pitch. Of four frames the middle has
    # one step.
    (
        "harmonic_unet",
        9 * 30 * 32
        + 6 * 9 * 32**2
        + 2 * 4 * 32 * 96
        + 4 * (2 * 9 + 6 + 1) * 96**2
        + 2 * (7 * 32 + 32 + (1 + 4 * 4) * 96)
        + 32 * 88,
        4 * 88 * (9 * 30 * 32 + 6 * 9 * 32**2)
        + 88 * (2 * 4 * 32 * 96 + 4 * 2 * 9 * 96**2)
        + 4 * (6 + 1) * 96**2,
    ),
]


def create(name: str, **arguments: Any) -> Backbone:
    """A network in which every path is open: random norms, also where they start at 0."""
    torch.manual_seed(0)
    backbone = create_backbone(name, **arguments).eval()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.1, 0.3)
    return backbone


def images(bins: int, n_frames: int, batch: int = 1) -> Tensor:
    return torch.rand(batch, 1, bins, n_frames, generator=torch.Generator().manual_seed(1))


def reached(backbone: Backbone, bins: int) -> int:
    """Compute how many frames away, on both sides, the spectrogram reaches an output frame: by gradient."""
    first = backbone.receptive_field
    x = images(bins, 2 * first + backbone.time_grid).requires_grad_()
    feature_maps, reaches = backbone(x), []
    for frame in range(first, first + backbone.time_grid):
        (gradient,) = torch.autograd.grad(feature_maps[..., frame].sum(), x, retain_graph=True)
        reached = gradient.abs().amax(dim=(0, 1, 2)).nonzero().flatten().tolist()
        reaches.append((frame - reached[0], reached[-1] - frame))
    before, after = (max(sides) for sides in zip(*reaches, strict=True))
    assert before == after
    return before


@pytest.mark.parametrize(("name", "arguments", "receptive_field"), SMALL)
def test_receptive_field(name: str, arguments: dict[str, Any], receptive_field: int) -> None:
    backbone = create(name, **arguments)
    assert backbone.receptive_field == receptive_field
    assert reached(backbone, 3 * 48) == receptive_field // 2


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("harmonic", {"channels": 4}), ("harmonic_unet", {"channels": 4, "middle_channels": 4})],
)
def test_receptive_field_by_default(name: str, arguments: dict[str, Any]) -> None:
    backbone = create(name, n_pitches=30, **arguments)
    assert reached(backbone, 3 * 48) == backbone.receptive_field // 2


@pytest.mark.parametrize(("name", "arguments", "receptive_field"), SMALL)
def test_maps(name: str, arguments: dict[str, Any], receptive_field: int) -> None:
    """A row a pitch, and a column a frame, or in the middle of HarmonicUNet one for a few frames."""
    backbone = create(name, **arguments)
    feature_maps = backbone.features(images(3 * 48, 23, batch=2))
    assert (backbone.dims, backbone.in_channels, backbone.time_stride) == (2, 1, 1)
    assert [m.shape[:-1] for m in feature_maps] == [(2, channels, 30) for channels in backbone.stage_channels]
    assert {m.shape[-1] for m in feature_maps} == {23, math.ceil(23 / backbone.time_grid)}


@pytest.mark.parametrize(("name", "parameters", "multiplications"), COUNTS)
def test_parameters_and_multiplications(name: str, parameters: int, multiplications: int) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name)
    assert count_parameters(backbone) == parameters
    assert count_macs(backbone, (1, 1, BINS, backbone.time_grid)) == multiplications


def test_blocks_start_as_the_identity() -> None:
    feature_maps = create_backbone("harmonic", channels=6).eval().features(torch.rand(1, 1, BINS, 5))
    for later in feature_maps[1:]:
        torch.testing.assert_close(later, feature_maps[0])


def test_harmonics_stand_at_their_pitch() -> None:
    """Row i of the stack holds, channel by channel, the bins around each harmonic of pitch i."""
    net = HarmonicNet(channels=1, n_pitches=4, bins_per_semitone=3, harmonics=(0.5, 1, 2, 3))
    assert net.rows == (-12, 0, 12, 19)
    x = torch.arange(1, 3 * 20 + 1.0).reshape(1, 1, 60, 1)  # bin b holds b + 1
    stacked = net.stack(x)[0, :, :, 0]
    assert stacked.shape == (12, 4)
    assert stacked[:, 0].tolist() == [0, 0, 0, 1, 2, 3, 37, 38, 39, 58, 59, 60]
    # Below the spectrogram lies nothing, and for pitch 3 the third harmonic lies above it.
    assert stacked[:, 3].tolist() == [0, 0, 0, 10, 11, 12, 46, 47, 48, 0, 0, 0]


def test_subharmonic_within_the_image() -> None:
    net = HarmonicNet(channels=1, n_pitches=14, bins_per_semitone=1, harmonics=(0.5, 1))
    stacked = net.stack(torch.arange(1.0, 15).reshape(1, 1, 14, 1))[0, :, :, 0]
    assert stacked.tolist() == [[0.0] * 12 + [1.0, 2.0], [float(i) for i in range(1, 15)]]


def test_same_weights_for_every_pitch() -> None:
    """Music an octave higher has the same features an octave higher, away from the edges."""
    net = HarmonicNet(channels=4, n_pitches=60, harmonics=(1, 2), dilations=(((1, 1), (2, 1)),)).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    x = torch.zeros(1, 1, 3 * 72, 9)
    x[:, :, 60:63] = torch.rand(1, 1, 3, 9, generator=torch.Generator().manual_seed(2))
    low, high = net(x), net(x.roll(36, dims=2))
    torch.testing.assert_close(low[:, :, 4:40], high[:, :, 16:52], rtol=1e-5, atol=1e-6)
    assert low[:, :, 4:40].std() > 0
