"""Attention over channels, against its equations."""

import pytest
import torch

from audiocnn.blocks.attention import SqueezeExcitation


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("act", ["relu", "silu"])
def test_equations(dims: int, act: str) -> None:
    torch.manual_seed(0)
    module, x = SqueezeExcitation(6, 3, dims=dims, act=act), torch.randn(2, 6, *(4, 5)[-dims:])
    w1, b1, w2, b2 = module.parameters()
    z = x.flatten(2).mean(dim=2)
    hidden = z @ w1.flatten(1).T + b1
    hidden = hidden.clamp(min=0) if act == "relu" else hidden * hidden.sigmoid()
    s = (hidden @ w2.flatten(1).T + b2).sigmoid()
    torch.testing.assert_close(module(x), x * s.reshape(2, 6, *[1] * dims))
    assert 0 < s.min() < s.max() < 1


def test_worked_by_hand() -> None:
    """Means 1 and 3; their difference 2 squeezed, and excited to the logistic of 2 and of -2."""
    module, x = SqueezeExcitation(2, 1, dims=1), torch.tensor([[[0.0, 2], [1, 5]]])
    w1, b1, w2, b2 = module.parameters()
    w1.data, b1.data = torch.tensor([[[-1.0], [1.0]]]), torch.zeros(1)
    w2.data, b2.data = torch.tensor([[[1.0]], [[-1.0]]]), torch.zeros(2)
    up, down = 1 / (1 + torch.exp(torch.tensor([-2.0, 2.0])))
    torch.testing.assert_close(module(x), torch.stack([x[0, 0] * up, x[0, 1] * down])[None])


def test_nothing_to_squeeze_into() -> None:
    with pytest.raises(ValueError, match="squeeze_channels is 0, expected at least 1"):
        SqueezeExcitation(4, 0, dims=2)
