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
    "sigmoid": lambda inplace: nn.Sigmoid(),
    "none": lambda inplace: nn.Identity(),
}


def create_act(name: str, *, inplace: bool = True) -> nn.Module:
    """Create an activation.

    Args:
        name: relu, relu6, silu, leaky_relu (slope 0.01), gelu, tanh, sigmoid or none.
        inplace: overwrite the input where torch can, which saves memory; not for inputs that others read.

    Returns:
        The activation, for feature maps of any shape.

    Raises:
        ValueError: there is no activation of this name.
    """
    return choose(ACTS, name, "act")(inplace)
