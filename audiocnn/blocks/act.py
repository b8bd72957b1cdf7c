"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from audiocnn.blocks.arguments import choose

ACTS: dict[str, Callable[[bool], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "silu": nn.SiLU,
    "leaky_relu": lambda inplace: nn.LeakyReLU(inplace=inplace),
    "gelu": lambda inplace: nn.GELU(),
    "tanh": lambda inplace: nn.Tanh(),
    "none": lambda inplace: nn.Identity(),
}


def act(name: str, *, inplace: bool = True) -> nn.Module:
    """An activation: one of relu, relu6, silu, leaky_relu (slope 0.01), gelu, tanh and none.

    Raises: ValueError when there is no activation of this name.

    Args:
        inplace: overwrite the input where torch can, which saves memory; not for inputs that others read.
    """
    return choose(ACTS, name, "act")(inplace)
