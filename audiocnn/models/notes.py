"""NotesModel: waveforms -> the scores of notes."""

from __future__ import annotations

from torch import Tensor

from audiocnn.backbones.base import Backbone
from audiocnn.frontends.base import FrontEnd
from audiocnn.models.base import MODELS, OPTIONS, Model, check_part
from audiocnn.models.heads import NotesHead
from audiocnn.notes import N_PITCHES, DecodingOptions

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

    def scores(self, waveforms: Tensor) -> dict[str, Tensor]:
        """Compute the scores of waveforms.

        Args:
            waveforms: (batch, samples) at the model's sample rate.

        Returns:
            Each output by its name, (batch, pitches, frames), as `NotesHead.scores` has them.
        """
        return self.head.scores(self(waveforms))
