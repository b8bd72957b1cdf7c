"""Mixing: examples of a batch with each other, on the model's device.

Each example is mixed with its neighbour in the batch, whose order is random already, and so never with
itself. Targets are (batch, labels), 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from audiocnn.ranges import NOT_NEGATIVE, POSITIVE, SHARE, Range
from audiocnn.registry import InitArgs

Waveforms = Float[Tensor, "batch samples"]
Targets = Float[Tensor, "batch labels"]


class Mixup(InitArgs):
    """Mix waveforms and targets to weighted means of two examples: for single-label models.

    Args:
        alpha: parameter of the weights' distribution, Beta(alpha, alpha): small: weights near
            0 or 1; 1: uniform.

    Raises:
        ValueError: alpha is not positive.

    Source:
        Zhang et al., "mixup: beyond empirical risk minimization", 2018, equation 1.

    Differs:
        Each example has a weight of its own.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"alpha": POSITIVE}

    def __init__(self, alpha: float = 0.2) -> None:
        self.alpha = alpha

    def __call__(self, waveforms: Waveforms, targets: Targets) -> tuple[Waveforms, Targets]:
        shares = torch.distributions.Beta(self.alpha, self.alpha).sample((len(waveforms), 1))
        shares = shares.to(waveforms.device)
        mixed, united = (torch.lerp(each.roll(1, 0), each, shares) for each in (waveforms, targets))
        return mixed, united


class Overlay(InitArgs):
    """Add waveforms, and unite their labels: for multi-label models.

    The sum has the power of the first waveform, if the two are uncorrelated.

    Args:
        p: probability that an example is mixed.
        level_db: greatest level difference between the two waveforms.

    Raises:
        ValueError: p is no probability, or level_db negative.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"p": SHARE, "level_db": NOT_NEGATIVE}

    def __init__(self, p: float = 0.5, level_db: float = 10.0) -> None:
        self.p, self.level_db = p, level_db

    def __call__(self, waveforms: Waveforms, targets: Targets) -> tuple[Waveforms, Targets]:
        mixed = (torch.rand(len(waveforms), 1) < self.p).to(waveforms.device)
        level_db = torch.empty(len(waveforms), 1).uniform_(-self.level_db, self.level_db)
        gain = (10 ** (level_db / 20)).to(waveforms)
        level = waveforms.square().mean(1, keepdim=True).sqrt()
        other = gain * level / level.roll(1, 0).clamp(min=1e-5) * waveforms.roll(1, 0)
        both = (waveforms + other) / (1 + gain.square()).sqrt()
        united = torch.maximum(targets, targets.roll(1, 0))
        return torch.where(mixed, both, waveforms), torch.where(mixed, united, targets)
