"""MobileNetV2, MNasNet and EfficientNet: scaling by the papers, stochastic depth, settings of norms."""

import pytest
import torch
from torch import nn

from audiocnn import create_backbone
from audiocnn.backbones.inverted import Row, scale_channels, scale_rows
from audiocnn.blocks.cost import count_parameters
from audiocnn.blocks.drop import StochasticDepth


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    # 32 * 1.1 = 35.2 and 32 * 1.2 = 38.4 go to the nearest; 16 * 0.7 = 11.2 would lose too much with 8.
    [(32, 1.1, 32), (32, 1.2, 40), (24, 0.35, 8), (16, 0.7, 16), (1280, 1.4, 1792), (16, 0.1, 8)],
)
def test_channels_are_multiples_of_8(channels: int, width: float, expected: int) -> None:
    assert scale_channels(channels, width) == expected


def test_depths_are_rounded_up() -> None:
    rows = scale_rows([Row(1, 16, 1, 1), Row(6, 24, 2, 2), Row(6, 192, 4, 2)], width=1.0, depth=1.1)
    assert [row.depth for row in rows] == [2, 3, 5]


@pytest.mark.parametrize(("width", "depth"), [(0, 1), (-1, 1), (1, 0)])
def test_scales_above_0(width: float, depth: float) -> None:
    name, value = ("width", width) if width <= 0 else ("depth", depth)
    with pytest.raises(ValueError, match=f"{name} is {value}, expected more than 0"):
        scale_rows([Row(1, 16, 1, 1)], width, depth)


@pytest.mark.parametrize(
    ("name", "depths", "stage_channels"),
    [
        ("efficientnet_b0", (1, 2, 2, 3, 3, 4, 1), (32, 16, 24, 40, 80, 112, 192, 320, 1280)),
        ("efficientnet_b3", (2, 3, 3, 5, 5, 6, 2), (40, 24, 32, 48, 96, 136, 232, 384, 1536)),
        ("efficientnet_b7", (4, 7, 7, 10, 10, 13, 4), (64, 32, 48, 80, 160, 224, 384, 640, 2560)),
    ],
)
def test_compound_scaling(name: str, depths: tuple[int, ...], stage_channels: tuple[int, ...]) -> None:
    """As the authors' code prints its models: B0 of table 1, and two that are wider and deeper."""
    with torch.device("meta"):
        backbone = create_backbone(name)
    assert tuple(len(stage) for stage in backbone.stages[1:-1]) == depths
    assert backbone.stage_channels == stage_channels


@pytest.mark.parametrize(("width", "parameters"), [(0.5, 2_218_512), (0.75, 3_170_208), (1.3, 6_282_256)])
def test_mnasnet_of_other_widths(width: float, parameters: int) -> None:
    """Counts of torchvision's mnasnet0_5, 0_75 and 1_3."""
    with torch.device("meta"):
        backbone = create_backbone("mnasnet1_0", in_channels=3, width=width)
        model = nn.Sequential(backbone, backbone.classifier(1000))
    assert count_parameters(model) == parameters


def test_stochastic_depth_rises() -> None:
    """Block i of 16 misses its branch with probability 0.2 i / 16, where it has a sum: 9 of B0's blocks."""
    backbone = create_backbone("efficientnet_b0", drop=0.2)
    rates = [part.p for part in backbone.modules() if isinstance(part, StochasticDepth)]
    assert rates == pytest.approx([0.2 * i / 16 for i in (2, 4, 6, 7, 9, 10, 12, 13, 14)])


@pytest.mark.parametrize(
    ("name", "eps", "momentum"),
    [
        ("mobilenet_v2", 1e-5, 0.1),
        ("mnasnet1_0", 1e-5, 3e-4),
        ("efficientnet_b4", 1e-5, 0.1),
        ("efficientnet_b5", 1e-3, 0.01),
    ],
)
def test_settings_of_batch_norm(name: str, eps: float, momentum: float) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name)
    norms = [part for part in backbone.modules() if isinstance(part, nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {eps}
    assert [norm.momentum for norm in norms] == pytest.approx([momentum] * len(norms))


def test_biases_where_no_norm_follows() -> None:
    backbone = create_backbone("efficientnet_small", norm="none")
    convolutions = [part for part in backbone.modules() if isinstance(part, nn.Conv2d)]
    assert all(part.bias is not None for part in convolutions)
