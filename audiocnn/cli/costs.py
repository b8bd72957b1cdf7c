"""What a network costs on an input: parameters, multiply-accumulates, receptive field and latency."""

import contextlib
import csv
import functools
import inspect
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from audiocnn import files
from audiocnn.ranges import POSITIVE, ArgumentError, check_fields

if TYPE_CHECKING:
    from torch import nn

    from audiocnn.backbones import Backbone

TABLE = Path(files.__file__).parent / "backbones" / "costs.csv"  # written by this module, see `write_table`
COLUMNS = ("name", "dims", "shape", "parameters", "macs", "field", "field_ms")
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
        ArgumentError: a number is out of its range.
    """

    dims: int | None = None
    in_channels: int = 1
    bins: int = 294
    frames: int = 32
    hop_ms: float = 32.0

    def __post_init__(self) -> None:
        if self.dims not in (None, 1, 2):
            raise ArgumentError(f"dims is {self.dims}, expected 1 or 2")
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
            ArgumentError: there is no such network for this input.
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
            raise ArgumentError(f"dims is {dims}, expected {backbone.dims}")
        return backbone, nn.Sequential(backbone, backbone.classifier(classes)) if classes else backbone

    def shape(self, backbone: "Backbone") -> tuple[int, ...]:
        """Return the shape of a batch of one. A waveform is at least as long as the network's stride.

        Raises:
            ArgumentError: the frames are fewer than that.
        """
        if takes_waveforms(backbone):
            return (1, 1, max(backbone.time_stride, round(self.duration_s * WAVEFORM_HZ)))
        if self.frames < backbone.time_stride:
            raise ArgumentError(f"frames is {self.frames}, expected at least {backbone.time_stride}")
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
    latency_ms: float | None = None


def list_names(pattern: str) -> list[str]:
    """List the names of networks that match a pattern, those of other packages included.

    PyTorch is imported only where there are such packages.

    Args:
        pattern: shell pattern.
    """
    if "audiocnn.backbones" in sys.modules or entry_points(group="audiocnn.backbones"):
        from audiocnn.backbones import list_backbones

        return list_backbones(pattern)
    return [name for name in read_table() if fnmatch(name, pattern)]


def find_field(name: str, backbone: "Backbone") -> float:
    """Find the receptive field of a network, in frames or samples, in `TABLE` where it has it.

    Args:
        name: of the network.
        backbone: the network, of any dims.
    """
    known = read_table().get(name)
    return known.field if known and known.dims == backbone.dims else backbone.receptive_field


def find_costs(name: str, sound: Input, classes: int | None) -> Costs:
    """Find the costs of a network, but for its latency, in `TABLE` where it has them.

    Args:
        name: of the network.
        sound: the input.
        classes: number of classes of its classifier; no classifier when None.

    Raises:
        ArgumentError: the network cannot run on this input.
    """
    known = read_table().get(name) if sound == Input() and classes is None else None
    return known or measure_costs(name, sound, classes)


@functools.cache
def read_table() -> dict[str, Costs]:
    """Read the costs of audiocnn's own networks on the default input, by their names."""
    with TABLE.open(newline="") as file:
        return {row["name"]: _read_row(row) for row in csv.DictReader(file)}


def _read_row(row: dict[str, str]) -> Costs:
    return Costs(
        row["name"],
        int(row["dims"]),
        tuple(map(int, row["shape"].split("x"))),
        int(row["parameters"]),
        int(row["macs"]),
        float(row["field"]),
        float(row["field_ms"]),
    )


def measure_costs(name: str, sound: Input, classes: int | None) -> Costs:
    """Measure the costs of a network, but for its latency.

    Args:
        name: of the network.
        sound: the input.
        classes: number of classes of its classifier; no classifier when None.

    Raises:
        ArgumentError: the network cannot run on this input.
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
    )


def find_latency_ms(name: str, sound: Input, classes: int | None) -> float:
    """Find the latency of a network on this machine, measured once and then kept in a folder of the user's.

    Args:
        name: of the network.
        sound: the input.
        classes: number of classes of its classifier; no classifier when None.
    """
    import torch

    threads = torch.get_num_threads()
    key = " ".join(map(str, [name, sound, classes, platform.node(), torch.__version__, threads]))
    path = _cache_folder() / "latency.json"
    try:
        known = json.loads(path.read_text())
        if isinstance(latency_ms := known.get(key), float):
            return latency_ms
    except (OSError, ValueError, AttributeError):
        known = {}  # the first time, or damaged: all is measured anew
    backbone, network = sound.create(name, classes)
    known[key] = measure_latency_ms(network, sound.shape(backbone))
    with contextlib.suppress(files.FileError), files.write_atomically(path) as partial:
        partial.write_text(json.dumps(known))
    return known[key]


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "audiocnn"


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


def write_table(file: TextIO) -> None:
    """Measure the costs of all of audiocnn's own networks on the default input, and write them as CSV.

    `python -m audiocnn.cli.costs > audiocnn/backbones/costs.csv` takes some minutes.

    Args:
        file: to write to.
    """
    from audiocnn.backbones import FAMILIES

    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    for _, members in FAMILIES.values():
        for name in members:
            costs = measure_costs(name, Input(), None)
            row = {**asdict(costs), "shape": "x".join(map(str, costs.shape))}
            table.writerow([row[column] for column in COLUMNS])


if __name__ == "__main__":
    write_table(sys.stdout)
