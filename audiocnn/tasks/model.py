"""NotesModel: all that listening needs, without Lightning, whose import takes as long as a song's notes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audiocnn.backbones import Backbone
from audiocnn.heads import NotesHead
from audiocnn.notes import N_PITCHES, Decoding
from audiocnn.spectrogram import FrontEnd


class NotesModel(nn.Module):
    """A front end, a backbone and a head over it.

    Shape: (batch, samples) -> logits (batch, outputs, pitches, frames), a frame of them for each cell of the
    backbone.

    Args:
        front_end: waveforms to pictures; its sample rate is the model's.
        backbone: pictures to maps.
        decoding: how notes are read from the scores; saved with the model.
        bend: whether pitch bend is among the outputs.
    """

    def __init__(
        self, front_end: FrontEnd, backbone: Backbone, decoding: Decoding | None = None, bend: bool = False
    ) -> None:
        super().__init__()
        self.front_end, self.backbone = front_end, backbone
        for parameter in backbone.parameters():  # the layout that dense convolutions are fastest in
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.decoding, self.bend = decoding or Decoding(), bend
        self.head = NotesHead(backbone.out_channels, backbone.map_rows(front_end.n_bins), N_PITCHES, bend)

    @property
    def hop_length(self) -> int:
        """Samples from one frame of the scores to the next."""
        return self.front_end.hop_length * self.backbone.time_stride

    @property
    def frame_s(self) -> float:
        """Seconds from one frame of the scores to the next."""
        return self.hop_length / self.sample_rate

    @property
    def sample_rate(self) -> int:
        """Hz that waveforms must have."""
        return self.front_end.sample_rate

    @property
    def device(self) -> torch.device:
        """Where the weights are, and waveforms must be."""
        return next(self.parameters()).device

    def forward(self, waveforms: Tensor) -> Tensor:
        """The logits of the head."""
        return self.head(self.backbone(self.picture(waveforms)))

    def picture(self, waveforms: Tensor) -> Tensor:
        """What the backbone sees: the front end in full precision also where the network runs in half.

        Shape: (batch, samples) -> (batch, 1, bins, frames); without the 1 for a backbone of dims=1.
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            picture = self.front_end(waveforms.float())
        return picture if self.backbone.dims == 2 else picture.squeeze(1)

    def scores(self, waveforms: Tensor) -> dict[str, Tensor]:
        """Each output by name, (batch, pitches, frames): see `NotesHead.scores`."""
        return self.head.scores(self(waveforms))
