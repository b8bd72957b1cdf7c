"""Tests of saliency maps, on networks whose maps are known to be right or wrong."""

import pytest
import torch
from torch import Tensor, nn

from audiocnn.explain.network import randomise_weights
from audiocnn.explain.saliency import guided_backprop
from audiocnn.explain.sanity import Verdict, judge


class Corner(nn.Module):
    """Its only score is the weighted mean of the upper left quarter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(0)) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x[..., :9, :9]).mean((1, 2, 3))[:, None]


def gradient_times_input(network: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    return (gradient * x).sum(1).detach()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 1, 18, 18, generator=torch.Generator().manual_seed(1)) + 0.5


def test_a_faithful_map_passes_the_deletion(image: Tensor) -> None:
    network = Corner()
    # weights of another place, as a network that has learned nothing of this one would have
    shuffled = lambda one: gradient_times_input(one, image) if one is network else torch.rand(1, 18, 18)  # noqa: E731
    saliency_map, verdict = judge(shuffled, network, randomise_weights(network), image, 0)
    assert saliency_map.shape == (1, 18, 18)
    assert verdict.drop > 2 * verdict.shifted_drop
    assert verdict.failures == []
    assert str(verdict).startswith("passes: without its most salient 20 % the score falls by ")


def test_a_map_of_another_place_fails(image: Tensor) -> None:
    wrong = torch.zeros(1, 18, 18)
    wrong[:, 12:, 12:] = torch.rand(1, 6, 6)
    _, verdict = judge(lambda network: wrong, network := Corner(), network, image, 0)
    assert verdict.drop == 0
    assert len(verdict.failures) == 2  # nor does it depend on the network
    assert verdict.similarity == pytest.approx(1)
    assert str(verdict).startswith(
        "fails: it shows no better than a shifted map what the score depends on and"
    )


def test_a_map_that_is_the_same_everywhere(image: Tensor) -> None:
    flat = torch.ones(1, 18, 18)
    _, verdict = judge(lambda network: flat, network := Corner(), network, image, 0)
    assert verdict.similarity == 0
    assert Verdict(1.0, 0.0, 0.0).failures == []


def test_rectifiers_with_a_ceiling_are_guided_too() -> None:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 8, 3),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU6(),
        nn.Flatten(),
        nn.Linear(8 * 16, 2),
    ]
    capped = nn.Sequential(*layers).eval()
    plain = nn.Sequential(*[nn.ReLU() if isinstance(one, nn.ReLU6) else one for one in layers]).eval()
    x = torch.randn(1, 3, 8, 8)  # whose activations stay below 6
    guided = guided_backprop(capped, x, 0)
    torch.testing.assert_close(guided, guided_backprop(plain, x, 0))
    input = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(capped(input)[0, 0], input)
    assert not torch.allclose(guided, gradient.sum(1))
    assert isinstance(capped[1], nn.ReLU6)  # the network itself stays as it is
