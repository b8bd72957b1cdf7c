"""`audiocnn models`: the shipped models, and the networks to train, with their costs."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from audiocnn.cli import terminal
from audiocnn.cli.costs import (
    RUNS,
    WAVEFORM_HZ,
    Costs,
    Input,
    find_costs,
    find_field,
    find_latency_ms,
    list_names,
    measure_latency_ms,
)
from audiocnn.cli.parser import UsageError, usage_errors
from audiocnn.models import weights
from audiocnn.ranges import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console
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
    classes: int | None = None,
    latency: bool = False,
) -> int:
    """List the shipped models, and the networks to train with their costs.

    The costs are those of one forward pass on a second of sound: the spectrogram of the shipped models, or
    its bins as channels for 1-D networks, or its waveform at 16 kHz. MACs are multiply-accumulates of
    convolutions and matrix products. The receptive field is how much of the input one output position depends
    on.

    Args:
        pattern: pattern of names, such as 'resnet*'.
        detail: list every layer, with the shape of its output (after the batch of 1) and its own costs.
        dims: 1 or 2, instead of each network's own.
        in_channels: channels of the spectrogram, such as 3 for images in colour.
        bins: bins of the spectrogram.
        frames: frames of the spectrogram.
        hop_ms: hop length in milliseconds.
        classes: include the classifier that a network was published with, for this number of classes.
        latency: also measure the latency on this machine; what is measured once is kept in ~/.cache/audiocnn.

    Returns:
        The exit status.
    """
    with usage_errors():
        sound = Input(dims, in_channels, bins, frames, hop_ms)
        if classes is not None and classes < 1:
            raise ArgumentError(f"classes is {classes}, expected 1 or more")
    shipped = _find_shipped(pattern, *(("notes", "labels") if detail else weights.KINDS))
    names = sorted(list_names(pattern), key=_natural_order)
    if not shipped and not names:
        raise UsageError(f"pattern is {pattern!r}, expected one that matches a network (`audiocnn models`)")
    console = terminal.create_console(WIDTH)
    if detail:
        _print_details(console, shipped, names, sound, classes)
        return 0
    _print_shipped(shipped)
    if names:
        _print_networks(console, names, sound, classes, latency=latency)
    return 0


def _find_shipped(pattern: str, *kinds: str) -> dict[str, str]:
    """Return the names that match a pattern, with their kinds."""
    return {name: kind for kind in kinds for name in weights.names(kind) if fnmatch(name, pattern)}


def _natural_order(name: str) -> list:
    """Return a key that sorts resnet18 before resnet101."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _print_shipped(shipped: dict[str, str]) -> None:
    """Print a line for each shipped model, with its model card; not cut to the terminal's width."""
    for name, kind in shipped.items():
        path = weights.path(name)
        size_mb, summary = path.stat().st_size / 1e6, DESCRIBE[kind](weights.read_arguments(name))
        print(f"{name:16}{size_mb:5.1f} MB  {summary:28}{path.with_suffix('.md')}", flush=True)


def _describe_painter(arguments: dict[str, Any]) -> str:
    """Say in which styles a painter paints: those that it has names for, any by an encoder, or one."""
    if "styles" in arguments:
        return f"style transfer, {len(arguments['styles'])} styles"
    return f"style transfer, {'any style' if 'backbone' in arguments else '1 style'}"


# Kind of a shipped model -> its summary, from the arguments that it is built with.
DESCRIBE: dict[str, Callable[[dict[str, Any]], str]] = {
    "notes": lambda arguments: "notes",
    "labels": lambda arguments: f"{len(arguments['labels'])} labels, {arguments['window_s']:g} s windows",
    "images": lambda arguments: f"image classifier, {len(arguments['labels'])} classes",
    "style": _describe_painter,
}


def _print_networks(
    console: "Console", names: list[str], sound: Input, classes: int | None, *, latency: bool
) -> None:
    from rich.progress import MofNCompleteColumn

    rows, refused = [], []
    with terminal.create_bar(MofNCompleteColumn()) as bar:
        task = bar.add_task("", total=len(names))
        for number, name in enumerate(names):
            bar.update(task, description=name, completed=number)
            try:
                costs = find_costs(name, sound, classes)
                latency_ms = find_latency_ms(name, sound, classes) if latency else None
                rows.append(replace(costs, latency_ms=latency_ms))
            except ValueError as error:
                refused.append(f"{name}: {error}")
    if rows:
        console.print(_title(sound, classes, latency), highlight=False)
        headings = ("network", "dims", "input", "parameters", "MACs", "field", "in ms", *["run ms"] * latency)
        console.print(terminal.create_table(headings, map(_format_costs, rows)))
    for line in refused:
        console.print(f"not for this input: {line}", markup=False, highlight=False)


def _title(sound: Input, classes: int | None, latency: bool) -> str:
    heads = f"with a classifier of {classes} classes" if classes else "without heads"
    lines = [
        f"\nNetworks {heads}, each on {sound.duration_s:.3g} s of sound:",
        f"{sound.bins} bins and {sound.frames} frames of {sound.hop_ms:g} ms, "
        f"or the waveform at {WAVEFORM_HZ / 1000:g} kHz.",
        "field: the receptive field, in frames or samples.",
    ]
    if latency:
        import torch

        threads = f"threads: {torch.get_num_threads()}"
        lines.append(f"run ms: the latency, median of {RUNS} runs on this machine; {threads}.")
    return "\n".join(lines) + "\n"


def _format_costs(costs: Costs) -> list[str]:
    field = ["all", "all"] if math.isinf(costs.field) else [f"{costs.field:,.0f}", f"{costs.field_ms:,.0f}"]
    row = [costs.name, str(costs.dims), _format_shape(costs.shape), f"{costs.parameters:,}"]
    row += [_format_count(costs.macs), *field]
    if costs.latency_ms is not None:
        row.append(f"{costs.latency_ms:,.{int(costs.latency_ms < 100)}f}")
    return row


def _format_shape(shape: tuple[int, ...]) -> str:
    """Format a shape without the batch, as 64x56x56."""
    return "x".join(map(str, shape[1:]))


def _format_count(number: float) -> str:
    """Format a number with three digits and an SI prefix: 1.81 G."""
    for unit in ("", "k", "M", "G"):
        if number < 999.5:
            return f"{number:.3g} {unit}".strip()
        number /= 1000
    return f"{number:.3g} T"


def _print_details(
    console: "Console", shipped: dict[str, str], names: list[str], sound: Input, classes: int | None
) -> None:
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.file import read_model

    for name, kind in shipped.items():
        model = read_model(weights.path(name))
        shape = (1, round(sound.duration_s * model.sample_rate))
        hop_ms = 1000 * model.front_end.frame_s
        # Front ends depend on values: they do not run on the meta device.
        field = model.backbone.receptive_field
        _print_layers(console, name, model, shape, model.backbone, field, hop_ms, device="cpu")
        if isinstance(model, ClipModel):
            terminal.tell(f"{DESCRIBE[kind](model.init_args)}: {', '.join(model.labels)}", "")
    for name in names:
        try:
            backbone, network = sound.create(name, classes)
            shape = sound.shape(backbone)
        except ValueError as error:  # of any network, as in the table
            raise UsageError(str(error)) from error
        field = find_field(name, backbone)
        _print_layers(console, name, network, shape, backbone, field, sound.step_ms(backbone))


def _print_layers(
    console: "Console",
    name: str,
    network: "nn.Module",
    shape: tuple[int, ...],
    backbone: "Backbone",
    field: float,
    step_ms: float,
    device: str = "meta",
) -> None:
    from audiocnn.blocks.cost import count_parameters, list_layers

    found = list_layers(network, shape, device=device)
    rows = [
        (
            *(layer.name, layer.kind, _format_shape(layer.output_shape)),
            *(f"{number:,}" if number else "" for number in (layer.parameters, layer.macs)),
        )
        for layer in found
    ]
    macs = sum(layer.macs for layer in found)
    output_shape = _format_shape(found[-1].output_shape)
    rows.append(("all", "", output_shape, f"{count_parameters(network):,}", f"{macs:,}"))
    console.print(f"{name} on {_format_shape(shape)}\n", style="bold", highlight=False)
    console.print(terminal.create_table(("layer", "kind", "output", "parameters", "MACs"), rows, n_left=2))
    extent = "all of the input" if math.isinf(field) else f"{field:,.0f} frames, {field * step_ms:,.0f} ms"
    print(f"\nreceptive field: {extent}; stride: {backbone.time_stride}")
    print(f"latency: {measure_latency_ms(network, shape):,.1f} ms, the median of {RUNS} runs\n")
