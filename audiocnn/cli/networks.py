"""What a network costs on an input: made for it, counted, looked through and timed."""

import inspect
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from audiocnn.backbones import Backbone

RUNS = 5  # of which the latency is the median
WAVEFORM_HZ = 16_000  # of the networks that hear waveforms, as of the shipped models
OTHER_INPUTS = ("waveform", "text")  # families that no spectrogram is for: their channels are their own


@dataclass(frozen=True)
class Input:
    """What networks are shown: the same stretch of sound to all, as a image or as a waveform."""

    dims: int | None
    in_channels: int
    bins: int
    frames: int
    hop_ms: float

    def __post_init__(self) -> None:
        numbers = {"in_channels": self.in_channels, "bins": self.bins, "frames": self.frames}
        for name, number in {**numbers, "hop_ms": self.hop_ms}.items():
            if number <= 0:
                raise ValueError(f"{name} is {number}, expected more than 0")

    def create(self, name: str, classes: int = 0) -> "tuple[Backbone, nn.Module]":
        """A new network for this input, and the same with its classifier where there are classes.

        Raises: ValueError when there is no such network for it.
        """
        from torch import nn

        from audiocnn.backbones import backbone_family

        kind = backbone_family(name)
        defaults = kind.members[name]
        takes = {key: parameter.default for key, parameter in inspect.signature(kind).parameters.items()}
        takes |= defaults
        dims = self.dims or takes.get("dims", 1 if "in_channels" in takes else 2)
        arguments = {"dims": dims} if "dims" in takes else {}
        if "in_channels" in takes and _family(kind) not in OTHER_INPUTS:
            arguments["in_channels"] = self.in_channels * (self.bins if dims == 1 else 1)
        backbone = kind(**{**defaults, **arguments})
        if backbone.dims != dims:
            raise ValueError(f"dims is {dims}, expected {backbone.dims}")
        return backbone, nn.Sequential(backbone, backbone.classifier(classes)) if classes else backbone

    def shape(self, backbone: "Backbone") -> tuple[int, ...]:
        """With a batch of one. A waveform is at least as long as the network's stride.

        Raises: ValueError when the frames are less than that.
        """
        if hears_waveforms(backbone):
            return (1, 1, max(backbone.time_stride, round(self.frames * self.hop_ms * WAVEFORM_HZ / 1000)))
        if self.frames < backbone.time_stride:
            raise ValueError(f"frames is {self.frames}, expected at least {backbone.time_stride}")
        return (1, backbone.in_channels, *(self.bins,) * (backbone.dims - 1), self.frames)

    def step_ms(self, backbone: "Backbone") -> float:
        """Milliseconds from one cell of the input to the next."""
        return 1000 / WAVEFORM_HZ if hears_waveforms(backbone) else self.hop_ms


def hears_waveforms(backbone: "Backbone") -> bool:
    """Whether the network's frames are samples."""
    return _family(type(backbone)) == "waveform"


def _family(kind: type) -> str:
    """The module of `audiocnn.backbones` that a class stands in."""
    return kind.__module__.rpartition(".")[2]


@dataclass(frozen=True)
class Costs:
    """Those of a network on an input.

    Attributes:
        shape: of the input, with the batch.
        field: cells of the input that one cell of the output sees.
    """

    name: str
    dims: int
    shape: tuple[int, ...]
    parameters: int
    macs: int
    field: float
    field_ms: float
    latency_ms: float | None


def measured(name: str, sound: Input, classes: int, latency: bool) -> Costs:
    """What a network costs, and how long it takes here where `latency` is wanted.

    Raises: ValueError when it cannot be shown this input.
    """
    from audiocnn.blocks.measure import count_macs, count_parameters

    backbone, network = sound.create(name, classes)
    shape = sound.shape(backbone)
    field = backbone.receptive_field
    return Costs(
        name,
        backbone.dims,
        shape,
        count_parameters(network),
        count_macs(network, shape),
        field,
        field * sound.step_ms(backbone),
        latency_ms(network, shape) if latency else None,
    )


def latency_ms(network: "nn.Module", shape: tuple[int, ...], runs: int = RUNS) -> float:
    """The median of a few runs on random numbers, after one to warm up."""
    import torch

    x, times_s = torch.rand(shape), []
    network.eval()
    with torch.inference_mode():
        for _ in range(1 + runs):
            began_s = time.perf_counter()
            network(x)
            times_s.append(time.perf_counter() - began_s)
    return 1000 * statistics.median(times_s[1:])
