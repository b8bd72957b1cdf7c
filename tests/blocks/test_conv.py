"""The convolution and its blocks in one and two dimensions."""

import math

import numpy as np
import pytest
import torch
from scipy import signal
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.conv import (
    ConvNormAct,
    NormActConv,
    Residual,
    conv,
    conv_transpose,
)

FUNCTIONAL = {1: functional.conv1d, 2: functional.conv2d}
ROWS = [[3.0, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
IMAGE = torch.tensor([[ROWS]])
KERNEL = torch.tensor([[0.0, 1, 2], [2, 2, 0], [0, 1, 2]])[None, None]
CONVOLVED = [[12.0, 12, 17], [10, 17, 19], [9, 6, 14]]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_weight(module: nn.Module, weight: Tensor, bias: float = 0.0) -> nn.Module:
    """The convolution with these weights, and one bias for all channels."""
    module.weight.data = weight
    if module.bias is not None:
        nn.init.constant_(module.bias, bias)
    return module


def test_worked_image() -> None:
    module = with_weight(conv(1, 1, 3, dims=2, padding="valid"), KERNEL)
    assert module(IMAGE)[0, 0].tolist() == CONVOLVED


def test_worked_series() -> None:
    """Kernel 1 0 -1 and bias 10 over 1 2 3 4 3 2 1: 1 - 3 + 10 = 8 first."""
    series = torch.tensor([[[1.0, 2, 3, 4, 3, 2, 1]]])
    module = with_weight(conv(1, 1, 3, dims=1, padding="valid"), torch.tensor([[[1.0, 0, -1]]]), bias=10)
    assert module(series)[0, 0].tolist() == [8, 8, 10, 12, 12]


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


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same", "full"])
def test_paddings_are_scipys(dims: int, padding: str) -> None:
    x, kernel = noise(*(11, 8)[:dims]), noise(*(5, 3)[:dims], seed=1)
    module = with_weight(conv(1, 1, (5, 3)[:dims], dims=dims, padding=padding), kernel[None, None])
    expected = signal.correlate(x.double().numpy(), kernel.double().numpy(), mode=padding)
    np.testing.assert_allclose(module(x[None, None])[0, 0].detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("padding", ["same", "causal", "full", ((2, 1), (0, 3))])
@pytest.mark.parametrize(
    ("mode", "numpy_mode"),
    [
        ("zeros", "constant"),
        ("replicate", "edge"),
        ("reflect", "reflect"),
        ("symmetric", "symmetric"),
        ("circular", "wrap"),
    ],
)
def test_padding_modes_are_numpys(dims: int, padding, mode: str, numpy_mode: str) -> None:
    x, kernel = noise(2, 3, *(9, 8)[-dims:]), noise(4, 3, *(5, 3)[-dims:], seed=1)
    if not isinstance(padding, str):
        padding = padding[-dims:]
    sides = {"same": ((2, 2), (1, 1)), "causal": ((2, 2), (2, 0)), "full": ((4, 4), (2, 2))}
    sides = sides.get(padding, padding)[-dims:] if isinstance(padding, str) else padding
    module = conv(3, 4, (5, 3)[-dims:], dims=dims, padding=padding, padding_mode=mode, bias=False)
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), *sides), mode=numpy_mode)
    expected = FUNCTIONAL[dims](torch.from_numpy(padded), kernel)
    torch.testing.assert_close(with_weight(module, kernel)(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("padding", ["same", "causal"])
def test_padding_by_another_constant(dims: int, padding) -> None:
    x = noise(2, 3, *(9, 8)[-dims:])
    layer = conv(3, 4, 5, dims=dims, padding=padding, padding_value=-2.5)
    sides = [pair for pair in reversed(layer.sides) for pair in pair]
    expected = FUNCTIONAL[dims](functional.pad(x, sides, value=-2.5), layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "causal"])
def test_stride_gives_its_share(dims: int, size: int, stride: int, padding: str) -> None:
    module = conv(1, 1, 5, dims=dims, stride=stride, padding=padding, dilation=2)
    assert module(torch.zeros(1, 1, *(size,) * dims)).shape[2:] == (math.ceil(size / stride),) * dims


def test_stride_and_kernel_an_axis() -> None:
    x = noise(2, 3, 9, 16)
    module = conv(3, 4, (1, 5), dims=2, stride=(3, 4), padding="valid", dilation=(1, 2))
    expected = functional.conv2d(x, module.weight, module.bias, stride=(3, 4), dilation=(1, 2))
    torch.testing.assert_close(module(x), expected)
    assert expected.shape == (2, 4, 3, 2)


@pytest.mark.parametrize("dims", [1, 2])
def test_causal_depends_on_no_later_frame(dims: int) -> None:
    """A frame depends on itself and on the 6 frames before that a kernel of 4 dilated by 2 reaches."""
    module = conv(1, 1, (3, 4)[-dims:], dims=dims, padding="causal", dilation=(1, 2)[-dims:])
    x = noise(1, 1, *(5, 20)[-dims:]).requires_grad_()
    y = module(x)
    assert y.shape == x.shape
    y[..., 12].sum().backward()
    reached = x.grad.reshape(-1, 20).abs().sum(dim=0).nonzero().flatten().tolist()
    assert reached == [6, 8, 10, 12]


@pytest.mark.parametrize("dims", [1, 2])
def test_weights_have_the_same_names_however_padded(dims: int) -> None:
    modules = [conv(4, 4, 3, dims=dims, padding=padding) for padding in ("same", "causal", "valid")]
    for module in modules:
        assert isinstance(module, {1: nn.Conv1d, 2: nn.Conv2d}[dims])
        module.load_state_dict(modules[0].state_dict())
    assert [*modules[0].state_dict()] == ["weight", "bias"]
    assert type(modules[0]) is {1: nn.Conv1d, 2: nn.Conv2d}[dims]


def test_dilated_kernel_reaches_its_interval() -> None:
    """A 3x3 kernel of ones, dilated by 12 bins and 2 frames, spreads one position to nine."""
    module = with_weight(conv(1, 1, 3, dims=2, dilation=(12, 2), bias=False), torch.ones(1, 1, 3, 3))
    x = torch.zeros(1, 1, 40, 20)
    x[0, 0, 20, 10] = 1
    spread = {(int(row), int(column)) for row, column in module(x)[0, 0].nonzero()}
    assert spread == {(row, column) for row in (8, 20, 32) for column in (8, 10, 12)}


def test_depthwise_has_a_kernel_a_channel() -> None:
    assert conv(6, 6, 3, dims=2, groups=6).weight.shape == (6, 1, 3, 3)
    assert conv(6, 6, 3, dims=1, groups=6, bias=False).bias is None


@pytest.mark.parametrize("kernel_size", [2, (3, 4)])
@pytest.mark.parametrize("build", [conv, conv_transpose, ConvNormAct])
def test_even_kernels_are_refused(build, kernel_size) -> None:
    with pytest.raises(ValueError, match=r"kernel_size is .*, expected odd sizes"):
        build(1, 1, kernel_size, dims=2)


@pytest.mark.parametrize("build", [conv, conv_transpose])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dims": 3}, "dims is 3, expected one of 1, 2"),
        (
            {"dims": 1, "groups": 4},
            r"groups is 4, expected a divisor of in_channels \(6\) and out_channels \(8\)",
        ),
        ({"dims": 1, "groups": 0}, "groups is 0, expected a divisor"),
        (
            {"dims": 2, "kernel_size": (3, 3, 3)},
            r"kernel_size is \(3, 3, 3\), expected a number from 1 on, or 2",
        ),
        ({"dims": 1, "kernel_size": 0}, "kernel_size is 0, expected a number from 1 on, or 1 of them"),
        ({"dims": 1, "stride": 0}, "stride is 0, expected a number from 1 on"),
        ({"dims": 2, "dilation": (1, 0)}, r"dilation is \(1, 0\), expected a number from 1 on"),
        ({"dims": 1, "padding": "some"}, "padding is 'some', expected one of valid, full, same, causal"),
    ],
)
def test_wrong_arguments(build, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(6, 8, **{"kernel_size": 3, **arguments})


def test_wrong_padding_mode() -> None:
    with pytest.raises(
        ValueError, match="padding_mode is 'mirror', expected one of zeros, replicate, reflect, symmetric, c"
    ):
        conv(1, 1, 3, dims=1, padding_mode="mirror")


@pytest.mark.parametrize(
    ("dims", "sizes", "arguments", "message"),
    [
        (2, (2, 9), {"padding": "valid"}, r"feature map's size is \(2, 9\), expected at least \(3, 3\)"),
        (
            1,
            (4,),
            {"padding": "valid", "dilation": 2},
            r"feature map's size is \(4,\), expected at least \(5,\)",
        ),
        (
            1,
            (2,),
            {"padding": ((1, 0),), "dilation": 2},
            r"feature map's size is \(2,\), expected at least \(4,\)",
        ),
        (1, (1,), {"padding_mode": "reflect"}, r"feature map's size is \(1,\), expected at least \(2,\)"),
        (
            2,
            (3, 1),
            {"padding": "causal", "padding_mode": "circular"},
            r"\(3, 1\), expected at least \(1, 2\)",
        ),
    ],
)
def test_feature_maps_too_small(dims: int, sizes, arguments, message: str) -> None:
    module = conv(1, 1, 3, dims=dims, **arguments)
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 1, *sizes))
    assert module(torch.zeros(1, 1, *module.min_sizes)).numel() > 0


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_transpose_turns_the_convolution_round(dims: int, stride: int, padding: str) -> None:
    """<conv(x), y> = <x, conv_transpose(y)> with the same weights."""
    arguments = {
        "dims": dims,
        "stride": stride,
        "padding": padding,
        "groups": 2,
        "bias": False,
        "dilation": 2,
    }
    down, up = conv(4, 6, 3, **arguments), conv_transpose(6, 4, 3, **arguments)
    size = 4 * stride if padding == "same" else 3 * stride + 5  # for 4 positions
    x, y = noise(2, 4, *(size,) * dims), noise(2, 6, *(4,) * dims, seed=1)
    up.weight.data = down.weight.data
    assert down(x).shape == y.shape
    assert up(y).shape == x.shape
    torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dims", [1, 2])
def test_transpose_is_torchs(dims: int) -> None:
    x = noise(2, 3, *(5, 6)[-dims:])
    module = conv_transpose(3, 4, 4, dims=dims, stride=3, padding=1, output_padding=2)
    function = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d}[dims]
    expected = function(x, module.weight, module.bias, stride=3, padding=1, output_padding=2)
    torch.testing.assert_close(module(x), expected)
    assert module(x).shape[-1] == 5 * 3 + 4 - 2 + 2


def test_worked_transpose() -> None:
    """Each value lays down its kernel, two frames apart."""
    module = with_weight(
        conv_transpose(1, 1, 3, dims=1, stride=2, padding="valid"), torch.tensor([[[1.0, 2, 3]]])
    )
    assert module(torch.tensor([[[1.0, 10.0]]]))[0, 0].tolist() == [1, 2, 3 + 10, 20, 30]


def test_transpose_has_even_sides() -> None:
    with pytest.raises(ValueError, match="padding is 'causal', expected the same before and after"):
        conv_transpose(1, 1, 3, dims=1, padding="causal")


def test_conv_norm_act_in_this_order() -> None:
    module = ConvNormAct(3, 4, 3, dims=1).eval()
    assert module[0].bias is None
    nn.init.uniform_(module[1].running_mean, -1, 1)
    x = noise(2, 3, 10)
    normalised = (module[0](x) - module[1].running_mean[:, None]) / (1 + 1e-5) ** 0.5
    assert (normalised < 0).any()
    torch.testing.assert_close(module(x), normalised.clamp(min=0))


@pytest.mark.parametrize("dims", [1, 2])
def test_conv_norm_act_by_name(dims: int) -> None:
    module = ConvNormAct(3, 8, 3, dims=dims, stride=2, padding_mode="reflect", norm="group", act="silu")
    convolution, normalisation, activation = module
    assert (convolution.stride, convolution.padding_mode, convolution.bias) == ((2,) * dims, "reflect", None)
    assert isinstance(normalisation, nn.GroupNorm)
    assert isinstance(activation, nn.SiLU)


def test_bias_where_no_norm_takes_it_away() -> None:
    assert ConvNormAct(3, 4, 3, dims=1, norm="none")[0].bias is not None
    assert ConvNormAct(3, 4, 3, dims=1, bias=True)[0].bias is not None
    assert NormActConv(3, 4, 3, dims=1)[2].bias is None
    assert NormActConv(3, 4, 3, dims=1, norm="none")[2].bias is not None


@pytest.mark.parametrize("dims", [1, 2])
def test_shipped_weights_find_their_names(dims: int) -> None:
    """Released weights were saved under these."""
    names = ["0.weight", *(f"1.{name}" for name in ("weight", "bias", "running_mean", "running_var"))]
    assert [*ConvNormAct(3, 4, 3, dims=dims).state_dict()] == [*names, "1.num_batches_tracked"]
    assert [*Residual(conv(3, 3, 3, dims=dims)).state_dict()] == ["branch.weight", "branch.bias"]


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_norm_act_conv_leaves_its_input(norm: str) -> None:
    """It follows a feature map that is read again: the input stays, negative values too."""
    module, x = NormActConv(3, 4, 3, dims=1, norm=norm).eval(), noise(2, 3, 10)
    before = x.clone()
    scaled = x / (1 + 1e-5) ** 0.5 if norm == "batch" else x
    expected = functional.conv1d(scaled.clamp(min=0), module[2].weight, module[2].bias, padding=1)
    torch.testing.assert_close(module(x), expected)
    assert torch.equal(x, before)


def test_residual_adds_its_branch() -> None:
    x = torch.tensor([[[1.0, -2.0, 3.0]]])
    doubled = with_weight(conv(1, 1, 1, dims=1, bias=False), torch.full((1, 1, 1), 2.0))
    assert Residual(doubled)(x).tolist() == [[[3.0, -6.0, 9.0]]]
