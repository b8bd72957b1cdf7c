"""The inverted bottleneck against its figures, written out in torch's functions; parameters as published."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.inverted import InvertedBottleneck


def make_feature_map(dims: int) -> Tensor:
    return torch.randn(2, 4, *(6, 9)[-dims:], generator=torch.Generator().manual_seed(0))


def written(
    block: nn.Module, x: Tensor, stride: int, expansion: int, act, squeezes: bool, adds: bool
) -> Tensor:
    """Its layers as functions, with its parameters in their order."""
    parameters = iter(list(block.parameters()))
    function = {3: functional.conv1d, 4: functional.conv2d}[x.ndim]

    def conv_norm(y: Tensor, **arguments) -> Tensor:
        weight = next(parameters)
        y = function(y, weight, padding=weight.shape[-1] // 2, **arguments) / (1 + 1e-5) ** 0.5
        scale, shift = (next(parameters).reshape(-1, *[1] * (x.ndim - 2)) for _ in range(2))
        return y * scale + shift

    y = act(conv_norm(x)) if expansion != 1 else x
    y = act(conv_norm(y, stride=stride, groups=y.shape[1]))
    if squeezes:
        means = y.mean(dim=tuple(range(2, y.ndim)), keepdim=True)
        hidden = act(function(means, next(parameters), next(parameters)))
        y = y * function(hidden, next(parameters), next(parameters)).sigmoid()
    y = conv_norm(y)
    assert next(parameters, None) is None
    return x + y if adds else y


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(
    ("out_channels", "stride", "expansion", "kernel_size"),
    [(4, 1, 6, 3), (4, 2, 3, 5), (6, 1, 1, 3), (4, 1, 1, 3)],
)
@pytest.mark.parametrize("squeeze_channels", [0, 1])
def test_figures(dims, out_channels, stride, expansion, kernel_size, squeeze_channels) -> None:
    torch.manual_seed(0)
    act = ("relu6", functional.relu6) if not squeeze_channels else ("silu", functional.silu)
    block = InvertedBottleneck(
        4,
        out_channels,
        kernel_size,
        dims=dims,
        stride=stride,
        expansion=expansion,
        act=act[0],
        squeeze_channels=squeeze_channels,
        stochastic_depth=0.5,
    ).eval()
    for p in block.parameters():
        nn.init.uniform_(p, -1, 1)
    x, adds = make_feature_map(dims), (out_channels, stride) == (4, 1)
    expected = written(block, x, stride, expansion, act[1], squeeze_channels > 0, adds)
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-4)


def test_a_missing_branch_leaves_the_map() -> None:
    x = make_feature_map(2)
    assert torch.equal(InvertedBottleneck(4, 4, dims=2, stochastic_depth=1.0)(x), x)
    assert InvertedBottleneck(4, 6, dims=2, stochastic_depth=1.0)(
        x
    ).any()  # it has no shortcut: all would be lost


def count(parts: list[nn.Module]) -> int:
    return sum(p.numel() for part in parts for p in part.parameters())


# (expansion, channels, blocks, stride, kernel size) of each stage, as the papers' tables have them.
MOBILENET_V2 = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3)),
    *((6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)),
)
MNASNET = (
    *((1, 16, 1, 1, 3), (3, 24, 3, 2, 3), (3, 40, 3, 2, 5), (6, 80, 3, 2, 5)),
    *((6, 96, 2, 1, 3), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
EFFICIENTNET_B0 = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)


@pytest.mark.parametrize(
    ("table", "squeezing", "parameters"),
    [(MOBILENET_V2, 0, 3_504_872), (MNASNET, 0, 4_383_312), (EFFICIENTNET_B0, 4, 5_288_548)],
)
def test_published_parameters(table, squeezing: int, parameters: int) -> None:
    """Of 224x224x3 and 1000 classes, from torchvision's tables of models."""
    with torch.device("meta"):
        parts, channels = [ConvNormAct(3, 32, 3, dims=2, stride=2)], 32
        for expansion, width, depth, stride, kernel_size in table:
            for i in range(depth):
                parts.append(
                    InvertedBottleneck(
                        channels,
                        width,
                        kernel_size,
                        dims=2,
                        stride=stride if i == 0 else 1,
                        expansion=expansion,
                        squeeze_channels=channels // squeezing if squeezing else 0,
                    )
                )
                channels = width
        parts += [ConvNormAct(channels, 1280, 1, dims=2), nn.Linear(1280, 1000)]
    assert count(parts) == parameters
