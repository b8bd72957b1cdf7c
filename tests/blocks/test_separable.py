"""Cheap convolutions: equal to full ones where they can be, and what is lost elsewhere."""

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.conv import conv
from audiocnn.blocks.separable import DepthwiseSeparable, SpatiallySeparable, depthwise, factorise, pointwise

SOBEL = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
LAPLACE = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def n_weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("dims", [1, 2])
def test_pointwise_mixes_channels(dims: int) -> None:
    module, x = pointwise(3, 4, dims=dims), noise(2, 3, *(5, 6)[-dims:])
    expected = functional.linear(x.movedim(1, -1), module.weight.flatten(1), module.bias).movedim(-1, 1)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("dims", [1, 2])
def test_pointwise_in_groups(dims: int) -> None:
    """The second half of the channels does not reach the first half of the output."""
    module, x = pointwise(4, 6, dims=dims, groups=2, stride=2), noise(2, 4, *(5, 6)[-dims:])
    other = torch.cat([x[:, :2], x[:, 2:] + 1], dim=1)
    assert torch.equal(module(x)[:, :3], module(other)[:, :3])
    assert not torch.equal(module(x)[:, 3:], module(other)[:, 3:])
    assert module(x).shape == (2, 6, *(3, 3)[-dims:])


@pytest.mark.parametrize("dims", [1, 2])
def test_depthwise_is_a_convolution_a_channel(dims: int) -> None:
    module, x = depthwise(3, 3, dims=dims, multiplier=2), noise(2, 3, *(5, 6)[-dims:])
    function = {1: functional.conv1d, 2: functional.conv2d}[dims]
    y = module(x)
    for channel in range(6):
        kernel = module.weight[channel : channel + 1]
        reached = x[:, channel // 2 : channel // 2 + 1]
        expected = function(reached, kernel, module.bias[channel : channel + 1], padding=1)
        torch.testing.assert_close(y[:, channel : channel + 1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dims", [1, 2])
def test_depthwise_separable_is_a_convolution_of_their_product(dims: int) -> None:
    module = DepthwiseSeparable(3, 4, 5, dims=dims, stride=2, dilation=2, norm="none", act="none")
    x, (across, along) = noise(2, 3, *(13, 16)[-dims:]), (module[0][0], module[1][0])
    nn.init.zeros_(across.bias)
    kernel = along.weight * across.weight.transpose(0, 1)
    full = conv(3, 4, 5, dims=dims, stride=2, dilation=2)
    full.weight.data, full.bias.data = kernel.detach(), along.bias.detach()
    torch.testing.assert_close(module(x), full(x), rtol=1e-4, atol=1e-5)


def test_weights_of_mobilenets() -> None:
    """From 32 to 64 channels: 3 * 3 * 32 + 32 * 64 weights and two norms, for 3 * 3 * 32 * 64."""
    module = DepthwiseSeparable(32, 64, dims=2)
    assert n_weights(module) == 9 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert [type(layer).__name__ for part in module for layer in part] == [
        "Conv2d",
        "BatchNorm2d",
        "ReLU",
    ] * 2
    assert next(iter(module.state_dict())) == "0.0.weight"


@pytest.mark.parametrize(("kernel", "rank"), [(SOBEL, 1), (LAPLACE, 2), (SOBEL + SOBEL.T, 2)])
def test_kernels_of_low_rank_are_separable(kernel: Tensor, rank: int) -> None:
    full = conv(1, 1, 3, dims=2)
    full.weight.data = kernel[None, None]
    assert np.linalg.matrix_rank(kernel.numpy()) == rank
    separable, error = factorise(full, rank)
    x = noise(2, 1, 7, 9)
    assert error < 1e-6
    torch.testing.assert_close(separable(x), full(x), rtol=1e-4, atol=1e-5)
    if rank > 1:
        assert factorise(full, rank - 1)[1] > 0.1


def test_error_is_that_of_the_singular_values_left_out() -> None:
    full = conv(1, 1, (5, 7), dims=2)
    values = linalg.svdvals(full.weight[0, 0].detach().double().numpy())
    for rank in range(1, 6):
        separable, error = factorise(full, rank)
        expected = np.sqrt((values[rank:] ** 2).sum() / (values**2).sum())
        assert error == pytest.approx(expected, abs=1e-6)
        kernel = separable[1].weight[0, :, 0].T @ separable[0].weight[:, 0, :, 0]  # frames by bins
        left = (kernel.T - full.weight[0, 0]).norm() / full.weight.norm()
        assert left.item() == pytest.approx(error, abs=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"stride": (2, 3), "dilation": (1, 2), "bias": False},
        {"groups": 2, "padding": "valid"},
        {"groups": 4, "padding": "causal"},
        {"padding": ((2, 0), (1, 3)), "padding_mode": "replicate"},
        {"padding_mode": "reflect", "stride": 2},
        {"padding_mode": "symmetric"},
        {"padding_value": -2.5, "stride": 2},
    ],
)
def test_full_rank_is_exact(arguments) -> None:
    full, x = conv(4, 8, (3, 5), dims=2, **arguments), noise(2, 4, 12, 14)
    groups = arguments.get("groups", 1)
    most = min(4 // groups * 3, 8 // groups * 5)
    separable, error = factorise(full, most)
    assert error == 0
    torch.testing.assert_close(separable(x), full(x), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=rf"rank is {most + 1}, expected from 1 to {most} for a kernel of"):
        factorise(full, most + 1)


def test_torchs_own_padding_names() -> None:
    x = noise(1, 2, 6, 7)
    for padding in ("same", "valid"):
        full = nn.Conv2d(2, 2, 3, padding=padding)
        torch.testing.assert_close(factorise(full, 6)[0](x), full(x), rtol=1e-4, atol=1e-5)


def test_a_kernel_of_zeros() -> None:
    full = conv(1, 1, 3, dims=2)
    nn.init.zeros_(full.weight)
    separable, error = factorise(full, 1)
    assert error == 0
    torch.testing.assert_close(separable(torch.ones(1, 1, 4, 4)), full.bias.expand(1, 1, 4, 4))


def test_weights_of_a_separable_kernel() -> None:
    module = SpatiallySeparable(16, 32, (9, 7), rank=5)
    assert n_weights(module) == 16 * 5 * 9 + 5 * 32 * 7 + 32
    assert module(noise(2, 16, 5, 6)).shape == (2, 32, 5, 6)


def test_nothing_to_separate() -> None:
    with pytest.raises(ValueError, match="dims is 1, expected 2: a kernel over time alone"):
        SpatiallySeparable(1, 1, 3, rank=1, dims=1)
    with pytest.raises(ValueError, match="rank is 0, expected at least 1"):
        SpatiallySeparable(1, 1, 3, rank=0)
    with pytest.raises(ValueError, match="module is a Conv1d, expected a Conv2d"):
        factorise(conv(1, 1, 3, dims=1), 1)
