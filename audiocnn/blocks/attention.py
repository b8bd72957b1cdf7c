"""Attention over channels."""

from __future__ import annotations

from torch import Tensor, nn

from audiocnn.blocks.act import act as act_layer
from audiocnn.blocks.conv import conv


class SqueezeExcitation(nn.Module):
    """The map with each channel scaled by a number from 0 to 1, found from the means of all channels.

    Each position hears the whole map: with it, pieces of a recording have other maps than the whole.
    Shape: (batch, channels, ..., frames) -> the same.
    Raises: ValueError when squeeze_channels is below 1.
    Source: Hu, Shen, Sun, "Squeeze-and-excitation networks", 2018, equations 2 to 4.

    Args:
        squeeze_channels: between the two layers; the paper has a sixteenth of the channels.
    """

    def __init__(self, channels: int, squeeze_channels: int, *, dims: int, act: str = "relu") -> None:
        super().__init__()
        if squeeze_channels < 1:
            raise ValueError(f"squeeze_channels is {squeeze_channels}, expected at least 1")
        self.excitation = nn.Sequential(
            conv(channels, squeeze_channels, 1, dims=dims),
            act_layer(act),
            conv(squeeze_channels, channels, 1, dims=dims),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)
        return x * self.excitation(means)
