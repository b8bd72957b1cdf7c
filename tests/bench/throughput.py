"""Training and inference of our networks beside the same networks written directly with torch.nn.

    make bench                                     # this too, after bench.py
    .venv/bin/python tests/bench/throughput.py     # this alone, some minutes on an idle machine
    .venv/bin/python tests/bench/throughput.py --quick

The references have the same parameters, layers and heads, which is checked. Runs of ours and the reference's
alternate, each beginning every other time; the ratio is the median of the pairs', which a machine that slows
down between two pairs does not change. A training run is a step of SGD.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from bench import ROOT, Figure, print_table, write_json
from torch import Tensor, nn
from torch.nn import functional

from audiocnn import create_backbone

BAR = 1.05  # of ours over the reference's time
CLASSES = 1000
SEED = 0


def conv_norm(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """A convolution that keeps the map's size but for the stride, and its batch norm."""
    padding = kernel_size // 2
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(out_channels)]


class Bottleneck(nn.Module):
    """ResNet's: a 3x3 convolution between two 1x1, added to the input or its projection."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = 4 * width
        self.branch = nn.Sequential(
            *conv_norm(in_channels, width, 1),
            nn.ReLU(inplace=True),
            *conv_norm(width, width, 3, stride),
            nn.ReLU(inplace=True),
            *conv_norm(width, out_channels, 1),
        )
        changes = stride > 1 or in_channels != out_channels
        self.shortcut = nn.Sequential(*conv_norm(in_channels, out_channels, 1, stride)) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(self.branch(x) + kept, inplace=True)


def resnet50() -> nn.Module:
    """He et al., 2016, table 1; the 3x3 convolution has the stride."""
    layers = [*conv_norm(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(depth):
            layers.append(Bottleneck(channels, width, 1 if i else stride))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))


def vgg16() -> nn.Module:
    """Simonyan and Zisserman, 2015, table 1, D."""
    layers, channels = [], 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    layers += [nn.AdaptiveAvgPool2d(7), nn.Flatten()]
    for before, width in ((channels * 7 * 7, 4096), (4096, 4096)):
        layers += [nn.Linear(before, width), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(4096, CLASSES))


class InvertedBottleneck(nn.Module):
    """MobileNetV2's: widened by 1x1, filtered depthwise, narrowed by 1x1 without a rectifier."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = expansion * in_channels
        wider = [*conv_norm(in_channels, width, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        self.branch = nn.Sequential(
            *wider,
            *conv_norm(width, width, 3, stride, groups=width),
            nn.ReLU6(inplace=True),
            *conv_norm(width, out_channels, 1),
        )
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x) if self.adds else self.branch(x)


def mobilenet_v2() -> nn.Module:
    """Sandler et al., 2018, table 2."""
    layers: list[nn.Module] = [*conv_norm(3, 32, 3, 2), nn.ReLU6(inplace=True)]
    channels = 32
    for expansion, width, depth, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for i in range(depth):
            layers.append(InvertedBottleneck(channels, width, 1 if i else stride, expansion))
            channels = width
    layers += [*conv_norm(channels, 1280, 1), nn.ReLU6(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(0.2), nn.Linear(1280, CLASSES))


# name of ours -> (what it is called, the reference, published parameters)
NETWORKS: dict[str, tuple[str, Callable[[], nn.Module], int]] = {
    "resnet50": ("ResNet-50", resnet50, 25_557_032),
    "vgg16": ("VGG-16", vgg16, 138_357_544),
    "mobilenet_v2": ("MobileNetV2", mobilenet_v2, 3_504_872),
}


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """Ours and the reference.

    Raises: SystemExit when they are not the same network.
    """
    _, reference, expected = NETWORKS[name]
    backbone = create_backbone(name, in_channels=3)
    both = nn.Sequential(backbone, backbone.classifier(CLASSES)), reference()
    sizes = [sum(weights.numel() for weights in network.parameters()) for network in both]
    if sizes != [expected, expected]:
        raise SystemExit(f"{name} and its reference have {sizes} parameters, expected {expected} both")
    return both


def inference(network: nn.Module, spectrograms: Tensor, labels: Tensor) -> None:
    """A run forward."""
    with torch.inference_mode():
        network(spectrograms)


def training(network: nn.Module, spectrograms: Tensor, labels: Tensor) -> None:
    """A run forward, one backward, and a step of SGD."""
    functional.cross_entropy(network(spectrograms), labels).backward()
    with torch.no_grad():
        for weights in network.parameters():
            weights.sub_(weights.grad, alpha=1e-4)
            weights.grad = None


def seconds(run: Callable[..., None], network: nn.Module, *batch: Tensor) -> float:
    """Wall time of a run."""
    began_s = time.perf_counter()
    run(network, *batch)
    return time.perf_counter() - began_s


def measure(name: str, batch_size: int, size: int, repeats: int) -> Iterator[Figure]:
    """A figure for training, and one for inference."""
    torch.manual_seed(SEED)
    networks = pair(name)
    batch = torch.randn(batch_size, 3, size, size), torch.randint(CLASSES, (batch_size,))
    for run in (training, inference):
        pairs = []
        for number in range(-1, repeats):  # the first warms up
            order = (0, 1) if number % 2 else (1, 0)
            times = {i: seconds(run, networks[i].train(run is training), *batch) for i in order}
            if number >= 0:
                pairs.append((times[0], times[1]))
        ours, other = (1000 * median(times) / batch_size for times in zip(*pairs, strict=True))
        yield Figure(
            f"{NETWORKS[name][0]}: {run.__name__}, {batch_size} of {size}x{size}",
            "ms a picture",
            ours,
            other,
            bar=BAR,
            bar_on_ratio=True,
            ratio_of_pairs=median(mine / theirs for mine, theirs in pairs),
        )


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch-size", type=int, default=4, help="pictures in a run")
    parser.add_argument("--size", type=int, default=224, help="cells of a picture's side")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of runs of each")
    parser.add_argument("--quick", action="store_true", help="try it out: two pictures of 32x32, two pairs")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "throughput.json")
    options = parser.parse_args()
    if options.quick:
        options.batch_size, options.size, options.repeats = 2, 32, 2
    figures = [
        figure
        for name in options.networks
        for figure in measure(name, options.batch_size, options.size, options.repeats)
    ]
    print_table(figures)
    write_json(figures, options.output)


if __name__ == "__main__":
    main()
