"""ClipModel: waveforms to the logits of labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from audiocnn import labels as labelling
from audiocnn.backbones.base import Backbone
from audiocnn.frontends.base import FrontEnd
from audiocnn.models.base import MODELS, Model
from audiocnn.models.heads import ClipHead


@MODELS.register
class ClipModel(Model):
    """Which labels a clip has: one of them or UNKNOWN, or several.

    Shape: (batch, samples) -> logits (batch, outputs): the labels and, with one, UNKNOWN.
    Raises: ValueError when there is no label, or one twice.

    Args:
        front_end: waveforms to spectrograms; its sample rate is the model's.
        backbone: spectrograms to maps.
        labels: their names, in the order of the outputs.
        multi_label: whether a clip may have several labels.
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
        multi_label: bool = False,
        window_s: float = 3.0,
        threshold: float = 0.5,
        drop: float = 0.2,
    ) -> None:
        super().__init__(front_end, backbone)
        if not labels or len(set(labels)) < len(labels):
            raise ValueError(f"labels are {list(labels)}, expected at least one, and none twice")
        self.labels, self.multi_label, self.window_s = list(labels), multi_label, window_s
        self.threshold = threshold
        self.outputs = labelling.output_names(self.labels, multi_label)
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
        short = max((self.n_window if self.multi_label else self.n_least) - len(waveform), 0)
        waveform = functional.pad(waveform, (short // 2, short - short // 2))
        starts = window_starts(len(waveform), self.n_window)
        return torch.stack([waveform[start : start + self.n_window] for start in starts])


def window_starts(n_samples: int, n_window: int) -> list[int]:
    """Where the windows of a recording begin: every half window, and so that the last ends with it."""
    if n_samples <= n_window:
        return [0]
    starts = list(range(0, n_samples - n_window + 1, n_window // 2))
    end = n_samples - n_window
    return starts if starts[-1] == end else [*starts, end]
