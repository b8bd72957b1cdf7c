"""The contract of every front end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.ranges import Range
from audiocnn.registry import InitArgs, Registry

FRONT_ENDS: Registry[FrontEnd] = Registry(
    "frontends",
    {
        "Cqt": "audiocnn.frontends.cqt",
        "LogMel": "audiocnn.frontends.mel",
        "Stft": "audiocnn.frontends.stft",
        "Waveform": "audiocnn.frontends.waveform",
    },
)

# Far beyond what is used, and so little that a front end of these sizes fits into memory.
SAMPLES_PER_HOP = Range(1, 1 << 16, whole=True)
SAMPLES_PER_WINDOW = Range(1, 1 << 15, whole=True)
BINS = Range(1, 1024, whole=True)
SAMPLE_RATE = Range(1, 768_000, whole=True)  # in Hz; the highest of converters
FLOOR = Range(1e-30, 1000)  # under a logarithm


class FrontEnd(InitArgs, nn.Module):
    """A module that turns waveforms into spectrograms.

    A subclass sets the attributes, and is registered by `FRONT_ENDS.register`. Arguments with
    the same names have the same ranges in all of them.

    Attributes:
        sample_rate: sample rate of the waveforms, in Hz.
        hop_length: samples from one frame to the next.
        reach: samples before and after a frame's centre on which the frame depends.
        n_bins: number of frequency bins.
        bins_hz: centre frequency of each bin in Hz, (bins,); 0 where a single bin holds all frequencies.

    Raises:
        ValueError: a number is out of its range.

    Shape:
        (batch, samples) -> (batch, 1, n_bins, 1 + samples // hop_length).
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "sample_rate": SAMPLE_RATE,
        "hop_length": SAMPLES_PER_HOP,
        "n_fft": SAMPLES_PER_WINDOW,
        "floor": FLOOR,
    }
    sample_rate: int
    hop_length: int
    reach: int
    n_bins: int
    bins_hz: Tensor

    def magnitudes(
        self, spectrograms: Float[Tensor, "*batch bins frames"]
    ) -> Float[Tensor, "*batch bins frames"]:
        """Compute the magnitude of each time-frequency bin, the inverse of the scaling in `forward`.

        Args:
            spectrograms: as `forward` returns them.

        Returns:
            Magnitudes, relative to the greatest where the scaling of the spectrograms is (`top_db`).
        """
        return spectrograms

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_length / self.sample_rate
