"""The temporal network: its receptive field, in the sizes of its authors."""

import pytest
import torch
from torch import Tensor, nn

from audiocnn import create_backbone
from audiocnn.backbones.tcn import LastFrame, TemporalNet


def reached(backbone: nn.Module, x: Tensor, frame: int) -> list[int]:
    """The frames of the input that reach an output frame."""
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(backbone(x)[..., frame].sum(), x)
    return gradient.flatten(0, -2).abs().amax(dim=0).nonzero().flatten().tolist()


def open_everywhere(**arguments) -> TemporalNet:
    """With positive weights and no norms: no path is cut."""
    backbone = TemporalNet(norm="none", drop=0.0, **arguments).eval()
    for parameter in backbone.parameters():
        nn.init.uniform_(parameter, 0.1, 1)
    return backbone


@pytest.mark.parametrize("dims", [1, 2])
def test_depends_on_all_of_its_past_and_nothing_of_the_future(dims: int) -> None:
    """Three blocks of two convolutions over three frames: 2 * 2 * (1 + 2 + 4) frames back."""
    backbone = open_everywhere(dims=dims, channels=(2, 3, 2), kernel_size=3)
    assert reached(backbone, torch.rand(1, 1, *(5,) * (dims - 1), 60), 40) == list(range(40 - 28, 41))
    assert backbone.receptive_field == 1 + 2 * 28


def test_depends_on_both_sides_if_wanted() -> None:
    backbone = open_everywhere(channels=(2, 2), kernel_size=3, padding="same")
    assert reached(backbone, torch.rand(1, 1, 40), 20) == list(range(20 - 6, 20 + 7))
    assert backbone.receptive_field == 13


def test_bins_are_neither_causal_nor_dilated() -> None:
    backbone = open_everywhere(dims=2, channels=(1, 1), kernel_size=3)
    x = torch.rand(1, 1, 15, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(backbone(x)[0, 0, 7, -1], x)
    assert gradient[0, 0].any(dim=1).nonzero().flatten().tolist() == list(range(7 - 4, 7 + 5))


def test_even_kernels_are_for_time_alone() -> None:
    assert create_backbone("tcn", kernel_size=6)(torch.rand(2, 1, 9)).shape == (2, 150, 9)
    with pytest.raises(ValueError, match=r"kernel_size is \(6, 6\), expected odd sizes"):
        create_backbone("tcn", dims=2, kernel_size=6)


def test_small_member_has_the_size_of_the_paper() -> None:
    """About 70,000 parameters for sequential MNIST: eight blocks of 25 channels, kernels of 7."""
    backbone = create_backbone("tcn_small")
    weights = (
        7 * 25 * (1 + 15 * 25) + 25 + 25
    )  # two convolutions a block, the first over one channel; shortcut
    norms = 16 * 2 * 25
    assert sum(p.numel() for p in backbone.parameters()) == weights + norms
    assert backbone.receptive_field == 1 + 2 * 2 * 6 * 255


def test_classifier_reads_the_last_frame() -> None:
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert LastFrame()(x[:, :, 0]).tolist() == [[3, 15]]
    assert LastFrame()(x).tolist() == [[7, 19]]
