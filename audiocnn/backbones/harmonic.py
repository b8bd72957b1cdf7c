"""Networks over a log-frequency spectrogram whose kernels reach harmonic intervals.

HarmonicNet works at full time resolution; HarmonicUNet has a middle at a coarser one, where the same work
costs a quarter and a position spans four frames: there most of the channels are.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone
from audiocnn.blocks.conv import ConvNormAct, Residual, conv

Dilations = tuple[tuple[tuple[int, int], tuple[int, int]], ...]

# (dilation in semitones, dilation in frames) of the two convolutions of each residual block. 12, 7 and 4
# semitones are the octave, the fifth and the major third: sums of them reach the first ten harmonics of any
# pitch.
DILATIONS = (
    ((12, 1), (1, 1)),
    ((7, 2), (12, 2)),
    ((4, 4), (1, 4)),
    ((12, 16), (1, 32)),
)
# Of HarmonicUNet: the stages before, within (at the coarser time resolution) and after the middle.
BEFORE = (((12, 1), (1, 1)), ((7, 1), (12, 1)))
MIDDLE = (((12, 1), (1, 1)), ((7, 2), (1, 4)), ((12, 4), (1, 2)), ((4, 1), (1, 1)))
AFTER = (((1, 1), (12, 1)),)
HARMONICS = (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10)


@register({"harmonic": {}})
class HarmonicNet(Backbone):
    """A row for each semitone: harmonics stacked as channels, then residual blocks of dilated convolutions.

    All pitches share the same weights, apart from one bias for each channel and pitch.

    Args:
        channels: of every feature map.
        n_pitches: rows of the output, from the lowest semitone of the spectrogram.
        bins_per_semitone: an odd number of bins.
        harmonics: multiples of a pitch's frequency stacked at its row.
        dilations: of the two convolutions of each block, each in (semitones, frames).

    Shape:
        (batch, 1, bins, frames) -> (batch, channels, n_pitches, frames), where row i of the output is the
        semitone whose middle is bin bins_per_semitone * i + bins_per_semitone // 2.

    Source:
        Wei, Cao, Dixon, Gong, "HPPNet: modeling the harmonic structure and pitch invariance in piano
        transcription", 2022; harmonic stacking: Bittner et al., "Deep salience representations", 2017.

    Differs:
        The intervals are reached by the depth of 3x3 kernels instead of parallel convolutions; no recurrence.
    """

    pitch_rows = True

    def __init__(
        self,
        channels: int = 48,
        n_pitches: int = 88,
        bins_per_semitone: int = 3,
        harmonics: tuple[float, ...] = HARMONICS,
        dilations: Dilations = DILATIONS,
    ) -> None:
        super().__init__(dims=2, in_channels=1)
        self.n_pitches, self.bins_per_semitone = n_pitches, bins_per_semitone
        self.dims, self.in_channels, self.time_stride = 2, 1, 1
        self.stage_channels = (channels,) * (1 + len(dilations))
        self.rows = tuple(round(12 * math.log2(harmonic)) for harmonic in harmonics)
        self.stem = ConvNormAct(len(harmonics) * bins_per_semitone, channels, 3, dims=2)
        self.pitch_bias = nn.Parameter(torch.zeros(channels, n_pitches, 1))
        self.stages = nn.ModuleList(_block(channels, first, second) for first, second in dilations)
        self.receptive_field = 1 + 2 * (1 + _reach(dilations))

    def features(self, x: Tensor) -> list[Tensor]:
        # The layout that dense convolutions are fastest in; one channel does not tell it by itself.
        stacked = self.stack(x).contiguous(memory_format=torch.channels_last)
        feature_maps = [self.stem(stacked) + self.pitch_bias]
        for stage in self.stages:
            feature_maps.append(stage(feature_maps[-1]))
        return feature_maps

    def count_output_bins(self, n_bins: int) -> int:
        return self.n_pitches

    def stack(self, x: Float[Tensor, "batch 1 bins frames"]) -> Float[Tensor, "batch stacked pitches frames"]:
        """Stack each pitch's harmonics as channels.

        Args:
            x: spectrogram.

        Returns:
            The stacked bins; zeros where a harmonic lies outside the spectrogram.

        Shape:
            (batch, 1, bins, frames) -> (batch, harmonics * bins_per_semitone, n_pitches, frames); zeros where
            a harmonic lies outside the spectrogram.
        """
        batch, _, bins, frames = x.shape
        n_rows = bins // self.bins_per_semitone
        x = x.reshape(batch, n_rows, self.bins_per_semitone, frames).transpose(1, 2)
        below = -min(0, *self.rows)
        above = max(0, max(self.rows) + self.n_pitches - n_rows)
        x = functional.pad(x, (0, 0, below, above))
        return torch.cat([x[:, :, below + row : below + row + self.n_pitches] for row in self.rows], dim=1)


def _reach(dilations: Dilations) -> int:
    """Compute the frames to each side in the receptive field of blocks of these dilations."""
    return sum(first[1] + second[1] for first, second in dilations)


def _block(channels: int, first: tuple[int, int], second: tuple[int, int], *between: nn.Module) -> Residual:
    norm = nn.BatchNorm2d(channels)
    nn.init.zeros_(norm.weight)  # each block starts as the identity
    return Residual(
        nn.Sequential(
            ConvNormAct(channels, channels, 3, dims=2, dilation=first),
            *between,
            conv(channels, channels, 3, dims=2, dilation=second, bias=False),
            norm,
        )
    )


@register({"harmonic_unet": {}})
class HarmonicUNet(HarmonicNet):
    """A HarmonicNet with a middle at a coarser time resolution, which is added to the finer one.

    A strided convolution leads to the middle's residual blocks, a transposed one back.

    In each block of the middle context pooled over pitch is added to every pitch: the pedal, reverberation
    and level are common to all.

    Args:
        channels: of the feature maps at full time resolution.
        middle_channels: of the feature maps in the middle.
        pool: frames for each position in time of the middle.
        n_pitches: as `HarmonicNet`.
        bins_per_semitone: as `HarmonicNet`.
        harmonics: as `HarmonicNet`.
        before: dilations as in HarmonicNet.
        middle: the same, in (semitones, positions of the middle).
        after: the same, in (semitones, frames).

    Shape:
        (batch, 1, bins, frames) -> (batch, channels, n_pitches, frames). Stages: those before the middle, the
        middle's (a position for `pool` frames), those after it.

    Source:
        as HarmonicNet; Ronneberger, Fischer, Brox, "U-Net", 2015, with one step down and a sum for the
        concatenation; the pooled context after Hu, Shen, Sun, "Squeeze-and-excitation networks", 2018.

    Differs:
        It keeps time, and is added instead of multiplied.
    """

    def __init__(
        self,
        channels: int = 32,
        middle_channels: int = 96,
        pool: int = 4,
        n_pitches: int = 88,
        bins_per_semitone: int = 3,
        harmonics: tuple[float, ...] = HARMONICS,
        before: Dilations = BEFORE,
        middle: Dilations = MIDDLE,
        after: Dilations = AFTER,
    ) -> None:
        super().__init__(channels, n_pitches, bins_per_semitone, harmonics, before)
        self.pool = pool
        self.stage_channels += (middle_channels,) * (1 + len(middle)) + (channels,) * (1 + len(after))
        window = {"kernel_size": (1, pool), "stride": (1, pool), "bias": False}
        self.down = nn.Sequential(
            nn.Conv2d(channels, middle_channels, **window), nn.BatchNorm2d(middle_channels), nn.ReLU()
        )
        self.middle_stages = nn.ModuleList(
            _block(middle_channels, *dilations, Residual(PitchContext(middle_channels)))
            for dilations in middle
        )
        self.up = nn.Sequential(
            nn.ConvTranspose2d(middle_channels, channels, **window), nn.BatchNorm2d(channels)
        )
        self.after_stages = nn.ModuleList(_block(channels, *dilations) for dilations in after)
        reach = (1 + _reach(before)) + pool * (_reach(middle) + len(middle)) + (pool - 1) + _reach(after)
        self.receptive_field = 1 + 2 * reach

    @property
    def time_grid(self) -> int:
        return self.pool

    def features(self, x: Tensor) -> list[Tensor]:
        feature_maps = super().features(x)
        fine, n_frames = feature_maps[-1], x.shape[-1]
        feature_maps.append(self.down(functional.pad(fine, (0, -n_frames % self.pool))))
        for stage in self.middle_stages:
            feature_maps.append(stage(feature_maps[-1]))
        feature_maps.append(fine + self.up(feature_maps[-1])[..., :n_frames])
        for stage in self.after_stages:
            feature_maps.append(stage(feature_maps[-1]))
        return feature_maps


class PitchContext(nn.Module):
    """Context pooled over pitch: mean and maximum over all pitches, then two convolutions in time.

    Args:
        channels: of the feature map.

    Shape:
        (batch, channels, pitches, frames) -> (batch, channels, 1, frames); 0 at the start.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        norm = nn.BatchNorm1d(channels)
        nn.init.zeros_(norm.weight)
        self.net = nn.Sequential(
            ConvNormAct(2 * channels, channels, 3, dims=1),
            conv(channels, channels, 1, dims=1, bias=False),
            norm,
        )

    def forward(
        self, x: Float[Tensor, "batch channels pitches frames"]
    ) -> Float[Tensor, "batch channels 1 frames"]:
        return self.net(torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)).unsqueeze(2)
