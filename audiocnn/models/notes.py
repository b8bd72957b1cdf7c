"""NotesModel: waveforms -> the scores of notes."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from audiocnn.backbones.base import Backbone
from audiocnn.frontends.base import FrontEnd
from audiocnn.models.base import MODELS, OPTIONS, Model, check_part
from audiocnn.models.heads import NotesHead
from audiocnn.notes import N_PITCHES, DecodingOptions

# Networks were trained on segments of music, few of which begin or end on an onset: of notes at 0 s in 7
# recordings of MAPS' validation `notes-piano` found 43 of 91 without silence before them, 85 with a frame of
# 32 ms, 87 with 4 frames or more.
SILENCE_S = 0.128

OPTIONS.register(DecodingOptions)


@MODELS.register
class NotesModel(Model):
    """Predict which notes sound when: scores for each pitch and each frame of the backbone's feature maps.

    Args:
        front_end: waveforms to spectrograms; its sample rate is the model's.
        backbone: spectrograms to feature maps.
        decoding: how notes are decoded from the scores; saved with the model.
        bend: whether pitch bend is among the outputs.

    Shape:
        (batch, samples) -> raw outputs of `NotesHead` (batch, outputs, pitches, frames).
    """

    head: NotesHead

    def __init__(
        self,
        front_end: FrontEnd,
        backbone: Backbone,
        decoding: DecodingOptions = DecodingOptions(),  # noqa: B008, it is frozen
        bend: bool = False,
    ) -> None:
        super().__init__(front_end, backbone)
        check_part("decoding", decoding, DecodingOptions)
        check_part("bend", bend, bool)
        self.decoding, self.bend = decoding, bend
        self.head = NotesHead(
            backbone.out_channels, backbone.count_output_bins(front_end.n_bins), N_PITCHES, bend
        )

    @property
    def hop_length(self) -> int:
        """Samples from one frame of the scores to the next."""
        return self.front_end.hop_length * self.backbone.time_stride

    @property
    def frame_s(self) -> float:
        """Seconds from one frame of the scores to the next."""
        return self.hop_length / self.sample_rate

    @property
    def n_silent_frames(self) -> int:
        """Frames of the scores before a recording and after it that are computed, of silence, and left out.

        They last `SILENCE_S` or a little longer: the network's time grid stays where it was.
        """
        grid = self.backbone.time_grid
        n_spectrogram = math.ceil(SILENCE_S / self.front_end.frame_s / grid) * grid
        return n_spectrogram // self.backbone.time_stride

    def scores(self, waveforms: Tensor) -> dict[str, Tensor]:
        """Compute the scores of whole recordings, with silence before and after them.

        Args:
            waveforms: (batch, samples) at the model's sample rate.

        Returns:
            Each output by its name, (batch, pitches, frames), as `NotesHead.scores` has them. Frame i lies at
            sample i * hop_length.
        """
        first, n_frames = self.n_silent_frames, 1 + waveforms.shape[-1] // self.hop_length
        n_silence = first * self.hop_length
        raw_outputs = self(functional.pad(waveforms, (n_silence, n_silence)))
        return self.head.scores(raw_outputs[..., first : first + n_frames])
