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
    """Which labels a clip has: one of them or UNKNOWN, or, if multi-label, any number.

    Args:
        front_end: waveforms to spectrograms; its sample rate is the model's.
        backbone: spectrograms to feature maps.
        labels: their names, in the order of the outputs.
        multi_label: whether a clip may have several labels.
        window_s: length of a window in seconds; a longer recording has a window every half of it.
        threshold: if multi-label, the probability from which a label is predicted.
        drop: dropout probability of `ClipHead`.

    Attributes:
        outputs: names of the logits: the labels and, unless multi-label, UNKNOWN.
        temperature: of the probabilities, see `labels.fit_temperature`; saved with the weights.

    Raises:
        ValueError: there is no label, or one twice.

    Shape:
        (batch, samples) -> logits (batch, outputs).
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
    def min_samples(self) -> int:
        """Samples that the backbone needs for one frame of its feature maps."""
        return (self.backbone.time_stride - 1) * self.front_end.hop_length

    def split_windows(self, waveform: Tensor) -> Tensor:
        """Split a recording into windows, one every half of its length and one at the end.

        A shorter recording is one shorter window; if multi-label, it is padded to a whole one by silence on
        both sides, since instruments pause.

        Args:
            waveform: a whole recording.

        Returns:
            The windows, stacked.

        Shape:
            (samples,) -> (windows, samples of a window).
        """
        missing = max((self.n_window if self.multi_label else self.min_samples) - len(waveform), 0)
        waveform = functional.pad(waveform, (missing // 2, missing - missing // 2))
        starts = find_window_starts(len(waveform), self.n_window)
        return torch.stack([waveform[start : start + self.n_window] for start in starts])


def find_window_starts(n_samples: int, n_window: int) -> list[int]:
    """Find where the windows of a recording begin.

    Args:
        n_samples: of the recording.
        n_window: samples of a window.

    Returns:
        First samples: every half window, and so that the last window ends with the recording.
    """
    if n_samples <= n_window:
        return [0]
    starts = list(range(0, n_samples - n_window + 1, n_window // 2))
    end = n_samples - n_window
    return starts if starts[-1] == end else [*starts, end]
