"""BaseModel: a backbone and a head; Model: with a front end, for sound; without Lightning (1 s to import)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from audiocnn.backbones.base import Backbone, to_channels_last
from audiocnn.frontends.base import FrontEnd
from audiocnn.ranges import ArgumentError
from audiocnn.registry import InitArgs, Registry

MODELS: Registry[nn.Module] = Registry(
    "models",
    {
        "ClipModel": "audiocnn.models.clips",
        "ImageModel": "audiocnn.models.image",
        "NotesModel": "audiocnn.models.notes",
        "TextModel": "audiocnn.models.text",
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


class BaseModel(InitArgs, nn.Module):
    """A backbone and a head: what models of sound and of images share.

    Attributes:
        backbone: input to feature maps; set by the subclass, as is the head.
        head: feature maps to logits.
        name: of the file that it was loaded from, without the suffix.
        split: digests of the files that it was trained, validated and tested on, by part, as
            `datasets.clips.record` writes them; None where that is not known.
    """

    backbone: Backbone
    head: Any  # a module; subclasses say which
    name: str = "model"
    split: dict[str, list[str]] | None = None

    @property
    def device(self) -> torch.device:
        """Device of the weights, on which the input must be."""
        return next(self.parameters()).device

    def check_values(self) -> None:
        """Check tensors whose values have a meaning of their own, as they come from a file.

        Raises:
            ValueError: one is out of its range.
        """


class Model(BaseModel):
    """A front end and a backbone; a subclass adds the head and what its scores mean.

    Args:
        front_end: waveforms to spectrograms; its sample rate is the model's.
        backbone: spectrograms to feature maps; built anew for the channels of the front end's spectrograms,
            see `fit_in_channels`.

    Raises:
        TypeError: front_end or backbone are something else.
        ValueError: the backbone cannot take the front end's spectrograms.
    """

    def __init__(self, front_end: FrontEnd, backbone: Backbone) -> None:
        super().__init__()
        check_part("front_end", front_end, FrontEnd)
        check_part("backbone", backbone, Backbone)
        self.front_end, self.backbone = front_end, fit_in_channels(backbone, front_end)
        self.init_args["backbone"] = self.backbone
        to_channels_last(self.backbone)

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz that waveforms must have."""
        return self.front_end.sample_rate

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


def fit_in_channels(backbone: Backbone, front_end: FrontEnd) -> Backbone:
    """Give a backbone as many input channels as a front end's spectrograms have.

    They have one, or for dims=1, where bins are channels, as many as bins.

    Args:
        backbone: with any channels, or with None.
        front_end: that makes its input.

    Returns:
        The backbone; where its in_channels are None and do not fit, a new one with random weights.

    Raises:
        ArgumentError: its in_channels are given and do not fit, it is of dims=2 and there is one bin alone,
            or it takes something else: waveforms, a spectrogram of pitches, tokens.
    """
    name, n_bins = type(front_end).__name__, front_end.n_bins
    _check_input(backbone, front_end)
    if backbone.dims == 2 and n_bins == 1:
        raise ArgumentError(f"dims is 2, expected 1: the front end {name} has 1 bin")
    expected = n_bins if backbone.dims == 1 else 1
    if backbone.in_channels == expected:
        return backbone
    if backbone.init_args.get("in_channels", expected) is None:
        return type(backbone)(**{**backbone.init_args, "in_channels": expected})
    channels = f"dims=1 has {n_bins} channels, its bins" if backbone.dims == 1 else "dims=2 has 1 channel"
    raise ArgumentError(
        f"in_channels is {backbone.in_channels}, expected {expected}: the front end {name} with {channels}"
    )


def _check_input(backbone: Backbone, front_end: FrontEnd) -> None:
    """Raise ArgumentError where a backbone takes something else than what a front end makes of sound."""
    found = f"front_end is {type(front_end).__name__} with {front_end.n_bins} bins"
    family, n_each = type(backbone).__name__, backbone.bins_per_semitone
    if backbone.of_tokens:
        raise ArgumentError(
            f"backbone is {family}, which takes a sequence of tokens, such as words; expected one for sound"
        )
    if backbone.of_waveforms and front_end.n_bins != 1:
        raise ArgumentError(
            f"{found}, expected audiocnn.frontends.Waveform: the backbone {family} takes waveforms"
        )
    if backbone.pitch_rows and not _has_semitones(front_end.bins_hz, n_each):
        raise ArgumentError(
            f"{found}, expected audiocnn.frontends.Cqt with bins_per_octave={12 * n_each} and a multiple of "
            f"{n_each} bins: the rows of the backbone {family} are pitches"
        )


def _has_semitones(bins_hz: Tensor, bins_per_semitone: int) -> bool:
    """Say whether so many bins are a semitone, everywhere."""
    n = bins_per_semitone
    is_whole = len(bins_hz) >= n and len(bins_hz) % n == 0
    return is_whole and torch.allclose(bins_hz[n:], bins_hz[:-n] * 2 ** (1 / 12), rtol=1e-3)
