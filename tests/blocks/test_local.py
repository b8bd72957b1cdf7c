"""Weights that are not shared: a convolution when all are alike."""

import pytest
import torch
from torch import Tensor

from audiocnn.blocks.conv import conv
from audiocnn.blocks.drop import decay_groups
from audiocnn.blocks.local import LocallyConnected


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"stride": 2, "dilation": 2},
        {"padding": "valid", "bias": False},
        {"padding": "causal", "stride": 3},
    ],
)
def test_alike_weights_are_a_convolution(dims: int, arguments) -> None:
    size = (7, 10)[-dims:]
    local, shared = (
        LocallyConnected(3, 4, 3, size, dims=dims, **arguments),
        conv(3, 4, 3, dims=dims, **arguments),
    )
    local.weight.data = shared.weight.flatten(1).expand_as(local.weight).detach()
    if local.bias is not None:
        local.bias.data = shared.bias.reshape(-1, *[1] * dims).expand_as(local.bias).detach()
    x = noise(2, 3, *size)
    torch.testing.assert_close(local(x), shared(x), rtol=1e-4, atol=1e-5)


def test_worked_series() -> None:
    """A kernel a position: 1 2, then 3 4, then 5 6, over 1 10 100."""
    module = LocallyConnected(1, 1, 2, 4, dims=1, padding="valid")
    module.weight.data = torch.arange(1.0, 7).reshape(3, 1, 2)
    module.bias.data = torch.tensor([[0.5, 0, -0.5]])
    x = torch.tensor([[[1.0, 10, 100, 1000]]])
    assert module(x)[0, 0].tolist() == [1 + 20 + 0.5, 30 + 400, 500 + 6000 - 0.5]


def test_worked_image() -> None:
    """Each position doubles its own value of the kernel."""
    module = LocallyConnected(1, 1, 2, 3, dims=2, padding="valid", bias=False)
    module.weight.data = 2 * torch.eye(4)[:, None]
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert module(x)[0, 0].tolist() == [[2 * 0, 2 * 2], [2 * 6, 2 * 8]]


@pytest.mark.parametrize("dims", [1, 2])
def test_positions_are_told_apart(dims: int) -> None:
    """A gradient at one position reaches its weights alone."""
    module = LocallyConnected(2, 3, 3, (4, 5)[-dims:], dims=dims)
    module(noise(1, 2, *(4, 5)[-dims:])).flatten(2)[..., 2].sum().backward()
    assert module.weight.grad.abs().sum(dim=(1, 2)).nonzero().flatten().tolist() == [2]


def test_parameters() -> None:
    """28x28 to 24x24 positions, 6 channels: a kernel of 25 values and a bias for each of 3,456."""
    module = LocallyConnected(1, 6, 5, 28, dims=2, padding="valid")
    assert sum(p.numel() for p in module.parameters()) == 24 * 24 * 6 * (25 + 1)
    assert module.weight.abs().max() <= 0.2
    assert module.weight.std().item() == pytest.approx(0.2 / 3**0.5, rel=0.02)
    decaying, others = decay_groups(module, 0.1)
    assert (decaying["params"], others["params"]) == ([module.weight], [module.bias])


def test_another_size() -> None:
    module = LocallyConnected(1, 1, 3, (4, 5), dims=2)
    with pytest.raises(ValueError, match=r"the feature map's size is \(5, 4\), expected \(4, 5\)"):
        module(noise(1, 1, 5, 4))
    with pytest.raises(ValueError, match=r"the feature map's size is \(2,\), expected at least \(3,\)"):
        LocallyConnected(1, 1, 3, 2, dims=1, padding="valid")
    with pytest.raises(ValueError, match=r"kernel_size is \(4,\), expected odd sizes"):
        LocallyConnected(1, 1, 4, 8, dims=1)
