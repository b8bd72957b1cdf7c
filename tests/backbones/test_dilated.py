"""DilatedNet against numbers worked out by hand."""

import pytest
import torch

from audiocnn import create_backbone
from audiocnn.blocks.cost import count_macs, count_parameters


@pytest.mark.parametrize("dims", [1, 2])
def test_receptive_field(dims: int) -> None:
    backbone = create_backbone("dilated", dims=dims, in_channels=4, channels=8, dilations=(1, 3))
    assert backbone.receptive_field == 1 + 2 * (1 + 1 + 3)


def test_receptive_field_by_default() -> None:
    """The frames that reach an output frame, on both sides, by gradient."""
    torch.manual_seed(0)
    backbone = create_backbone("dilated", in_channels=229, channels=4).eval()
    reach = backbone.receptive_field // 2
    x = torch.rand(1, 229, 2 * backbone.receptive_field).requires_grad_()
    backbone(x)[..., backbone.receptive_field].sum().backward()
    reached = x.grad.abs().amax(dim=(0, 1)).nonzero().flatten().tolist()
    assert (backbone.receptive_field - reached[0], reached[-1] - backbone.receptive_field) == (reach, reach)


def test_parameters_and_multiplications() -> None:
    """Stem, eight stages, and two numbers a channel for each of nine norms."""
    with torch.device("meta"):
        backbone = create_backbone("dilated", in_channels=229)
    assert count_parameters(backbone) == 3 * 229 * 768 + 8 * 3 * 768**2 + 9 * 2 * 768
    assert count_macs(backbone, (1, 229, 1)) == 3 * 229 * 768 + 8 * 3 * 768**2


def test_channels_in_groups() -> None:
    net = create_backbone("dilated", in_channels=10, channels=8, dilations=(1,), groups=4)
    assert net.stages[1].branch[0].weight.shape == (8, 2, 3)
