"""Heads: feature maps in, scores out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

OUTPUTS = ("onset", "frame", "offset", "velocity", "bend")


class NotesHead(nn.Module):
    """Logits of onset, frame, offset and velocity, and bend in semitones, for each pitch and frame.

    Maps with a row for each pitch are read by the same weights in each; of others, and of maps without rows,
    each pitch reads all.
    Shape: (batch, channels, rows, frames) or (batch, channels, frames)
    -> (batch, outputs, n_pitches, frames).

    Args:
        rows: of the maps; None for maps without.
        bend: whether pitch bend is among the outputs.
    """

    def __init__(
        self, in_channels: int, rows: int | None = None, n_pitches: int = 88, bend: bool = False
    ) -> None:
        super().__init__()
        self.rows, self.n_pitches = rows, n_pitches
        self.outputs = OUTPUTS if bend else OUTPUTS[:-1]
        n_outputs = len(self.outputs)
        if rows == n_pitches:
            self.project: nn.Module = nn.Conv2d(in_channels, n_outputs, 1)
        else:
            self.project = nn.Conv1d(in_channels * (rows or 1), n_outputs * n_pitches, 1)
        # Notes are rare: start at a probability of 1 in 50 instead of 1 in 2, and without bend.
        bias = torch.full((n_outputs, 1 if rows == n_pitches else n_pitches), -4.0)
        if bend:
            bias[-1] = 0
        self.project.bias = nn.Parameter(bias.flatten())

    def forward(self, maps: Tensor) -> Tensor:
        if self.rows == self.n_pitches:
            return self.project(maps)
        channels = maps if self.rows is None else maps.flatten(1, 2)
        return self.project(channels).unflatten(1, (len(self.outputs), self.n_pitches))

    def scores(self, logits: Tensor) -> dict[str, Tensor]:
        """Each output by its name: probabilities, velocity as 0 to 1, bend in semitones.

        Shape: (batch, outputs, n_pitches, frames) -> (batch, n_pitches, frames) each.
        """
        return {
            name: channel if name == "bend" else torch.sigmoid(channel)
            for name, channel in zip(self.outputs, logits.unbind(1), strict=True)
        }


class ClipHead(nn.Module):
    """Logits of a clip: the mean over rows, then mean and maximum over time, and one linear layer.

    Shape: (batch, channels, rows, frames) or (batch, channels, frames) -> (batch, outputs).
    Source: Kong et al., "PANNs: large-scale pretrained audio neural networks", 2020, section III.

    Args:
        drop: share of the pooled channels that training leaves out.
    """

    def __init__(self, in_channels: int, n_outputs: int, drop: float = 0.2) -> None:
        super().__init__()
        self.drop = nn.Dropout(drop)
        self.project = nn.Linear(in_channels, n_outputs)

    def forward(self, maps: Tensor) -> Tensor:
        in_time = maps if maps.ndim == 3 else maps.mean(dim=2)
        return self.project(self.drop(in_time.mean(dim=-1) + in_time.amax(dim=-1)))
