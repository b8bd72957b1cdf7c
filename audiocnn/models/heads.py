"""Heads: feature maps -> raw outputs, and raw outputs -> scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.ranges import Range
from audiocnn.registry import InitArgs

OUTPUTS = ("onset", "frame", "offset", "velocity", "bend")
INITIAL_LOGIT = -4.0  # a probability of 1 in 50 instead of 1 in 2: notes are rare
COUNT = Range(1, 1_000_000, whole=True)  # of channels, rows or outputs


class NotesHead(InitArgs, nn.Module):
    """Compute raw outputs for each pitch and frame: logits, and of bend semitones.

    Feature maps with a row for each pitch are projected by the same weights in each row; of others, and of
    those without rows, each pitch has weights for all rows.

    Args:
        in_channels: of the feature maps.
        n_rows: of the feature maps; None for those without rows.
        n_pitches: of the scores.
        bend: whether pitch bend is among the outputs.

    Attributes:
        outputs: names of the raw outputs, in their order.

    Raises:
        ValueError: a number is out of its range.

    Shape:
        (batch, in_channels, n_rows, frames) or (batch, in_channels, frames)
        -> (batch, outputs, n_pitches, frames).
    """

    ranges: ClassVar[Mapping[str, Range]] = {"in_channels": COUNT, "n_rows": COUNT, "n_pitches": COUNT}

    def __init__(
        self, in_channels: int, n_rows: int | None = None, n_pitches: int = 88, bend: bool = False
    ) -> None:
        super().__init__()
        self.n_rows, self.n_pitches = n_rows, n_pitches
        self.outputs = OUTPUTS if bend else OUTPUTS[:-1]
        n_outputs = len(self.outputs)
        if n_rows == n_pitches:
            self.project: nn.Module = nn.Conv2d(in_channels, n_outputs, 1)
        else:
            self.project = nn.Conv1d(in_channels * (n_rows or 1), n_outputs * n_pitches, 1)
        bias = torch.full((n_outputs, 1 if n_rows == n_pitches else n_pitches), INITIAL_LOGIT)
        if bend:
            bias[-1] = 0
        self.project.bias = nn.Parameter(bias.flatten())

    def forward(
        self, features: Float[Tensor, "batch channels *rows frames"]
    ) -> Float[Tensor, "batch outputs pitches frames"]:
        if self.n_rows == self.n_pitches:
            return self.project(features)
        channels = features if self.n_rows is None else features.flatten(1, 2)
        return self.project(channels).unflatten(1, (len(self.outputs), self.n_pitches))

    def scores(
        self, raw_outputs: Float[Tensor, "batch outputs pitches frames"]
    ) -> dict[str, Float[Tensor, "batch pitches frames"]]:
        """Compute the scores of each output.

        Args:
            raw_outputs: as `forward` returns them.

        Returns:
            By the output's name: probabilities, velocity from 0 to 1, bend in semitones.
        """
        return {
            name: channel if name == "bend" else torch.sigmoid(channel)
            for name, channel in zip(self.outputs, raw_outputs.unbind(1), strict=True)
        }


class ClipHead(InitArgs, nn.Module):
    """Compute the logits of a clip: mean over rows, mean plus maximum over time, and one linear layer.

    Args:
        in_channels: of the feature maps.
        n_outputs: logits.
        drop: dropout probability of the pooled channels.

    Raises:
        ValueError: a number is out of its range.

    Shape:
        (batch, in_channels, rows, frames) or (batch, in_channels, frames) -> (batch, n_outputs).

    Source:
        Kong et al., "PANNs: large-scale pretrained audio neural networks", 2020, section III.
    """

    ranges: ClassVar[Mapping[str, Range]] = {"in_channels": COUNT, "n_outputs": COUNT, "drop": Range(0, 1)}

    def __init__(self, in_channels: int, n_outputs: int, drop: float = 0.2) -> None:
        super().__init__()
        self.drop = nn.Dropout(drop)
        self.project = nn.Linear(in_channels, n_outputs)

    def forward(
        self, features: Float[Tensor, "batch channels *rows frames"]
    ) -> Float[Tensor, "batch outputs"]:
        over_time = features if features.ndim == 3 else features.mean(dim=2)
        return self.project(self.drop(over_time.mean(dim=-1) + over_time.amax(dim=-1)))
