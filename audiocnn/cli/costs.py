"""What a network costs on an input: parameters, multiply-accumulates, receptive field and latency."""

import inspect
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiocnn.ranges import POSITIVE, check_fields

if TYPE_CHECKING:
    from torch import nn

    from audiocnn.backbones import Backbone

RUNS = 5  # of which the latency is the median
WAVEFORM_HZ = 16_000  # sample rate for networks on waveforms, that of the shipped models
OTHER_INPUTS = ("waveform", "text")  # families that take no spectrogram: their channels are their own


@dataclass(frozen=True)
class Input:
    """The input of all networks: the same duration of sound, as a spectrogram or as a waveform.

    Args:
        dims: 1 or 2, instead of each network's own.
        in_channels: channels of the spectrogram.
        bins: bins of the spectrogram.
        frames: frames of the spectrogram.
        hop_ms: hop length in milliseconds.

    Raises:
        ValueError: a number is out of its range.
    """

    dims: int | None
    in_channels: int
    bins: int
    frames: int
    hop_ms: float

    def __post_init__(self) -> None:
        if self.dims not in (None, 1, 2):
            raise ValueError(f"dims is {self.dims}, expected 1 or 2")
        check_fields(self, **dict.fromkeys(("in_channels", "bins", "frames", "hop_ms"), POSITIVE))

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.frames * self.hop_ms / 1000

    def create(self, name: str, classes: int | None = None) -> "tuple[Backbone, nn.Module]":
        """Create a network for this input.

        Args:
            name: of the network.
            classes: number of classes of its published classifier; no classifier when None.

        Returns:
            The backbone, and the same with its classifier.

        Raises:
            ValueError: there is no such network for this input.
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
        """Return the shape of a batch of one. A waveform is at least as long as the network's stride.

        Raises:
            ValueError: the frames are fewer than that.
        """
        if takes_waveforms(backbone):
            return (1, 1, max(backbone.time_stride, round(self.duration_s * WAVEFORM_HZ)))
        if self.frames < backbone.time_stride:
            raise ValueError(f"frames is {self.frames}, expected at least {backbone.time_stride}")
        return (1, backbone.in_channels, *(self.bins,) * (backbone.dims - 1), self.frames)

    def step_ms(self, backbone: "Backbone") -> float:
        """Return the milliseconds from one frame or sample of the input to the next."""
        return 1000 / WAVEFORM_HZ if takes_waveforms(backbone) else self.hop_ms


def takes_waveforms(backbone: "Backbone") -> bool:
    """Say whether a network's frames are samples."""
    return _family(type(backbone)) == "waveform"


def _family(kind: type) -> str:
    """Return the module of `audiocnn.backbones` that a class stands in."""
    return kind.__module__.rpartition(".")[2]


@dataclass(frozen=True)
class Costs:
    """The costs of a network on an input.

    Attributes:
        name: of the network.
        dims: 1 or 2.
        shape: of the input, with the batch.
        parameters: number of parameters.
        macs: number of multiply-accumulates.
        field: receptive field, in frames or samples.
        field_ms: receptive field, in milliseconds.
        latency_ms: latency of one run, where it was measured.
    """

    name: str
    dims: int
    shape: tuple[int, ...]
    parameters: int
    macs: int
    field: float
    field_ms: float
    latency_ms: float | None


def measure_costs(name: str, sound: Input, classes: int | None, latency: bool) -> Costs:
    """Measure the costs of a network.

    Args:
        name: of the network.
        sound: the input.
        classes: number of classes of its classifier; no classifier when None.
        latency: whether to measure the latency on this machine.

    Raises:
        ValueError: the network cannot run on this input.
    """
    from audiocnn.blocks.cost import count_macs, count_parameters

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
        measure_latency_ms(network, shape) if latency else None,
    )


def measure_latency_ms(network: "nn.Module", shape: tuple[int, ...], runs: int = RUNS) -> float:
    """Measure the median time of a few runs on random input, after one warm-up run.

    Args:
        network: network, which is put into evaluation mode.
        shape: shape of its input.
        runs: number of measured runs.
    """
    import torch

    x, times_s = torch.rand(shape), []
    network.eval()
    with torch.inference_mode():
        for _ in range(1 + runs):
            start_s = time.perf_counter()
            network(x)
            times_s.append(time.perf_counter() - start_s)
    return 1000 * statistics.median(times_s[1:])
