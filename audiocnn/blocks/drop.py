"""Regularisation: dropout of channels and of branches, and which parameters decay."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose

SPATIAL_DROPOUTS = {1: nn.Dropout1d, 2: nn.Dropout2d}


def spatial_dropout(p: float, *, dims: int) -> nn.Module:
    """Create a dropout of whole channels: neighbouring positions resemble each other too much for less.

    Args:
        p: dropout probability of a channel.
        dims: 1 or 2, the axes after channels.

    Returns:
        The dropout; it keeps the shape of its input.

    Raises:
        ValueError: p is not within 0 and 1.

    Source:
        Tompson et al., "Efficient object localization using convolutional networks", 2015.
    """
    return choose(SPATIAL_DROPOUTS, dims, "dims")(_probability(p))


class StochasticDepth(nn.Module):
    """The input, or in training for each example 0 with probability p; the end of a branch.

    Args:
        p: drop-path rate.

    Raises:
        ValueError: p is not within 0 and 1.

    Shape:
        (batch, ...) -> the same.

    Source:
        Huang et al., "Deep networks with stochastic depth", 2016.

    Differs:
        Each example of a batch is dropped by itself; what stays is divided by 1 - p in training, instead of
        all multiplied by it in evaluation.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = _probability(p)

    def forward(self, x: Float[Tensor, " batch *others"]) -> Float[Tensor, " batch *others"]:
        if not self.training or self.p == 0:
            return x
        if self.p == 1:
            return torch.zeros_like(x)
        kept = torch.empty(len(x), *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(1 - self.p)
        return x * (kept / (1 - self.p))

    def extra_repr(self) -> str:
        """Return the drop-path rate, for the network's description."""
        return f"p={self.p}"


def _probability(p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"p is {p}, expected a probability from 0 to 1")
    return p


def decay_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split the trainable parameters into an optimizer's two groups: weights, which decay, and the others.

    The others are norms and biases. A bias is a parameter whose name ends so, also where it has a value for
    each position; a parameter with one axis or none (of a norm, a scale, a slope) counts with them.

    Args:
        module: the network.
        weight_decay: of the first group.

    Returns:
        Two groups as torch's optimizers take them, the decaying one first.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.LayerNorm)]  # the one with more axes
    of_norms = {id(p) for part in norms for p in part.parameters()}
    decaying, others = [], []
    for name, p in module.named_parameters():
        if p.requires_grad:
            spared = p.ndim <= 1 or name.endswith("bias") or id(p) in of_norms
            (others if spared else decaying).append(p)
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
