"""The contract of every front end."""

from __future__ import annotations

from torch import Tensor, nn

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


class FrontEnd(InitArgs, nn.Module):
    """What every front end tells: `sample_rate` in Hz, `hop_length` and `reach` in samples, `n_bins`.

    Attributes:
        bins_hz: the frequency that each bin stands for, (bins,); 0 where one bin holds all.
    """

    sample_rate: int
    hop_length: int
    reach: int
    n_bins: int
    bins_hz: Tensor

    def magnitudes(self, spectrograms: Tensor) -> Tensor:
        """How loud each bin is, from a spectrogram: what `forward` made of magnitudes is undone.

        Where spectrograms are relative to their loudest cell, so are these.
        Shape: (..., bins, frames) -> the same.
        """
        return spectrograms

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_length / self.sample_rate
