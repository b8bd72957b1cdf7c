"""ClipModel: waveforms -> the logits of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from audiocnn.backbones.base import Backbone
from audiocnn.frontends.base import FrontEnd
from audiocnn.labels import check_labels, output_names
from audiocnn.models.base import MODELS, Model, check_part
from audiocnn.models.heads import ClipHead
from audiocnn.ranges import Range

MAX_WINDOW_S = 600.0  # shorter recordings are padded to a window, if multi-label


@MODELS.register
class ClipModel(Model):
    """Predict which labels a clip has: one of them or UNKNOWN or, if multi-label, any number.

    Args:
        front_end: waveforms to spectrograms; its sample rate is the model's.
        backbone: spectrograms to feature maps.
        labels: their names, in the order of the outputs.
        multi_label: whether a clip may have several labels.
        window_s: length of a window in seconds, for which probabilities are calibrated; a longer recording
            has more than one, see `split_windows`.
        threshold: if multi-label, minimum probability of a predicted label.
        drop: dropout probability of `ClipHead`.

    Attributes:
        outputs: names of the logits: the labels and, unless multi-label, UNKNOWN.
        temperature: divides a window's logits so that its probabilities are calibrated, see
            `labels.fit_temperature`; saved with the weights.

    Raises:
        ValueError: there is no label, or one twice, or one that is no text or UNKNOWN; a number is out of its
            range.

    Shape:
        (batch, samples) -> logits (batch, outputs).
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "window_s": Range(0.01, MAX_WINDOW_S),
        "threshold": Range(0, 1),
        "drop": Range(0, 1),
    }
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
        check_part("multi_label", multi_label, bool)
        check_labels(labels)
        self.labels, self.multi_label, self.window_s = list(labels), multi_label, window_s
        self.threshold = threshold
        self.outputs = output_names(self.labels, multi_label)
        self.head = ClipHead(backbone.out_channels, len(self.outputs), drop)
        self.register_buffer("temperature", torch.ones(()))

    def check_values(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature:g}, expected more than 0")

    @property
    def n_window(self) -> int:
        """Samples of a window."""
        return round(self.window_s * self.sample_rate)

    @property
    def hop(self) -> int:
        """Samples from the beginning of a window to that of the next: half a window."""
        return self.n_window // 2

    @property
    def min_samples(self) -> int:
        """Samples that the backbone needs for one frame of its feature maps."""
        return (self.backbone.time_stride - 1) * self.front_end.hop_length

    def split_windows(self, waveform: Tensor) -> Tensor:
        """Split a recording into windows, one every `hop` samples and one at the end.

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
        starts = self.find_window_starts(len(waveform))
        return torch.stack([waveform[start : start + self.n_window] for start in starts])

    def find_window_starts(self, n_samples: int) -> list[int]:
        """Find where the windows of a recording begin.

        Args:
            n_samples: of the recording.

        Returns:
            First samples: every `hop` samples, and so that the last window ends with the recording.
        """
        last = max(n_samples - self.n_window, 0)
        starts = list(range(0, last + 1, self.hop))
        return starts if starts[-1] == last else [*starts, last]
