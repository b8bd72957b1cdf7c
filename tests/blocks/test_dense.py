"""Dense blocks against their figure, written out with torch's functions; parameters as published."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.dense import DenseBlock, DenseLayer, DenseTransition


def make_feature_map(dims: int, channels: int = 5) -> Tensor:
    return torch.randn(2, channels, *(4, 6)[-dims:], generator=torch.Generator().manual_seed(0))


def norm_relu_conv(x: Tensor, scale: Tensor, shift: Tensor, weight: Tensor) -> Tensor:
    shape = (-1, *[1] * (x.ndim - 2))
    y = (x / (1 + 1e-5) ** 0.5 * scale.reshape(shape) + shift.reshape(shape)).relu()
    function = {3: functional.conv1d, 4: functional.conv2d}[x.ndim]
    return function(y, weight, padding=weight.shape[-1] // 2)


def randomised(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for p in module.parameters():
        nn.init.uniform_(p, -1, 1)
    return module.eval()


@pytest.mark.parametrize("dims", [1, 2])
def test_layer(dims: int) -> None:
    layer, x = randomised(DenseLayer(5, 3, dims=dims, bottleneck=2, drop=0.5)), make_feature_map(dims)
    parameters = list(layer.parameters())
    new = norm_relu_conv(norm_relu_conv(x, *parameters[:3]), *parameters[3:])
    assert parameters[2].shape[:2] == (6, 5)
    torch.testing.assert_close(layer(x), torch.cat([x, new], dim=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dims", [1, 2])
def test_block_reads_all_before_it(dims: int) -> None:
    block, x = randomised(DenseBlock(5, 3, 3, dims=dims, bottleneck=2)), make_feature_map(dims)
    y = block(x)
    assert block.out_channels == y.shape[1] == 14
    read = x
    for layer in block:
        read = layer(read)
    torch.testing.assert_close(y, read)
    torch.testing.assert_close(y[:, :5], x)
    assert [layer.new[0][2].weight.shape[1] for layer in block] == [5, 8, 11]


@pytest.mark.parametrize("dims", [1, 2])
def test_transition(dims: int) -> None:
    pool = {1: nn.AvgPool1d, 2: nn.AvgPool2d}[dims](2)
    transition, x = randomised(DenseTransition(5, 2, pool, dims=dims)), make_feature_map(dims)
    full = norm_relu_conv(x, *transition.parameters())
    expected = {1: functional.avg_pool1d, 2: functional.avg_pool2d}[dims](full, 2)
    torch.testing.assert_close(transition(x), expected, rtol=1e-4, atol=1e-5)


def test_drop_of_new_values_only() -> None:
    torch.manual_seed(0)
    layer, x = DenseLayer(5, 40, dims=2, drop=0.25), make_feature_map(2)
    y = layer(x)
    assert torch.equal(y[:, :5], x)
    assert (y[:, 5:] == 0).float().mean().item() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    ("depths", "growth", "parameters"),
    [((6, 12, 24, 16), 32, 7_978_856), ((6, 12, 32, 32), 32, 14_149_480), ((6, 12, 48, 32), 32, 20_013_928)],
)
def test_published_parameters(depths, growth: int, parameters: int) -> None:
    """Of DenseNet 121, 169 and 201 with 1000 classes, from torchvision's table of models."""
    with torch.device("meta"):
        parts, channels = [ConvNormAct(3, 2 * growth, 7, dims=2, stride=2)], 2 * growth
        for stage, depth in enumerate(depths):
            parts.append(DenseBlock(channels, growth, depth, dims=2))
            channels = parts[-1].out_channels
            if stage < len(depths) - 1:
                parts.append(DenseTransition(channels, channels // 2, nn.AvgPool2d(2), dims=2))
                channels //= 2
        parts += [nn.BatchNorm2d(channels), nn.Linear(channels, 1000)]
    assert sum(p.numel() for part in parts for p in part.parameters()) == parameters
