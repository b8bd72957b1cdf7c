"""What is missing in training, how often, and which weights decay."""

import pytest
import torch
from torch import nn

from audiocnn.blocks.conv import ConvNormAct, Residual, conv
from audiocnn.blocks.drop import StochasticDepth, decay_groups, spatial_dropout


@pytest.mark.parametrize("dims", [1, 2])
def test_whole_channels_are_dropped(dims: int) -> None:
    torch.manual_seed(0)
    module, x = spatial_dropout(0.25, dims=dims), torch.ones(50, 40, *(3, 4)[-dims:])
    values = module(x).flatten(2)
    assert torch.equal(values.amin(dim=2), values.amax(dim=2))
    kept = values[:, :, 0] > 0
    torch.testing.assert_close(values[:, :, 0][kept], torch.full((int(kept.sum()),), 4 / 3))
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.03)  # 3 deviations of 2,000 draws
    assert torch.equal(module.eval()(x), x)


@pytest.mark.parametrize("dims", [1, 2])
def test_whole_examples_are_dropped(dims: int) -> None:
    torch.manual_seed(0)
    module, x = StochasticDepth(0.2), torch.rand(2000, 2, *(2, 3)[-dims:]) + 1
    y = module(x)
    kept = y.flatten(1).amax(dim=1) > 0
    torch.testing.assert_close(y[kept], x[kept] / 0.8)
    assert not y[~kept].any()
    assert kept.float().mean().item() == pytest.approx(0.8, abs=0.03)
    assert module.eval()(x) is x


def test_depth_at_its_ends() -> None:
    x = torch.ones(3, 1, 2)
    assert StochasticDepth(0.0)(x) is x
    assert Residual(nn.Sequential(nn.Identity(), StochasticDepth(1.0)))(x).tolist() == x.tolist()
    assert Residual(StochasticDepth(1.0)).eval()(x).tolist() == (2 * x).tolist()
    assert repr(StochasticDepth(0.25)) == "StochasticDepth(p=0.25)"


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match=rf"p is {p}, expected a probability from 0 to 1"):
        StochasticDepth(p)
    with pytest.raises(ValueError, match=rf"p is {p}, expected a probability from 0 to 1"):
        spatial_dropout(p, dims=1)


class Network(nn.Module):
    """Weights that decay, and everything that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNormAct(1, 2, 3, dims=2), conv(2, 2, 3, dims=2))
        self.norm = nn.LayerNorm((2, 5, 5))
        self.position_bias = nn.Parameter(torch.zeros(2, 5, 1))
        self.scale = nn.Parameter(torch.ones(()))
        self.frozen = nn.Parameter(torch.ones(3, 3), requires_grad=False)
        self.head = nn.Linear(4, 4)
        self.tied = self.head


def test_norms_and_biases_do_not_decay() -> None:
    network = Network()
    names = {id(p): name for name, p in network.named_parameters()}
    decaying, others = decay_groups(network, 0.05)
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.05, 0.0)
    assert [names[id(p)] for p in decaying["params"]] == ["body.0.0.weight", "body.1.weight", "head.weight"]
    assert {names[id(p)] for p in others["params"]} == {
        *("body.0.1.weight", "body.0.1.bias", "body.1.bias", "norm.weight", "norm.bias"),
        *("position_bias", "scale", "head.bias"),
    }


def test_an_optimizer_takes_the_groups() -> None:
    """Without gradients AdamW only decays: by 1 - rate * decay."""
    network = conv(1, 1, 3, dims=1)
    optimizer = torch.optim.AdamW(decay_groups(network, 0.5), lr=0.1)
    weight, bias = network.weight.detach().clone(), network.bias.detach().clone()
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(network.weight, weight * 0.95)
    assert torch.equal(network.bias, bias)
