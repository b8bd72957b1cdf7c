"""Model: a front end and a backbone; what every model has, without Lightning (its import takes 1 s)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from audiocnn.backbones.base import Backbone, to_channels_last
from audiocnn.frontends.base import FrontEnd
from audiocnn.registry import InitArgs, Registry

MODELS: Registry[nn.Module] = Registry(
    "models",
    {
        "ClipModel": "audiocnn.models.clips",
        "ImageModel": "audiocnn.models.image",
        "NotesModel": "audiocnn.models.notes",
    },
)
OPTIONS: Registry[Any] = Registry("options", {"DecodingOptions": "audiocnn.models.notes"})


def check_part(name: str, part: object, kind: type) -> None:
    """Check the class of a part that a model is made of.

    Args:
        name: of the argument, for the message.
        part: as given.
        kind: the class that it must have.

    Raises:
        TypeError: it is of another class.
    """
    if not isinstance(part, kind):
        raise TypeError(f"{name} is {type(part).__name__}, expected {kind.__name__}")


class Model(InitArgs, nn.Module):
    """A front end and a backbone; a subclass adds the head and what its scores mean.

    Args:
        front_end: waveforms to spectrograms; its sample rate is the model's.
        backbone: spectrograms to feature maps.

    Attributes:
        head: feature maps to logits; set by the subclass.
        name: of the file that it was loaded from, without the suffix.
        split: digests of the files that it was trained, validated and tested on, by part, as
            `datasets.clips.record` writes them; None where that is not known.

    Raises:
        TypeError: front_end or backbone are something else.
    """

    head: Any  # a module; subclasses say which
    name: str = "model"
    split: dict[str, list[str]] | None = None

    def __init__(self, front_end: FrontEnd, backbone: Backbone) -> None:
        super().__init__()
        check_part("front_end", front_end, FrontEnd)
        check_part("backbone", backbone, Backbone)
        self.front_end, self.backbone = front_end, backbone
        to_channels_last(backbone)

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz that waveforms must have."""
        return self.front_end.sample_rate

    @property
    def device(self) -> torch.device:
        """Device of the weights, on which waveforms must be."""
        return next(self.parameters()).device

    def check_values(self) -> None:
        """Check tensors whose values have a meaning of their own, as they come from a file.

        Raises:
            ValueError: one is out of its range.
        """

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.head(self.backbone(self.spectrogram(waveforms)))

    def spectrogram(self, waveforms: Tensor) -> Tensor:
        """Compute the input of the backbone, in full precision also where the network runs in half.

        Args:
            waveforms: at the model's sample rate.

        Returns:
            Spectrograms, without the channel axis for a backbone of dims=1.

        Shape:
            (batch, samples) -> (batch, 1, bins, frames) or (batch, bins, frames).
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            spectrogram = self.front_end(waveforms.float())
        return spectrogram if self.backbone.dims == 2 else spectrogram.squeeze(1)
