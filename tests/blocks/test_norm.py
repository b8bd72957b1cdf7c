"""Every norm against its definition: mean 0 and variance 1 over the axes that its name says."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.norm import NORMS, create_norm


def make_feature_map(dims: int, channels: int = 6) -> Tensor:
    return 3 + 2 * torch.randn(4, channels, *(5, 7)[-dims:], generator=torch.Generator().manual_seed(0))


def standardised(x: Tensor, axes: tuple[int, ...], eps: float = 1e-5) -> Tensor:
    mean, variance = x.mean(dim=axes, keepdim=True), x.var(dim=axes, keepdim=True, unbiased=False)
    return (x - mean) / (variance + eps).sqrt()


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(
    ("name", "axes"),
    [("batch", (0, 2, 3)), ("instance", (2, 3)), ("layer", (1,)), ("layer_all", (1, 2, 3)), ("none", ())],
)
def test_over_its_axes(dims: int, name: str, axes: tuple[int, ...]) -> None:
    x, module = make_feature_map(dims), create_norm(name, 6, dims=dims)
    weight, bias = torch.linspace(0.5, 2, 6), torch.linspace(-1, 1, 6)
    expected = x
    if name != "none":
        module.weight.data, module.bias.data = weight, bias
        shape = (6, *[1] * dims)
        axes = tuple(axis for axis in axes if axis < x.ndim)
        expected = standardised(x, axes) * weight.reshape(shape) + bias.reshape(shape)
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("channels", "groups"), [(64, 32), (48, 16), (6, 2), (3, 1)])
def test_groups_of_channels(dims: int, channels: int, groups: int) -> None:
    x, module = make_feature_map(dims, channels), create_norm("group", channels, dims=dims)
    assert module.num_groups == groups
    by_group = x.unflatten(1, (groups, -1))
    expected = standardised(by_group, tuple(range(2, by_group.ndim))).flatten(1, 2)
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-5)


def test_layer_norm_is_torchs_over_the_last_axis() -> None:
    x = make_feature_map(2)
    expected = nn.functional.layer_norm(x.permute(0, 2, 3, 1), (6,)).permute(0, 3, 1, 2)
    torch.testing.assert_close(create_norm("layer", 6, dims=2)(x), expected)


@pytest.mark.parametrize("dims", [1, 2])
def test_layer_norm_over_all_is_torchs_of_a_whole_example(dims: int) -> None:
    x, module = make_feature_map(dims), create_norm("layer_all", 6, dims=dims)
    torch.testing.assert_close(module(x), nn.functional.layer_norm(x, x.shape[1:]))
    torch.testing.assert_close(module(x), nn.functional.group_norm(x, 1))


def test_batch_norm_remembers() -> None:
    module = create_norm("batch", 6, dims=1, momentum=0.25, eps=0.5)
    x = make_feature_map(1)
    module(x)
    torch.testing.assert_close(module.running_mean, 0.25 * x.mean(dim=(0, 2)))
    torch.testing.assert_close(module.running_var, 0.75 + 0.25 * x.var(dim=(0, 2)))
    module.eval()
    shift, scale = module.running_mean[:, None], (module.running_var[:, None] + 0.5).sqrt()
    torch.testing.assert_close(module(x), (x - shift) / scale)


@pytest.mark.parametrize("name", [name for name in NORMS if name != "none"])
def test_eps(name: str) -> None:
    """Without variance everything is 0; with one of 1 and an eps of 3 it is halved."""
    module = create_norm(name, 2, dims=1, eps=3.0)
    x = torch.tensor([[[-1.0, 1], [1, -1]]])
    torch.testing.assert_close(module(x), x / 2)


def test_a_norm_with_its_own_arguments() -> None:
    module = ConvNormAct(3, 4, 3, dims=2, norm=partial(create_norm, "batch", eps=1e-3, momentum=0.01))
    assert isinstance(module[1], nn.BatchNorm2d)
    assert (module[1].eps, module[1].momentum, module[0].bias) == (1e-3, 0.01, None)


def test_unknown_norm() -> None:
    with pytest.raises(
        ValueError, match="norm is 'bach', expected one of batch, instance, layer, layer_all, group, none"
    ):
        create_norm("bach", 4, dims=1)
    with pytest.raises(ValueError, match="dims is 3, expected one of 1, 2"):
        create_norm("batch", 4, dims=3)
