"""Tests of saliency methods on the prediction that they explain: a map that fails one explains nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiocnn.explain.saliency import DELETED_SHARE, run_deletion_test

Method = Callable[[nn.Module], Tensor]  # network -> saliency maps of one input, (1, bins, frames)
N_SHIFTS = 3  # thirds of each axis by which maps are shifted for comparison
MAX_SIMILARITY = 0.5  # correlation with the map of an untrained network: a quarter of the variance is shared


@dataclass(frozen=True)
class Verdict:
    """What the tests say of a saliency map.

    Args:
        drop: of the score, when the most salient share of the input is deleted.
        shifted_drop: mean of that drop over shifted copies of the map.
        similarity: correlation with the map of the same network with shuffled weights.

    Source:
        Petsiuk et al., "RISE", 2018 (deletion); Adebayo et al., "Sanity checks for saliency maps", 2018.
    """

    drop: float
    shifted_drop: float
    similarity: float

    @property
    def failures(self) -> list[str]:
        """Why the map explains nothing; empty where it passes."""
        failures = []
        if self.drop <= self.shifted_drop:
            failures.append("it shows no better than a shifted map what the score depends on")
        if self.similarity > MAX_SIMILARITY:
            failures.append("it is alike for shuffled weights")
        return failures

    def __str__(self) -> str:
        share = f"{100 * DELETED_SHARE:.0f} %"
        said = (
            f"without its most salient {share} the score falls by {self.drop:.1f}, and by "
            f"{self.shifted_drop:.1f} where the map is shifted; correlation with that of shuffled weights "
            f"{self.similarity:.2f}"
        )
        return f"fails: {' and '.join(self.failures)} ({said})" if self.failures else f"passes: {said}"


def judge(
    method: Method,
    network: nn.Module,
    shuffled: nn.Module,
    spectrogram: Tensor,
    target: int,
    silence: float = 0.0,
) -> tuple[Tensor, Verdict]:
    """Compute a saliency map, and test it.

    Args:
        method: that computes the map of a network's prediction.
        network: network from spectrograms or normalised images to scores, (batch, outputs).
        shuffled: the same with shuffled weights, see `randomise_weights`.
        spectrogram: what the prediction is for, (1, channels, bins, frames).
        target: output that is explained.
        silence: the value of silence in a spectrogram; of grey in an image.

    Returns:
        The map, (1, bins, frames), and what the tests say.
    """
    saliency_map = method(network)
    shifted = torch.cat(_shift(saliency_map))
    maps = torch.cat([saliency_map, shifted])
    targets = torch.full((len(maps),), target, device=maps.device)
    inputs = spectrogram.expand(len(maps), *spectrogram.shape[1:])
    drop, *others = run_deletion_test(network, inputs, targets, maps, silence=silence).tolist()
    untrained = method(shuffled)
    similarity = float(torch.corrcoef(torch.stack([saliency_map.flatten(), untrained.flatten()]))[0, 1])
    is_flat = similarity != similarity  # NaN: one of the maps is the same everywhere
    return saliency_map, Verdict(drop, sum(others) / len(others), 0.0 if is_flat else similarity)


def _shift(saliency_map: Tensor) -> list[Tensor]:
    """The map moved by thirds of its axes, its edges joined."""
    n_bins, n_frames = saliency_map.shape[1:]
    steps = [(i, j) for i in range(N_SHIFTS) for j in range(N_SHIFTS) if i or j]
    return [saliency_map.roll((i * n_bins // N_SHIFTS, j * n_frames // N_SHIFTS), (1, 2)) for i, j in steps]
