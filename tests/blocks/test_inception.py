"""NiN's and GoogLeNet's modules against their figures; parameters as published."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.inception import Inception, MlpConv
from audiocnn.blocks.norm import create_norm

FUNCTIONS = {
    1: (functional.conv1d, functional.max_pool1d),
    2: (functional.conv2d, functional.max_pool2d),
}


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dims", [1, 2])
def test_perceptron_at_each_position(dims: int) -> None:
    """Of each window, by fully connected layers."""
    module, x = MlpConv(3, (5, 4, 2), 3, dims=dims, padding="valid", stride=2), noise(2, 3, *(7, 9)[-dims:])
    y = module(x)
    w1, b1, w2, b2, w3, b3 = (p.flatten(1) if p.ndim > 1 else p for p in module.parameters())
    at = (2, 3)[-dims:]
    window = x[(slice(None), slice(None), *(slice(2 * i, 2 * i + 3) for i in at))].flatten(1)
    hidden = (window @ w1.T + b1).relu()
    hidden = (hidden @ w2.T + b2).relu()
    expected = (hidden @ w3.T + b3).relu()
    torch.testing.assert_close(y[(slice(None), slice(None), *at)], expected, rtol=1e-4, atol=1e-5)
    assert y.shape == (2, module.out_channels, *(3, 4)[-dims:])


def test_perceptron_without_layers() -> None:
    with pytest.raises(ValueError, match=r"widths is \(\), expected the channels of one convolution or more"):
        MlpConv(3, (), 3, dims=1)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("large_kernel", [3, 5])
def test_four_looks(dims: int, large_kernel: int) -> None:
    module = Inception(6, 2, (3, 4), (2, 5), 1, dims=dims, large_kernel=large_kernel, norm="none")
    x, parameters = noise(2, 6, *(5, 7)[-dims:]), iter(list(module.parameters()))
    convolve, max_pool = FUNCTIONS[dims]

    def layer(y: Tensor) -> Tensor:
        weight, bias = next(parameters), next(parameters)
        return convolve(y, weight, bias, padding=weight.shape[-1] // 2).relu()

    looks = [layer(x), layer(layer(x)), layer(layer(x)), layer(max_pool(x, 3, 1, 1))]
    assert next(parameters, None) is None
    torch.testing.assert_close(module(x), torch.cat(looks, dim=1), rtol=1e-4, atol=1e-5)
    assert module.out_channels == 2 + 4 + 5 + 1 == sum(look.shape[1] for look in looks)
    assert module.branches[2][1][0].kernel_size == (large_kernel,) * dims


@pytest.mark.parametrize("dims", [1, 2])
def test_another_pooling(dims: int) -> None:
    pool = {1: nn.AvgPool1d, 2: nn.AvgPool2d}[dims](3, stride=1, padding=1)
    module, x = (
        Inception(2, 1, (1, 1), (1, 1), 2, dims=dims, pool=pool, norm="none"),
        noise(1, 2, *(4, 5)[-dims:]),
    )
    pooled = module.branches[3][1]
    torch.testing.assert_close(module(x)[:, 3:], pooled(pool(x)))


# GoogLeNet's modules as in the paper's table 1, without the auxiliary classifiers.
MODULES = (
    (64, (96, 128), (16, 32), 32),
    (128, (128, 192), (32, 96), 64),
    (192, (96, 208), (16, 48), 64),
    (160, (112, 224), (24, 64), 64),
    (128, (128, 256), (24, 64), 64),
    (112, (144, 288), (32, 64), 64),
    (256, (160, 320), (32, 128), 128),
    (256, (160, 320), (32, 128), 128),
    (384, (192, 384), (48, 128), 128),
)


def test_published_parameters() -> None:
    """torchvision's GoogLeNet: 13,004,888 in its table of models, of which 6,379,984 are auxiliary."""
    batch_norm = partial(create_norm, "batch", eps=1e-3)
    with torch.device("meta"):
        parts = [
            ConvNormAct(3, 64, 7, dims=2, stride=2, norm=batch_norm),
            ConvNormAct(64, 64, 1, dims=2, norm=batch_norm),
            ConvNormAct(64, 192, 3, dims=2, norm=batch_norm),
        ]
        channels = 192
        for widths in MODULES:
            parts.append(Inception(channels, *widths, dims=2, large_kernel=3, norm=batch_norm))
            channels = parts[-1].out_channels
        parts.append(nn.Linear(channels, 1000))
    assert sum(p.numel() for part in parts for p in part.parameters()) == 13_004_888 - 6_379_984
