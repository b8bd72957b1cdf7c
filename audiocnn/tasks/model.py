"""NotesModel, ClipModel, ImageModel: all that using them needs, without Lightning (its import takes 1 s)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiocnn import labels as labelling
from audiocnn.backbones import Backbone
from audiocnn.backbones.base import channels_last
from audiocnn.heads import ClipHead, NotesHead
from audiocnn.notes import N_PITCHES, Decoding
from audiocnn.spectrogram import FrontEnd


class Model(nn.Module):
    """A front end and a backbone; a subclass adds the head and what its scores mean.

    Attributes:
        name: of the file that it was loaded from, without the suffix.
    """

    head: nn.Module
    name: str = "model"

    def __init__(self, front_end: FrontEnd, backbone: Backbone) -> None:
        super().__init__()
        self.front_end, self.backbone = front_end, backbone
        channels_last(backbone)

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


class NotesModel(Model):
    """Which notes sound when.

    Shape: (batch, samples) -> logits (batch, outputs, pitches, frames), a frame of them for each cell of the
    backbone.

    Args:
        front_end: waveforms to pictures; its sample rate is the model's.
        backbone: pictures to maps.
        decoding: how notes are read from the scores; saved with the model.
        bend: whether pitch bend is among the outputs.
    """

    head: NotesHead

    def __init__(
        self, front_end: FrontEnd, backbone: Backbone, decoding: Decoding | None = None, bend: bool = False
    ) -> None:
        super().__init__(front_end, backbone)
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

    def scores(self, waveforms: Tensor) -> dict[str, Tensor]:
        """Each output by name, (batch, pitches, frames): see `NotesHead.scores`."""
        return self.head.scores(self(waveforms))


class ClipModel(Model):
    """Which labels a clip has: one of them or UNKNOWN, or several.

    Shape: (batch, samples) -> logits (batch, outputs): the labels and, with one, UNKNOWN.
    Raises: ValueError when there is no label, or one twice.

    Args:
        front_end: waveforms to pictures; its sample rate is the model's.
        backbone: pictures to maps.
        labels: their names, in the order of the outputs.
        several: whether a clip may have several labels.
        window_s: seconds that are heard at once; a longer recording has a window every half of it.
        threshold: with several labels, the probability from which one is named.
        drop: of `ClipHead`.

    Attributes:
        temperature: of the probabilities, see `labels.fit_temperature`; saved with the weights.
    """

    temperature: Tensor

    def __init__(
        self,
        front_end: FrontEnd,
        backbone: Backbone,
        labels: Sequence[str],
        several: bool = False,
        window_s: float = 3.0,
        threshold: float = 0.5,
        drop: float = 0.2,
    ) -> None:
        super().__init__(front_end, backbone)
        if not labels or len(set(labels)) < len(labels):
            raise ValueError(f"labels are {list(labels)}, expected at least one, and none twice")
        self.labels, self.several, self.window_s = list(labels), several, window_s
        self.threshold, self.drop = threshold, drop
        self.outputs = labelling.outputs(self.labels, several)
        self.head = ClipHead(backbone.out_channels, len(self.outputs), drop)
        self.register_buffer("temperature", torch.ones(()))

    @property
    def n_window(self) -> int:
        """Samples of a window."""
        return round(self.window_s * self.sample_rate)

    @property
    def n_least(self) -> int:
        """Samples that the backbone needs for one cell."""
        return (self.backbone.time_stride - 1) * self.front_end.hop_length

    def windows(self, waveform: Tensor) -> Tensor:
        """A window every half of its length, and one at the end.

        Shape: (samples,) -> (windows, samples of a window). What is shorter is a window by itself; with
        several labels it lies in the middle of silence, as instruments that pause do.
        """
        short = max((self.n_window if self.several else self.n_least) - len(waveform), 0)
        waveform = functional.pad(waveform, (short // 2, short - short // 2))
        starts = window_starts(len(waveform), self.n_window)
        return torch.stack([waveform[start : start + self.n_window] for start in starts])


class ImageModel(nn.Module):
    """Which class a picture is of, by a backbone and the head that it was published with.

    Shape: (batch, channels, rows, columns), from 0 to 1 -> logits (batch, n_classes).
    Raises: ValueError when n_classes is below 2.

    Args:
        backbone: pictures to maps.
    """

    def __init__(self, backbone: Backbone, n_classes: int) -> None:
        super().__init__()
        if n_classes < 2:
            raise ValueError(f"n_classes is {n_classes}, expected at least 2")
        self.backbone, self.n_classes = backbone, n_classes
        channels_last(backbone)
        self.head = backbone.classifier(n_classes)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.backbone(pictures))


def window_starts(n_samples: int, n_window: int) -> list[int]:
    """Where the windows of a recording begin: every half window, and so that the last ends with it."""
    if n_samples <= n_window:
        return [0]
    starts = list(range(0, n_samples - n_window + 1, n_window // 2))
    end = n_samples - n_window
    return starts if starts[-1] == end else [*starts, end]
