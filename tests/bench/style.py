"""An iteration of the style optimiser beside a plain loop over the same VGG: milliseconds, and peak memory.

    make bench                                # this too
    .venv/bin/python tests/bench/style.py     # this alone, some minutes on an idle machine

The plain loop is Gatys et al.'s, written directly with torch: the same layers, Gram matrices, Adam on the
pixels. Each run is a fresh process on images of noise, its memory what the loop adds to what stood before;
runs alternate, and a figure is the median. Networks that paint in one pass: images a second.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from bench import MAXRSS_BYTES, ROOT, Measurement, print_table, write_json
from torch import Tensor

BAR = 1.0  # of ours over the plain loop's
SIDE = 512
STEPS = 5
RUNS = 3
LAYERS = (0, 2, 4, 8, 12)
CONTENT = 8


def images() -> tuple[Tensor, Tensor]:
    """Content and style."""
    generator = torch.Generator().manual_seed(0)
    content, style = torch.rand(2, 1, 3, SIDE, SIDE, generator=generator)
    return content, style


def network():
    """VGG-19 of half the width, as `stylize` has it."""
    from audiocnn.style.images import find_network

    torch.manual_seed(0)
    return find_network("random").backbone.eval().requires_grad_(False)


def ours() -> Callable[[], None]:
    """A step of `optimise`'s."""
    from audiocnn.style.extract import Extractor
    from audiocnn.style.optimise import Style, compute_targets
    from audiocnn.style.options import StyleOptions

    content, style = images()
    options = StyleOptions(content_layers=(CONTENT,), style_layers=LAYERS, statistic="gram", tile=SIDE)
    targets = compute_targets(content, [Style(style)], Extractor(network(), LAYERS, (0.5,), (0.25,)), options)
    image = content.clone()
    optimiser = torch.optim.Adam([image], lr=options.learning_rate)

    def step() -> None:
        _, image.grad = targets.loss_and_gradient(image)
        optimiser.step()
        image.clamp_(0, 1)

    return step


def plain() -> Callable[[], None]:
    """A step of the loop that tutorials show."""
    vgg = network()
    content, style = images()

    def maps(image: Tensor) -> list[Tensor]:
        found, x = [], (image - 0.5) / 0.25
        for stage in vgg.stages[: LAYERS[-1] + 1]:
            x = stage(x)
            found.append(x)
        return found

    def gram(x: Tensor) -> Tensor:
        flat = x[0].flatten(1)
        return flat @ flat.T / flat.shape[1]

    with torch.no_grad():
        target = maps(content)[CONTENT]
        grams = [gram(maps(style)[layer]) for layer in LAYERS]
    image = content.clone().requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.02)

    def step() -> None:
        optimiser.zero_grad()
        found = maps(image)
        loss = 0.05 * (found[CONTENT] - target).square().mean()
        for layer, gram_target in zip(LAYERS, grams, strict=True):
            loss = loss + (gram(found[layer]) - gram_target).square().mean()
        smooth = image.diff(dim=2).square().mean() + image.diff(dim=3).square().mean()
        (loss + 0.5 * smooth).backward()
        optimiser.step()
        image.data.clamp_(0, 1)

    return step


LOOPS = {"ours": ours, "plain": plain}


def run(name: str) -> dict[str, float]:
    """The median of the steps in milliseconds, and the megabytes that they add; in a process of its own."""
    network()(torch.zeros(1, 3, 64, 64))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = LOOPS[name]()
    step()
    times = []
    for _ in range(STEPS):
        began_s = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - began_s))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"ms": median(times), "mb": (peak - before) * MAXRSS_BYTES / 1e6}


def one_pass() -> dict[str, float]:
    """Images of `SIDE` a second, by kind of network, with the widths of configs/style_*.yaml."""
    from audiocnn.backbones.vgg import VGG
    from audiocnn.style.painters.adain import AdaIN
    from audiocnn.style.painters.bank import StyleBank
    from audiocnn.style.painters.feedforward import TransferNet
    from audiocnn.style.painters.meta import MetaNet

    backbone = VGG(in_channels=3, kernels=((3, 3),) * 4, widths=(32, 64, 128, 256), norm="batch")
    networks = {
        "feed-forward": TransferNet(),
        "AdaIN": AdaIN(backbone, 4),
        "StyleBank": StyleBank(["a", "b"]),
        "meta network": MetaNet(backbone, 4),
    }
    content, style = images()
    speeds = {}
    for name, painter in networks.items():
        painter.eval()
        styles = [style] if painter.style_names is None else []
        with torch.inference_mode():
            painter.paint(content, styles)
            began_s = time.perf_counter()
            for _ in range(STEPS):
                painter.paint(content, styles)
        speeds[name] = STEPS / (time.perf_counter() - began_s)
    return speeds


def figures() -> Iterator[Measurement]:
    """Of the two loops, run by run, then of the networks that paint in one pass."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in LOOPS}
    for _ in range(RUNS):
        for name in LOOPS:
            command = [sys.executable, __file__, "--run", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name].append(json.loads(done.stdout))
    for unit, what in (("ms", "an iteration"), ("mb", "peak memory of a loop")):
        mine, theirs = (median(run[unit] for run in found[name]) for name in LOOPS)
        pairs = zip(found["ours"], found["plain"], strict=True)
        ratio = median(one[unit] / other[unit] for one, other in pairs)
        yield Measurement(f"{what} at {SIDE} x {SIDE}", unit, mine, theirs, BAR, True, ratio)
    for name, speed in one_pass().items():
        yield Measurement(f"{name}, images of {SIDE} x {SIDE}", "1/s", speed)


def main() -> None:
    """Measures, prints and writes; `--run NAME` is what the processes are called with."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", choices=LOOPS, help="one run in this process")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "style.json")
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.run)))
        return
    found = list(figures())
    print_table(found)
    write_json(found, options.output)


if __name__ == "__main__":
    main()
