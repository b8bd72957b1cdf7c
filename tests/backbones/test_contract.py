"""What every backbone promises; a new one enters CASES with numbers worked out by hand."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from audiocnn import create_backbone, list_backbones
from audiocnn.backbones import BACKBONES, Backbone
from audiocnn.backbones.harmonic import HarmonicNet


@dataclass(frozen=True)
class Case:
    """A network, the picture it takes, and what is known of it.

    Attributes:
        bins: of its picture.
        rows: of its maps; none for dims=1.
        receptive_field: of the network with these arguments, in frames.
        parameters: of the network with its default arguments.
        macs: multiplications of its convolutions for `time_grid` frames of its default picture.
    """

    name: str
    arguments: dict[str, Any]
    bins: int
    rows: tuple[int, ...]
    receptive_field: int
    defaults: dict[str, Any] = field(default_factory=dict)
    parameters: int = 0
    macs: int = 0
    default_bins: int = 0


CASES = [
    Case(
        name="dilated",
        arguments={"in_channels": 40, "channels": 8, "dilations": (1, 3)},
        bins=40,
        rows=(),
        receptive_field=1 + 2 * (1 + 1 + 3),
        defaults={"in_channels": 229},
        default_bins=229,
        # Stem, eight stages, and two numbers a channel for each of nine norms.
        parameters=3 * 229 * 768 + 8 * 3 * 768**2 + 9 * 2 * 768,
        macs=3 * 229 * 768 + 8 * 3 * 768**2,
    ),
    Case(
        name="harmonic",
        arguments={"channels": 6, "n_pitches": 30, "dilations": (((12, 1), (1, 2)), ((7, 2), (12, 4)))},
        bins=3 * 48,
        rows=(30,),
        receptive_field=1 + 2 * (1 + 1 + 2 + 2 + 4),
        default_bins=3 * 98,
        # Stem over ten harmonics of three bins, eight convolutions, nine norms, and the bias a pitch.
        parameters=9 * 30 * 48 + 8 * 9 * 48**2 + 9 * 2 * 48 + 48 * 88,
        macs=88 * (9 * 30 * 48 + 8 * 9 * 48**2),
    ),
    Case(
        name="harmonic_unet",
        arguments={
            "channels": 6,
            "middle_channels": 8,
            "pool": 3,
            "n_pitches": 30,
            "before": (((12, 1), (1, 2)),),
            "middle": (((7, 1), (12, 2)),),
            "after": (((1, 1), (1, 1)),),
        },
        bins=3 * 48,
        rows=(30,),
        # Stem and before, middle with what its pitches do together, the rest of a cell, after.
        receptive_field=1 + 2 * (1 + 1 + 2 + 3 * (1 + 2 + 1) + 2 + 1 + 1),
        default_bins=3 * 98,
        # Stem, two blocks before and one after, down and up; four blocks of the middle, each with two
        # convolutions of what all pitches do together; all norms; the bias a pitch.
        parameters=9 * 30 * 32
        + 6 * 9 * 32**2
        + 2 * 4 * 32 * 96
        + 4 * (2 * 9 + 6 + 1) * 96**2
        + 2 * (7 * 32 + 32 + (1 + 4 * 4) * 96)
        + 32 * 88,
        # Of four frames, as the middle has one cell for them.
        macs=4 * 88 * (9 * 30 * 32 + 6 * 9 * 32**2)
        + 88 * (2 * 4 * 32 * 96 + 4 * 2 * 9 * 96**2)
        + 4 * (6 + 1) * 96**2,
    ),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


def create(name: str, arguments: dict[str, Any]) -> Backbone:
    """A network in which every path is open: random norms, also where they start at 0."""
    torch.manual_seed(0)
    backbone = create_backbone(name, **arguments).eval()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.1, 0.3)
    return backbone


def pictures(bins: int, n_frames: int, batch: int = 1) -> Tensor:
    return torch.rand(batch, 1, bins, n_frames, generator=torch.Generator().manual_seed(1))


def test_every_backbone_is_here() -> None:
    assert [case.name for case in CASES] == list_backbones()
    assert set(BACKBONES) == set(list_backbones())


def test_shapes(case: Case) -> None:
    backbone, x = create(case.name, case.arguments), pictures(case.bins, 23, batch=2)
    maps = backbone.features(x)
    assert backbone.dims == 1 + len(case.rows)
    assert backbone.in_channels == (1 if backbone.dims == 2 else case.bins)
    assert backbone.time_stride == 1
    assert [m.shape[:-1] for m in maps] == [(2, channels, *case.rows) for channels in backbone.stage_channels]
    assert {m.shape[-1] for m in maps} <= {23, math.ceil(23 / backbone.time_grid)}
    assert maps[-1].shape[-1] == 23
    assert backbone.out_channels == backbone.stage_channels[-1]
    torch.testing.assert_close(backbone(x), maps[-1])


def test_receptive_field(case: Case) -> None:
    backbone = create(case.name, case.arguments)
    assert backbone.receptive_field == case.receptive_field
    assert _heard(backbone, case.bins) == case.receptive_field // 2


def test_receptive_field_by_default(case: Case) -> None:
    backbone = create(case.name, {**case.defaults, "channels": 4})
    assert _heard(backbone, case.default_bins) == backbone.receptive_field // 2


def _heard(backbone: Backbone, bins: int) -> int:
    """How many frames away, on both sides, the picture reaches a frame of the map: by gradient."""
    reaches = []
    for frame in range(backbone.receptive_field, backbone.receptive_field + backbone.time_grid):
        x = pictures(bins, 2 * backbone.receptive_field + backbone.time_grid).requires_grad_()
        backbone(x)[..., frame].sum().backward()
        heard = x.grad.abs().amax(dim=(0, 1, 2)).nonzero().flatten().tolist()
        reaches.append((frame - heard[0], heard[-1] - frame))
    before, after = (max(sides) for sides in zip(*reaches, strict=True))
    assert before == after
    return before


def test_pieces_have_the_maps_of_the_whole(case: Case) -> None:
    """Where they begin on the grid and hold the receptive field."""
    backbone = create(case.name, case.arguments)
    reach, grid = backbone.receptive_field // 2, backbone.time_grid
    x = pictures(case.bins, 4 * reach + 7 * grid)
    start = math.ceil(reach / grid) * grid
    with torch.no_grad():
        whole, piece = backbone(x), backbone(x[..., start:])
    torch.testing.assert_close(piece[..., reach:], whole[..., start + reach :], rtol=1e-4, atol=1e-5)


def test_gradient_reaches_every_parameter(case: Case) -> None:
    backbone = create(case.name, case.arguments).train()
    backbone(pictures(case.bins, 40, batch=2)).square().sum().backward()
    unreached = [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []


def test_blocks_start_as_the_identity() -> None:
    maps = create_backbone("harmonic", channels=6).eval().features(torch.rand(1, 1, 3 * 98, 5))
    for later in maps[1:]:
        torch.testing.assert_close(later, maps[0])


def test_parameters_and_multiplications(case: Case) -> None:
    backbone = create_backbone(case.name, **case.defaults).eval()
    assert sum(p.numel() for p in backbone.parameters()) == case.parameters
    assert _macs(backbone, case.default_bins) == case.macs


def _macs(backbone: Backbone, bins: int) -> int:
    """Multiplications of all convolutions for the frames of one cell of its grid, counted while it runs."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        backbone(torch.zeros(1, 1, bins, backbone.time_grid))
    return counter.get_total_flops() // 2


def test_harmonics_stand_at_their_pitch() -> None:
    """Row i of the stack holds, channel by channel, the bins around each harmonic of pitch i."""
    net = HarmonicNet(channels=1, n_pitches=4, bins_per_semitone=3, harmonics=(0.5, 1, 2, 3))
    assert net.rows == (-12, 0, 12, 19)
    x = torch.arange(1, 3 * 20 + 1.0).reshape(1, 1, 60, 1)  # bin b holds b + 1
    stacked = net.stack(x)[0, :, :, 0]
    assert stacked.shape == (12, 4)
    assert stacked[:, 0].tolist() == [0, 0, 0, 1, 2, 3, 37, 38, 39, 58, 59, 60]
    # Below the picture lies nothing, and for pitch 3 the third harmonic lies above it.
    assert stacked[:, 3].tolist() == [0, 0, 0, 10, 11, 12, 46, 47, 48, 0, 0, 0]


def test_subharmonic_within_the_picture() -> None:
    net = HarmonicNet(channels=1, n_pitches=14, bins_per_semitone=1, harmonics=(0.5, 1))
    stacked = net.stack(torch.arange(1.0, 15).reshape(1, 1, 14, 1))[0, :, :, 0]
    assert stacked.tolist() == [[0.0] * 12 + [1.0, 2.0], [float(i) for i in range(1, 15)]]


def test_same_weights_for_every_pitch() -> None:
    """Music an octave higher gives the same maps an octave higher, away from the edges."""
    net = HarmonicNet(channels=4, n_pitches=60, harmonics=(1, 2), dilations=(((1, 1), (2, 1)),)).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    x = torch.zeros(1, 1, 3 * 72, 9)
    x[:, :, 60:63] = torch.rand(1, 1, 3, 9, generator=torch.Generator().manual_seed(2))
    low, high = net(x), net(x.roll(36, dims=2))
    torch.testing.assert_close(low[:, :, 4:40], high[:, :, 16:52], rtol=1e-5, atol=1e-6)
    assert low[:, :, 4:40].std() > 0


def test_dilated_channels_in_groups() -> None:
    net = create_backbone("dilated", in_channels=10, channels=8, dilations=(1,), groups=4)
    assert net.stages[0].branch[0].weight.shape == (8, 2, 3)


def test_list_backbones() -> None:
    assert list_backbones() == ["dilated", "harmonic", "harmonic_unet"]
    assert list_backbones("dil*") == ["dilated"]
    assert list_backbones("res*") == []


def test_unknown_backbone() -> None:
    with pytest.raises(
        ValueError, match="backbone is 'resnet', expected one of dilated, harmonic, harmonic_unet"
    ):
        create_backbone("resnet")
