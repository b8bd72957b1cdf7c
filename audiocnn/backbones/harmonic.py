"""HarmonicNet: a 2-D network over a log-frequency picture whose kernels reach harmonic intervals."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones.base import Backbone
from audiocnn.blocks.conv import ConvNormAct, Residual, conv

# (dilation in semitones, dilation in frames) of the two convolutions of each residual block. 12, 7 and 4
# semitones are the octave, the fifth and the major third: sums of them reach the first ten harmonics of any
# pitch.
DILATIONS = (
    ((12, 1), (1, 1)),
    ((7, 2), (12, 2)),
    ((4, 4), (1, 4)),
    ((12, 16), (1, 32)),
)
HARMONICS = (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10)


class HarmonicNet(Backbone):
    """One map row a semitone: harmonics stacked as channels, then residual blocks of dilated convolutions.

    Every pitch is judged by the same weights, apart from one bias a channel and pitch.
    Shape: (batch, 1, bins, frames) -> (batch, channels, n_pitches, frames), where row i of the output is the
    semitone whose middle is bin bins_per_semitone * i + bins_per_semitone // 2.
    Source: Wei, Cao, Dixon, Gong, "HPPNet: modeling the harmonic structure and pitch invariance in piano
    transcription", 2022; harmonic stacking: Bittner et al., "Deep salience representations", 2017.
    Differs: the intervals are reached by the depth of 3x3 kernels instead of parallel convolutions; no
    recurrence.

    Args:
        channels: width of every map.
        n_pitches: rows of the output, from the lowest semitone of the picture.
        bins_per_semitone: an odd number of bins.
        harmonics: multiples of a pitch's frequency stacked at its row.
        dilations: of the two convolutions of each block, each in (semitones, frames).
    """

    def __init__(
        self,
        channels: int = 48,
        n_pitches: int = 88,
        bins_per_semitone: int = 3,
        harmonics: tuple[float, ...] = HARMONICS,
        dilations: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = DILATIONS,
    ) -> None:
        super().__init__()
        self.dims, self.in_channels, self.out_channels, self.time_stride = 2, 1, channels, 1
        self.channels, self.n_pitches, self.bins_per_semitone = channels, n_pitches, bins_per_semitone
        self.harmonics, self.dilations = tuple(harmonics), tuple(dilations)
        self.stage_channels = (channels,) * (1 + len(dilations))
        self.rows = tuple(round(12 * math.log2(harmonic)) for harmonic in harmonics)
        self.stem = ConvNormAct(len(harmonics) * bins_per_semitone, channels, 3, dims=2)
        self.pitch_bias = nn.Parameter(torch.zeros(channels, n_pitches, 1))
        self.stages = nn.ModuleList(_block(channels, first, second) for first, second in dilations)
        self.receptive_field = 1 + 2 * (1 + sum(first[1] + second[1] for first, second in dilations))

    def features(self, x: Tensor) -> list[Tensor]:
        # The layout that dense convolutions are fastest in; one channel does not tell it by itself.
        stacked = self.stack(x).contiguous(memory_format=torch.channels_last)
        maps = [self.stem(stacked) + self.pitch_bias]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps

    def stack(self, x: Tensor) -> Tensor:
        """Each pitch's harmonics as channels.

        Shape: (batch, 1, bins, frames) -> (batch, harmonics * bins_per_semitone, n_pitches, frames); zeros
        where a harmonic lies outside the picture.
        """
        batch, _, bins, frames = x.shape
        n_rows = bins // self.bins_per_semitone
        x = x.reshape(batch, n_rows, self.bins_per_semitone, frames).transpose(1, 2)
        below = -min(0, *self.rows)
        above = max(0, max(self.rows) + self.n_pitches - n_rows)
        x = functional.pad(x, (0, 0, below, above))
        return torch.cat([x[:, :, below + row : below + row + self.n_pitches] for row in self.rows], dim=1)


def _block(channels: int, first: tuple[int, int], second: tuple[int, int]) -> Residual:
    norm = nn.BatchNorm2d(channels)
    nn.init.zeros_(norm.weight)  # each block starts as the identity
    return Residual(
        nn.Sequential(
            ConvNormAct(channels, channels, 3, dims=2, dilation=first),
            conv(channels, channels, 3, dims=2, dilation=second, bias=False),
            norm,
        )
    )
