"""Attention over channels."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.act import create_act
from audiocnn.blocks.conv import conv


class SqueezeExcitation(nn.Module):
    """Feature map with each channel scaled by a factor from 0 to 1, predicted from the means of all channels.

    The receptive field is the whole feature map: features of an excerpt differ from those of the recording.

    Args:
        channels: of the feature map.
        squeeze_channels: between the two layers; the paper has a sixteenth of the channels.
        dims: 1 or 2, the axes after channels.
        act: activation between the two layers.

    Raises:
        ValueError: squeeze_channels is below 1.

    Shape:
        (batch, channels, ..., frames) -> the same.

    Source:
        Hu, Shen, Sun, "Squeeze-and-excitation networks", 2018, equations 2 to 4.
    """

    def __init__(self, channels: int, squeeze_channels: int, *, dims: int, act: str = "relu") -> None:
        super().__init__()
        if squeeze_channels < 1:
            raise ValueError(f"squeeze_channels is {squeeze_channels}, expected at least 1")
        self.excitation = nn.Sequential(
            conv(channels, squeeze_channels, 1, dims=dims),
            create_act(act),
            conv(squeeze_channels, channels, 1, dims=dims),
            nn.Sigmoid(),
        )

    def forward(
        self, x: Float[Tensor, "batch channels *positions"]
    ) -> Float[Tensor, "batch channels *positions"]:
        means = x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)
        return x * self.excitation(means)
