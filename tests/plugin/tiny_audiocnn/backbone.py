"""TinyNet: one convolution over time."""

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone


@register({"tiny": {}})
class TinyNet(Backbone):
    """A convolution over three frames, batch normalisation and a rectifier.

    Args:
        in_channels: bins of the spectrogram.
        channels: of the feature map.
    """

    def __init__(self, in_channels: int, channels: int = 16) -> None:
        super().__init__(dims=1, in_channels=in_channels)
        self.stages = nn.ModuleList(
            [nn.Sequential(nn.Conv1d(in_channels, channels, 3, padding=1), nn.ReLU())]
        )
        self.stage_channels, self.time_stride = (channels,), 1
