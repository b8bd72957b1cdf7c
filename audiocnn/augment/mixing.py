"""Examples of a batch mixed with each other, on the model's device.

Each is mixed with its neighbour in the batch, whose order is random already, and so never with itself.
Targets are (batch, labels), 0 to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Mixup:
    """Waveforms and targets as weighted means of two: for one label a clip.

    Shape: (batch, samples) and (batch, labels) -> the same.
    Source: Zhang et al., "mixup: beyond empirical risk minimization", 2018, equation 1. Differs: each example
    has a weight of its own.

    Args:
        alpha: of the weights' distribution, Beta(alpha, alpha): near 0 or 1 when small, even at 1.
    """

    def __init__(self, alpha: float = 0.2) -> None:
        if alpha <= 0:
            raise ValueError(f"alpha is {alpha}, expected more than 0")
        self.alpha = alpha

    def __call__(self, waveforms: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        shares = torch.distributions.Beta(self.alpha, self.alpha).sample((len(waveforms), 1))
        shares = shares.to(waveforms.device)
        mixed, united = (torch.lerp(each.roll(1, 0), each, shares) for each in (waveforms, targets))
        return mixed, united


class Overlay:
    """Waveforms that sound together, with the labels of both: for several labels a clip.

    The sum of two has the power of the first, were they unlike each other.
    Shape: (batch, samples) and (batch, labels) -> the same.

    Args:
        p: how often an example is mixed.
        level_db: furthest that the other's power lies above or below.
    """

    def __init__(self, p: float = 0.5, level_db: float = 10.0) -> None:
        self.p, self.level_db = p, level_db

    def __call__(self, waveforms: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        mixed = (torch.rand(len(waveforms), 1) < self.p).to(waveforms.device)
        level_db = torch.empty(len(waveforms), 1).uniform_(-self.level_db, self.level_db)
        gain = (10 ** (level_db / 20)).to(waveforms)
        level = waveforms.square().mean(1, keepdim=True).sqrt()
        other = gain * level / level.roll(1, 0).clamp(min=1e-5) * waveforms.roll(1, 0)
        both = (waveforms + other) / (1 + gain.square()).sqrt()
        united = torch.maximum(targets, targets.roll(1, 0))
        return torch.where(mixed, both, waveforms), torch.where(mixed, united, targets)
