"""Activations by name, against torch's functions."""

import pytest
import torch
from torch.nn import functional

from audiocnn.blocks.act import ACTS, create_act

REFERENCES = {
    "relu": functional.relu,
    "relu6": functional.relu6,
    "silu": lambda x: x * x.sigmoid(),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "tanh": torch.tanh,
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "none": lambda x: x,
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("inplace", [True, False])
def test_values(name: str, inplace: bool) -> None:
    x = torch.linspace(-8, 8, 33)
    expected, before = REFERENCES[name](x), x.clone()
    torch.testing.assert_close(create_act(name, inplace=inplace)(x), expected)
    if not inplace:
        assert torch.equal(x, before)


def test_unknown_act() -> None:
    with pytest.raises(
        ValueError, match="act is 'rely', expected one of relu, relu6, silu, leaky_relu, gelu, tanh"
    ):
        create_act("rely")
