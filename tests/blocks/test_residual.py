"""Residual blocks against their figures, written out with torch's functions; parameters as published."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.residual import DilatedResidual, ResidualV1, ResidualV2


class Written:
    """Layers as functions, with a block's parameters in their order."""

    def __init__(self, module: nn.Module) -> None:
        self.parameters = iter(list(module.parameters()))

    def conv(self, x: Tensor, stride: int = 1, dilation: int = 1, bias: bool = False) -> Tensor:
        weight = next(self.parameters)
        function = {3: functional.conv1d, 4: functional.conv2d}[x.ndim]
        padding = (weight.shape[-1] - 1) // 2 * dilation
        return function(
            x,
            weight,
            next(self.parameters) if bias else None,
            stride=stride,
            padding=padding,
            dilation=dilation,
        )

    def norm(self, x: Tensor) -> Tensor:
        weight, bias = (next(self.parameters).reshape(-1, *[1] * (x.ndim - 2)) for _ in range(2))
        return x / (1 + 1e-5) ** 0.5 * weight + bias

    def squeeze_excite(self, x: Tensor) -> Tensor:
        means = x.flatten(2).mean(dim=2).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
        return x * self.conv(self.conv(means, bias=True).relu(), bias=True).sigmoid()

    def done(self) -> bool:
        return next(self.parameters, None) is None


def evaluated(module: nn.Module) -> nn.Module:
    """With other scales and shifts than 1 and 0 in its norms."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, -0.5, 0.5)
    return module.eval()


def make_feature_map(dims: int, channels: int = 8) -> Tensor:
    return torch.randn(2, channels, *(6, 9)[-dims:], generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("out_channels", "stride"), [(8, 1), (8, 2), (12, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("squeeze_channels", [0, 2])
def test_basic_v1(dims: int, out_channels: int, stride: int, dilation: int, squeeze_channels: int) -> None:
    torch.manual_seed(0)
    arguments = {"stride": stride, "dilation": dilation, "squeeze_channels": squeeze_channels}
    block, x = evaluated(ResidualV1(8, out_channels, dims=dims, **arguments)), make_feature_map(dims)
    w = Written(block)
    y = w.norm(w.conv(x, stride, dilation)).relu()
    y = w.norm(w.conv(y, dilation=dilation))
    y = w.squeeze_excite(y) if squeeze_channels else y
    shortcut = x if (out_channels, stride) == (8, 1) else w.norm(w.conv(x, stride))
    torch.testing.assert_close(block(x), (y + shortcut).relu(), rtol=1e-4, atol=1e-5)
    assert w.done()


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("out_channels", "stride"), [(8, 1), (16, 2)])
@pytest.mark.parametrize("stride_in", ["3x3", "1x1"])
def test_bottleneck_v1(dims: int, out_channels: int, stride: int, stride_in: str) -> None:
    torch.manual_seed(0)
    arguments = {"branch": "bottleneck", "stride": stride, "stride_in": stride_in}
    block = evaluated(ResidualV1(8, out_channels, dims=dims, **arguments))
    x, w = make_feature_map(dims), Written(block)
    y = w.norm(w.conv(x, stride if stride_in == "1x1" else 1)).relu()
    assert y.shape[1] == out_channels // 4
    y = w.norm(w.conv(y, stride if stride_in == "3x3" else 1)).relu()
    y = w.norm(w.conv(y))
    shortcut = x if stride == 1 else w.norm(w.conv(x, stride))
    torch.testing.assert_close(block(x), (y + shortcut).relu(), rtol=1e-4, atol=1e-5)
    assert w.done()


def test_wrong_stride_in() -> None:
    with pytest.raises(ValueError, match="stride_in is '5x5', expected one of 3x3, 1x1"):
        ResidualV1(8, 8, dims=2, stride_in="5x5")
    with pytest.raises(
        ValueError, match="stride_in is '1x1', expected '3x3': basic has no other convolution"
    ):
        ResidualV2(8, 8, dims=2, stride_in="1x1")


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("out_channels", "stride"), [(8, 1), (12, 2)])
@pytest.mark.parametrize("branch", ["basic", "bottleneck"])
def test_v2(dims: int, out_channels: int, stride: int, branch: str) -> None:
    torch.manual_seed(0)
    block = evaluated(ResidualV2(8, out_channels, dims=dims, branch=branch, stride=stride))
    x, w = make_feature_map(dims), Written(block)
    before = w.norm(x).relu()
    if branch == "basic":
        y = w.conv(w.norm(w.conv(before, stride)).relu())
    else:
        y = w.conv(before)
        y = w.conv(w.norm(y).relu(), stride)
        y = w.conv(w.norm(y).relu())
    shortcut = x if stride == 1 else w.conv(before, stride)
    torch.testing.assert_close(block(x), y + shortcut, rtol=1e-4, atol=1e-5)
    assert w.done()


def test_v2_adds_to_the_map_as_it_is() -> None:
    """Also without a norm: its activation must not write into the shortcut."""
    block, x = ResidualV2(8, 8, dims=1, norm="none"), make_feature_map(1)
    for p in block.parameters():
        nn.init.zeros_(p)
    assert torch.equal(block(x), make_feature_map(1))
    assert (x < 0).any()


@pytest.mark.parametrize("block", [ResidualV1, ResidualV2])
@pytest.mark.parametrize("dims", [1, 2])
def test_stride_an_axis(block, dims: int) -> None:
    stride = (1, 2)[-dims:]
    module = block(8, 8, dims=dims, stride=stride, norm="layer", act="gelu", stochastic_depth=0.5)
    y = module(make_feature_map(dims))
    assert y.shape == (2, 8, *(6, 5)[-dims:])
    y.sum().backward()


@pytest.mark.parametrize("block", [ResidualV1, ResidualV2])
def test_a_missing_branch_leaves_the_shortcut(block) -> None:
    x = make_feature_map(1)
    y = block(8, 8, dims=1, stochastic_depth=1.0)(x)
    assert torch.equal(y, x.relu() if block is ResidualV1 else x)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("out_channels", [8, 12])
def test_dilated(dims: int, out_channels: int) -> None:
    torch.manual_seed(0)
    block = evaluated(DilatedResidual(8, out_channels, dims=dims, dilation=4, padding="same", drop=0.5))
    x, w = make_feature_map(dims), Written(block)
    y = w.norm(w.conv(x, dilation=4)).relu()
    y = w.norm(w.conv(y, dilation=4)).relu()
    shortcut = x if out_channels == 8 else w.conv(x, bias=True)
    torch.testing.assert_close(block(x), (y + shortcut).relu(), rtol=1e-4, atol=1e-5)
    assert w.done()


def test_receptive_field_of_dilations_that_double() -> None:
    """Two convolutions of 3 a block, dilated by 1, 2 and 4: 2 * 2 * 7 frames before, and none after."""
    torch.manual_seed(0)
    net = evaluated(
        nn.Sequential(*(DilatedResidual(2, 2, dims=1, dilation=d, act="gelu") for d in (1, 2, 4)))
    )
    x = make_feature_map(1, channels=2).repeat(1, 1, 7).requires_grad_()
    net(x)[..., 40].sum().backward()
    reached = x.grad.abs().amax(dim=(0, 1)).nonzero().flatten().tolist()
    assert reached == list(range(12, 41))


def test_dropout_of_whole_channels() -> None:
    torch.manual_seed(0)
    block = DilatedResidual(200, 200, dims=1, drop=0.25, act="none")
    dropped = (block.branch[:2](make_feature_map(1, channels=200)) == 0).all(dim=2).float().mean().item()
    assert dropped == pytest.approx(0.25, abs=0.07)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="branch is 'wide', expected one of basic, bottleneck"):
        ResidualV1(8, 8, dims=1, branch="wide")
    with pytest.raises(ValueError, match="out_channels is 10, expected a multiple of 4"):
        ResidualV2(8, 10, dims=2, branch="bottleneck")


# Of 224x224x3 and 1000 classes: torchvision's tables of models; SE-ResNet-50: timm's.
PUBLISHED = [
    ("basic", (2, 2, 2, 2), 0, 11_689_512),
    ("basic", (3, 4, 6, 3), 0, 21_797_672),
    ("bottleneck", (3, 4, 6, 3), 0, 25_557_032),
    ("bottleneck", (3, 4, 23, 3), 0, 44_549_160),
    ("bottleneck", (3, 4, 6, 3), 16, 28_088_024),
]


@pytest.mark.parametrize(("branch", "depths", "reduction", "parameters"), PUBLISHED)
def test_published_parameters(branch: str, depths, reduction: int, parameters: int) -> None:
    with torch.device("meta"):
        parts, channels = [ConvNormAct(3, 64, 7, dims=2, stride=2)], 64
        for stage, depth in enumerate(depths):
            width = 64 * 2**stage * (4 if branch == "bottleneck" else 1)
            squeezed = width // reduction if reduction else 0
            for i in range(depth):
                stride = 2 if i == 0 and stage > 0 else 1
                parts.append(
                    ResidualV1(
                        channels, width, dims=2, branch=branch, stride=stride, squeeze_channels=squeezed
                    )
                )
                channels = width
        parts.append(nn.Linear(channels, 1000))
    assert sum(p.numel() for part in parts for p in part.parameters()) == parameters


def test_mirrored_edges_leave_an_even_map_even() -> None:
    block = evaluated(ResidualV1(4, 4, dims=2, padding_mode="reflect"))
    made = block(torch.rand(1, 4, 1, 1, generator=torch.Generator().manual_seed(0)).expand(1, 4, 6, 9))
    torch.testing.assert_close(made, made[..., 3:4, 4:5].expand_as(made))
