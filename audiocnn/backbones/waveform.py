"""Networks over waveforms: one dimension, samples in place of frames."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import Any

from torch import nn

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.blocks.arguments import only_dims
from audiocnn.blocks.conv import ConvNormAct
from audiocnn.blocks.geometry import Window, compute_receptive_field
from audiocnn.blocks.global_pool import create_global_pool
from audiocnn.blocks.pool import create_pool
from audiocnn.blocks.residual import ResidualV1

NO_BINS = "a waveform has no bins"

MNETS: dict[str, dict[str, Any]] = {
    "m3": {"stem_channels": 256, "depths": (1,), "widths": (256,)},
    "m5": {"stem_channels": 128, "depths": (1, 1, 1), "widths": (128, 256, 512)},
    "m11": {
        "stem_channels": 64,
        "depths": (2, 2, 3, 2),
        "widths": (64, 128, 256, 512),
        "pool_last": False,
    },
    "m18": {
        "stem_channels": 64,
        "depths": (4, 4, 4, 4),
        "widths": (64, 128, 256, 512),
        "pool_last": False,
    },
    "m34_res": {
        "stem_channels": 48,
        "depths": (3, 4, 6, 3),
        "widths": (48, 96, 192, 384),
        "residual": True,
        "pool_last": False,
    },
    "m5_small": {"stem_channels": 32, "depths": (1, 1, 1), "widths": (32, 64, 128)},
}


@register(MNETS)
class MNet(Backbone):
    """A wide strided convolution as a bank of filters, then groups of narrow ones, with pooling between them.

    Args:
        dims: 1 or 2, the axes after channels.
        stem_channels: of the first convolution.
        depths: of each group its convolutions, or residual blocks of two.
        widths: of each group.
        residual: whether groups are of residual blocks.
        pool_last: whether pooling follows the last group too.
        pool: as `create_pool`.
        common: in_channels, norm and act, as `Backbone`.

    Raises:
        ValueError: dims is not 1.

    Shape:
        (batch, in_channels, samples) -> (batch, widths[-1], ceil(samples / time_stride)).

    Source:
        Dai et al., "Very deep convolutional neural networks for raw waveforms", 2017 (at 8 kHz).

    Differs:
        Where a residual block changes the channels, its shortcut is a 1x1 convolution.
    """

    of_waveforms = True

    def __init__(
        self,
        *,
        dims: int = 1,
        stem_channels: int = 128,
        depths: tuple[int, ...] = (1, 1, 1),
        widths: tuple[int, ...] = (128, 256, 512),
        residual: bool = False,
        pool_last: bool = True,
        pool: str = "max",
        **common: Any,
    ) -> None:
        super().__init__(dims=only_dims(dims, 1, NO_BINS), **common)
        options = self.layer_options
        # 39 samples before and 40 after: ceil(samples / 4) positions for a kernel of 80.
        stem = ConvNormAct(self.in_channels, stem_channels, 80, stride=4, padding=((39, 40),), **options)
        stages = [nn.Sequential(stem, create_pool(pool, 4, dims=dims, ceil_mode=True))]
        channels = stem_channels
        for i, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            stages.append(nn.Sequential())
            for _ in range(depth):
                layer = (
                    ResidualV1(channels, width, **options)
                    if residual
                    else ConvNormAct(channels, width, 3, **options)
                )
                stages[-1].append(layer)
                channels = width
            if pool_last or i < len(depths) - 1:
                stages[-1].append(create_pool(pool, 4, dims=dims, ceil_mode=True))
        self.stages = nn.ModuleList(stages)
        self.stage_channels = (stem_channels, *widths)
        self.time_stride = 4 ** (1 + len(depths) + pool_last)


SAMPLE_CNNS: dict[str, dict[str, Any]] = {
    "samplecnn": {},
    "samplecnn_small": {"widths": (32, 32, 32, 64, 64, 64, 64, 128)},
}


@register(SAMPLE_CNNS)
class SampleCNN(Backbone):
    """Convolutions over three samples, each but the first with pooling by three: no wide filter anywhere.

    Args:
        dims: 1 or 2, the axes after channels.
        widths: of each convolution over three; the first is strided.
        pool: as `create_pool`.
        drop: dropout probability of the classifier.
        common: in_channels, norm and act, as `Backbone`.

    Raises:
        ValueError: dims is not 1.

    Shape:
        (batch, in_channels, samples) -> (batch, widths[-1], ceil(samples / 3^len(widths))).

    Source:
        Lee, Park, Kim, Nam, "Sample-level deep convolutional neural networks for music auto-tagging using raw
        waveforms", 2017: the 3^9 model, for 59,049 samples at 22,050 Hz, as in its authors' code
        (jongpillee/sampleCNN), where the last convolution is 1x1.
    """

    of_waveforms = True

    def __init__(
        self,
        *,
        dims: int = 1,
        widths: tuple[int, ...] = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512),
        pool: str = "max",
        drop: float = 0.5,
        **common: Any,
    ) -> None:
        super().__init__(dims=only_dims(dims, 1, NO_BINS), **common)
        self.drop, self.widths = drop, tuple(widths)
        stages = [nn.Sequential(ConvNormAct(self.in_channels, widths[0], 3, stride=3, **self.layer_options))]
        for before, width in pairwise(widths):
            pooling = create_pool(pool, 3, dims=dims, ceil_mode=True)
            stages.append(nn.Sequential(ConvNormAct(before, width, 3, **self.layer_options), pooling))
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(widths)
        self.time_stride = 3 ** len(widths)

    @cached_property
    def receptive_field(self) -> float:
        """Computed by arithmetic: a measurement of so long a receptive field takes too long."""
        windows = [Window(3, 3, 1), *[Window(3, 1, 1), Window(3, 3)] * (len(self.widths) - 1)]
        field = compute_receptive_field(windows)
        return 1 + 2 * math.ceil((field.size - 1) / 2 + abs(field.offset))

    def classifier(self, n_classes: int) -> nn.Module:
        """Create a 1x1 convolution, the mean over time, dropout and a linear layer."""
        channels = self.out_channels
        return nn.Sequential(
            ConvNormAct(channels, channels, 1, **self.layer_options),
            create_global_pool("average", channels),
            nn.Dropout(self.drop),
            nn.Linear(channels, n_classes),
        )
