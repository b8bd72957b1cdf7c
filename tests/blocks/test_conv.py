"""The convolution and its blocks in one and two dimensions."""

import pytest
import torch
from torch import nn

from audiocnn.blocks.conv import ConvNormAct, Residual, conv


@pytest.mark.parametrize(
    ("dims", "kernel_size", "dilation", "groups"),
    [(1, 3, 1, 1), (1, 5, 4, 3), (2, 3, 1, 1), (2, (3, 5), (12, 2), 1), (2, 1, 1, 3), (2, 3, (1, 8), 3)],
)
def test_keeps_the_size(dims: int, kernel_size, dilation, groups: int) -> None:
    x = torch.zeros(2, 6, *(29, 17)[:dims])
    for module in (
        conv(6, 9, kernel_size, dims=dims, dilation=dilation, groups=groups),
        ConvNormAct(6, 9, kernel_size, dims=dims, dilation=dilation, groups=groups),
    ):
        assert module(x).shape == (2, 9, *(29, 17)[:dims])


def test_dilated_kernel_reaches_its_interval() -> None:
    """A 3x3 kernel of ones, dilated by 12 bins and 2 frames, spreads one cell to nine."""
    module = conv(1, 1, 3, dims=2, dilation=(12, 2), bias=False)
    nn.init.ones_(module.weight)
    x = torch.zeros(1, 1, 40, 20)
    x[0, 0, 20, 10] = 1
    spread = {(int(row), int(column)) for row, column in module(x)[0, 0].nonzero()}
    assert spread == {(row, column) for row in (8, 20, 32) for column in (8, 10, 12)}


def test_depthwise_has_a_kernel_a_channel() -> None:
    assert conv(6, 6, 3, dims=2, groups=6).weight.shape == (6, 1, 3, 3)
    assert conv(6, 6, 3, dims=1, groups=6, bias=False).bias is None


@pytest.mark.parametrize("kernel_size", [2, (3, 4)])
def test_even_kernels_are_refused(kernel_size) -> None:
    with pytest.raises(ValueError, match=r"kernel_size is .*, expected odd sizes"):
        conv(1, 1, kernel_size, dims=2)


def test_conv_norm_act_in_this_order() -> None:
    module = ConvNormAct(3, 4, 3, dims=1).eval()
    assert module[0].bias is None
    nn.init.uniform_(module[1].running_mean, -1, 1)
    x = torch.randn(2, 3, 10, generator=torch.Generator().manual_seed(0))
    normalised = (module[0](x) - module[1].running_mean[:, None]) / (1 + 1e-5) ** 0.5
    assert (normalised < 0).any()
    torch.testing.assert_close(module(x), normalised.clamp(min=0))


def test_residual_adds_its_branch() -> None:
    x = torch.tensor([[[1.0, -2.0, 3.0]]])
    doubled = conv(1, 1, 1, dims=1, bias=False)
    nn.init.constant_(doubled.weight, 2.0)
    assert Residual(doubled)(x).tolist() == [[[3.0, -6.0, 9.0]]]
