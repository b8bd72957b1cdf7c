"""Columns against torch's and by hand; their product against torch's convolution."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from audiocnn.blocks.conv import conv
from audiocnn.blocks.dynamic import convolve_each
from audiocnn.blocks.im2col import conv_as_matmul, im2col
from audiocnn.blocks.local import LocallyConnected
from audiocnn.blocks.padding import PADDING_MODES

FUNCTIONAL = {1: functional.conv1d, 2: functional.conv2d}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_columns_by_hand() -> None:
    x = torch.tensor([[[1.0, 2, 3, 4], [5, 6, 7, 8]]])
    assert im2col(x, 2, padding="valid").tolist() == [[[1, 2, 3], [2, 3, 4], [5, 6, 7], [6, 7, 8]]]
    assert im2col(x, 3, stride=3).tolist() == [[[0, 3], [1, 4], [2, 0], [0, 7], [5, 8], [6, 0]]]


@pytest.mark.parametrize(
    ("stride", "dilation", "padding"), [(1, 1, 0), ((2, 3), (2, 1), (1, 2)), (1, (1, 3), 3)]
)
def test_columns_are_torchs(stride, dilation, padding) -> None:
    x = noise(2, 3, 9, 11)
    expected = functional.unfold(x, (3, 2), dilation=dilation, padding=padding, stride=stride)
    columns = im2col(x, (3, 2), stride=stride, padding=padding, dilation=dilation)
    torch.testing.assert_close(columns.flatten(2), expected, rtol=0, atol=0)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 2)])
def test_convolution_is_a_matrix_multiplication(dims: int, groups: int, stride: int, dilation: int) -> None:
    arguments = {"stride": stride, "padding": 1, "dilation": dilation, "groups": groups}
    x, weight = noise(2, 6, *(13, 10)[-dims:]), noise(9, 6 // groups, *(3, 4)[-dims:], seed=1)
    bias = noise(9, seed=2)
    expected = FUNCTIONAL[dims](x, weight, bias, **arguments)
    torch.testing.assert_close(conv_as_matmul(x, weight, bias, **arguments), expected, rtol=1e-4, atol=1e-5)


def test_columns_of_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"feature map's size is \(2,\), expected at least \(3,\)"):
        im2col(torch.zeros(1, 1, 2), 3, padding="valid")
    with pytest.raises(ValueError, match="groups is 2, expected a divisor of in_channels"):
        conv_as_matmul(torch.zeros(1, 3, 5), torch.zeros(4, 1, 3), groups=2)


@pytest.mark.parametrize(
    "options", [*({"padding_mode": mode} for mode in PADDING_MODES), {"padding_value": -2.5}]
)
def test_every_way_to_convolve_pads_alike(options: dict[str, Any]) -> None:
    layer, x = conv(3, 4, 5, dims=2, **options), noise(2, 3, 8, 9)
    with torch.no_grad():
        expected = layer(x)
        product = conv_as_matmul(x, layer.weight, layer.bias, **options)
        weights, biases = layer.weight.expand(2, -1, -1, -1, -1), layer.bias.expand(2, -1)
        each = convolve_each(x, weights, biases, **options)
        local = LocallyConnected(3, 4, 5, (8, 9), dims=2, **options)
        local.weight.copy_(layer.weight.flatten(1).expand(72, -1, -1))
        local.bias.copy_(layer.bias[:, None, None].expand(-1, 8, 9))
        alone = local(x)
    torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(product, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(each, expected, rtol=1e-4, atol=1e-5)
