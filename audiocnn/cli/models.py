"""`audiocnn models`: the models that come with audiocnn, and the networks to train, with what each costs."""

import itertools
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from audiocnn.cli import tables
from audiocnn.cli.arguments import UsageError, checked
from audiocnn.cli.networks import RUNS, WAVEFORM_HZ, Costs, Input, latency_ms, measured
from audiocnn.models import weights
from audiocnn.models.file import read_model

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from torch import nn

    from audiocnn.backbones import Backbone

WIDTH = 100  # columns of the tables where there is no terminal


def list_models(
    pattern: str = "*",
    *,
    detail: bool = False,
    dims: int | None = None,
    in_channels: int = 1,
    bins: int = 294,
    frames: int = 32,
    hop_ms: float = 32.0,
    classes: int = 0,
    no_latency: bool = False,
) -> int:
    """Tells of the models that come with audiocnn, and of the networks to train and what each costs here.

    The costs are those of one run on a second of sound: the spectrogram of the shipped models, or its bins as
    channels for networks over time alone, or its waveform at 16 kHz. MACs are multiply-accumulates of
    convolutions and matrix products. The receptive field is how much of the input one output cell sees.

    Args:
        pattern: of names, such as 'resnet*'.
        detail: tells every layer, with the shape of its output (after the batch of 1) and its own costs.
        dims: 1 or 2, instead of each network's own.
        in_channels: channels of the spectrogram, such as 3 for images in colour.
        bins: of the spectrogram.
        frames: of the spectrogram.
        hop_ms: milliseconds from frame to frame.
        classes: counts also the classifier that a network was published with, for so many classes.
        no_latency: measures no time.
    """

    with checked():
        sound = Input(dims, in_channels, bins, frames, hop_ms)
        if dims not in (None, 1, 2):
            raise ValueError(f"dims is {dims}, expected 1 or 2")
        if classes < 0:
            raise ValueError(f"classes is {classes}, expected 0 or more")
    from audiocnn.backbones import list_backbones

    listening = _shipped(pattern, "notes", "labels")
    painting = [] if detail else _shipped(pattern, "images", "style")
    names = sorted(list_backbones(pattern), key=_as_counted)
    if not listening and not painting and not names:
        raise UsageError(f"pattern is {pattern!r}, expected one that matches a network (`audiocnn models`)")
    console = tables.console(WIDTH)
    if detail:
        _print_details(console, listening, names, sound, classes)
        return 0
    _print_shipped(listening + painting)
    if names:
        _print_networks(console, names, sound, classes, latency=not no_latency)
    return 0


def _shipped(pattern: str, *kinds: str) -> list[str]:
    return [name for kind in kinds for name in weights.names(kind) if fnmatch(name, pattern)]


def _as_counted(name: str) -> list:
    """A key that sorts resnet18 before resnet101."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _print_shipped(names: list[str]) -> None:
    """Each with the card that tells what it is good for; not cut to the terminal's width."""
    from torch import nn

    pass

    for name in names:
        path = weights.path(name)
        size_mb, hears = path.stat().st_size / 1e6, _hears(read_model(path, nn.Module))
        print(f"{name:16}{size_mb:5.1f} MB  {hears:28}{path.with_suffix('.md')}")


def _hears(model: "nn.Module") -> str:
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.image import ImageModel
    from audiocnn.models.notes import NotesModel
    from audiocnn.style.painters.base import Painter

    if isinstance(model, ClipModel):
        return f"{len(model.labels)} labels, {model.window_s:g} s windows"
    if isinstance(model, Painter):
        return model.summary
    kinds = {NotesModel: "notes", ImageModel: "image classifier"}
    return kinds[type(model)]


def _print_networks(
    console: "Console", names: list[str], sound: Input, classes: int, *, latency: bool
) -> None:
    rows, others = [], []
    with _progress(len(names)) as tell:
        for name in names:
            tell(name)
            try:
                rows.append(measured(name, sound, classes, latency))
            except ValueError as error:
                others.append(f"{name}: {error}")
    if rows:
        console.print(_title(sound, classes, latency), highlight=False)
        console.print(_networks_table(rows, latency))
    for line in others:
        console.print(f"not for this input: {line}", markup=False, highlight=False)


def _title(sound: Input, classes: int, latency: bool) -> str:
    import torch

    heads = f"with a classifier of {classes} classes" if classes else "without heads"
    lines = [
        f"\nNetworks {heads}, each on {sound.frames * sound.hop_ms / 1000:.3g} s of sound:",
        f"{sound.bins} bins and {sound.frames} frames of {sound.hop_ms:g} ms, "
        f"or the waveform at {WAVEFORM_HZ / 1000:g} kHz.",
        "field: the receptive field, in frames or samples.",
        f"run ms: the latency, median of {RUNS} runs on this machine; threads: {torch.get_num_threads()}.",
    ]
    return "\n".join(lines if latency else lines[:-1]) + "\n"


def _networks_table(rows: list[Costs], latency: bool) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, collapse_padding=True, padding=(0, 2))
    table.add_column("network", overflow="fold")
    headings = ("dims", "input", "parameters", "MACs", "field", "in ms", *["run ms"] * latency)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        field = ("all", "all") if math.isinf(row.field) else (f"{row.field:,.0f}", f"{row.field_ms:,.0f}")
        time = [f"{row.latency_ms:,.{int(row.latency_ms < 100)}f}"] if row.latency_ms is not None else []
        table.add_row(
            row.name, str(row.dims), _by(row.shape), f"{row.parameters:,}", _counted(row.macs), *field, *time
        )
    return table


def _by(shape: tuple[int, ...]) -> str:
    """A shape without the batch, as 64x56x56."""
    return "x".join(map(str, shape[1:]))


def _counted(number: float) -> str:
    """Three digits and the unit: 1.81 G."""
    for unit in ("", "k", "M", "G"):
        if number < 999.5:
            return f"{number:.3g} {unit}".strip()
        number /= 1000
    return f"{number:.3g} T"


def _print_details(
    console: "Console", shipped: list[str], names: list[str], sound: Input, classes: int
) -> None:
    pass
    from audiocnn.models.clips import ClipModel

    for name in shipped:
        model = read_model(weights.path(name))
        n_samples = round(sound.frames * sound.hop_ms * model.sample_rate / 1000)
        hop_ms = 1000 * model.front_end.frame_s
        # Front ends look at where they are: they do not run on shapes alone.
        _print_layers(console, name, model, (1, n_samples), model.backbone, hop_ms, device="cpu")
        if isinstance(model, ClipModel):
            console.print(f"{_hears(model)}: {', '.join(model.labels)}\n", highlight=False)
    for name in names:
        with checked():
            backbone, network = sound.create(name, classes)
            shape = sound.shape(backbone)
        _print_layers(console, name, network, shape, backbone, sound.step_ms(backbone))


def _print_layers(
    console: "Console",
    name: str,
    network: "nn.Module",
    shape: tuple[int, ...],
    backbone: "Backbone",
    step_ms: float,
    device: str = "meta",
) -> None:
    from rich.table import Table

    from audiocnn.blocks.measure import count_parameters, layers

    rows = layers(network, shape, device=device)
    table = Table(box=None, pad_edge=False, collapse_padding=True, padding=(0, 2))
    for heading in ("layer", "kind"):
        table.add_column(heading, overflow="fold")
    for heading in ("output", "parameters", "MACs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        costs = (f"{number:,}" if number else "" for number in (row.parameters, row.macs))
        table.add_row(row.name, row.kind, _by(row.output_shape), *costs)
    macs = sum(row.macs for row in rows)
    table.add_row(
        "all", "", _by(rows[-1].output_shape), f"{count_parameters(network):,}", f"{macs:,}", style="bold"
    )
    console.print(f"{name} on {_by(shape)}\n", style="bold", highlight=False)
    console.print(table)
    field = backbone.receptive_field
    seen = "all of the input" if math.isinf(field) else f"{field:,} cells, {field * step_ms:,.0f} ms"
    print(f"\nreceptive field: {seen}; stride: {backbone.time_stride}")
    print(f"latency: {latency_ms(network, shape):,.1f} ms, the median of {RUNS} runs\n")


@contextmanager
def _progress(n_networks: int) -> Iterator[Callable[[str], None]]:
    """A bar of the networks, on the standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, numbers = bar.add_task("", total=n_networks), itertools.count()

        def tell(name: str) -> None:
            bar.update(task, description=name, completed=next(numbers))

        yield tell
