"""Regularisation: whole channels or whole branches that are missing in training, and which weights decay."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose

SPATIAL_DROPOUTS = {1: nn.Dropout1d, 2: nn.Dropout2d}


def spatial_dropout(p: float, *, dims: int) -> nn.Module:
    """Dropout of whole channels in training, where neighbouring cells know too much of each other for less.

    Shape: (batch, channels, ..., frames) -> the same.
    Raises: ValueError when p is not within 0 and 1.
    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015.
    """
    return choose(SPATIAL_DROPOUTS, dims, "dims")(_probability(p))


class StochasticDepth(nn.Module):
    """The input, or in training for each example 0 with probability p; the end of a branch.

    Shape: (batch, ...) -> the same.
    Raises: ValueError when p is not within 0 and 1.
    Source: Huang et al., "Deep networks with stochastic depth", 2016. Differs: each example of a batch by
    itself; what stays is divided by 1 - p in training, instead of all multiplied by it in evaluation.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = _probability(p)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self.p == 1:
            return torch.zeros_like(x)
        kept = torch.empty(len(x), *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(1 - self.p)
        return x * (kept / (1 - self.p))

    def extra_repr(self) -> str:
        return f"p={self.p}"


def _probability(p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"p is {p}, expected a probability from 0 to 1")
    return p


def decay_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """An optimizer's two groups of what is trained: weights, which decay; norms and biases, which do not.

    A bias is what is so named at its end, also where it has a value for each position; a parameter with one
    axis or none (of a norm, a scale, a slope) counts with them.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.LayerNorm)]  # the one with more axes
    of_norms = {id(p) for part in norms for p in part.parameters()}
    decaying, others = [], []
    for name, p in module.named_parameters():
        if p.requires_grad:
            spared = p.ndim <= 1 or name.endswith("bias") or id(p) in of_norms
            (others if spared else decaying).append(p)
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
