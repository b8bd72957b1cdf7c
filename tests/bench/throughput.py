"""Training and inference of our networks beside the same networks written directly with torch.nn.

    make bench                                     # this too, after bench.py
    .venv/bin/python tests/bench/throughput.py     # this alone, some minutes on an idle machine
    .venv/bin/python tests/bench/throughput.py --quick

The references have the same parameters, layers and heads, which is checked. Runs of ours and of the
reference alternate in pairs, each first every other time; the ratio is the median over pairs, which a machine
that slows down between two pairs does not change. A training run is a step of SGD.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from bench import ROOT, Measurement, print_table, write_json
from torch import Tensor, nn
from torch.nn import functional

from audiocnn import create_backbone

MAX_RATIO = 1.05  # of our time over the reference's
N_CLASSES = 1000  # of ImageNet
SEED = 0


def list_conv_norm(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """List a convolution, padded so that only its stride changes the size, and its batch norm.

    Args:
        in_channels: of the convolution.
        out_channels: of the convolution.
        kernel_size: of the convolution, odd.
        stride: of the convolution.
        groups: of the convolution.
    """
    padding = kernel_size // 2
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(out_channels)]


class Bottleneck(nn.Module):
    """ResNet's bottleneck: a 3x3 convolution between two 1x1, added to the input or its projection.

    Args:
        in_channels: of the input.
        width: channels of the 3x3 convolution; the output has four times as many.
        stride: of the 3x3 convolution.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = 4 * width
        self.branch = nn.Sequential(
            *list_conv_norm(in_channels, width, 1),
            nn.ReLU(inplace=True),
            *list_conv_norm(width, width, 3, stride),
            nn.ReLU(inplace=True),
            *list_conv_norm(width, out_channels, 1),
        )
        changes = stride > 1 or in_channels != out_channels
        self.shortcut = (
            nn.Sequential(*list_conv_norm(in_channels, out_channels, 1, stride)) if changes else None
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(self.branch(x) + shortcut, inplace=True)


def build_resnet50() -> nn.Module:
    """Build ResNet-50 as in He et al., 2016, table 1; the 3x3 convolution has the stride."""
    layers = [*list_conv_norm(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(depth):
            layers.append(Bottleneck(channels, width, 1 if i else stride))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, N_CLASSES))


def build_vgg16() -> nn.Module:
    """Build VGG-16 as in Simonyan and Zisserman, 2015, table 1, D."""
    layers, channels = [], 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    layers += [nn.AdaptiveAvgPool2d(7), nn.Flatten()]
    for before, width in ((channels * 7 * 7, 4096), (4096, 4096)):
        layers += [nn.Linear(before, width), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(4096, N_CLASSES))


class InvertedBottleneck(nn.Module):
    """MobileNetV2's inverted bottleneck: expanded by 1x1, depthwise, projected by 1x1 without a rectifier.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        stride: of the depthwise convolution.
        expansion: channels of the depthwise convolution over those of the input.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = expansion * in_channels
        expand = [*list_conv_norm(in_channels, width, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        self.branch = nn.Sequential(
            *expand,
            *list_conv_norm(width, width, 3, stride, groups=width),
            nn.ReLU6(inplace=True),
            *list_conv_norm(width, out_channels, 1),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x) if self.residual else self.branch(x)


def build_mobilenet_v2() -> nn.Module:
    """Build MobileNetV2 as in Sandler et al., 2018, table 2."""
    layers: list[nn.Module] = [*list_conv_norm(3, 32, 3, 2), nn.ReLU6(inplace=True)]
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
    layers += [
        *list_conv_norm(channels, 1280, 1),
        nn.ReLU6(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ]
    return nn.Sequential(*layers, nn.Dropout(0.2), nn.Linear(1280, N_CLASSES))


# Name of the backbone -> its name in the paper, its reference, published number of parameters.
NETWORKS: dict[str, tuple[str, Callable[[], nn.Module], int]] = {
    "resnet50": ("ResNet-50", build_resnet50, 25_557_032),
    "vgg16": ("VGG-16", build_vgg16, 138_357_544),
    "mobilenet_v2": ("MobileNetV2", build_mobilenet_v2, 3_504_872),
}


def build_pair(name: str) -> tuple[nn.Module, nn.Module]:
    """Build our network and its reference.

    Args:
        name: one of `NETWORKS`.

    Raises:
        SystemExit: they have not the published number of parameters.
    """
    _, reference, expected = NETWORKS[name]
    backbone = create_backbone(name, in_channels=3)
    both = nn.Sequential(backbone, backbone.classifier(N_CLASSES)), reference()
    sizes = [sum(weights.numel() for weights in network.parameters()) for network in both]
    if sizes != [expected, expected]:
        raise SystemExit(f"{name} and its reference have {sizes} parameters, expected {expected} both")
    return both


def inference(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Run a network forward.

    Args:
        network: network from images to scores.
        images: (batch, channels, rows, columns).
        labels: not used.
    """
    with torch.inference_mode():
        network(images)


def training(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Run a network forward and backward, and take a step of SGD.

    Args:
        network: network from images to scores.
        images: (batch, channels, rows, columns).
        labels: (batch,).
    """
    functional.cross_entropy(network(images), labels).backward()
    with torch.no_grad():
        for weights in network.parameters():
            weights.sub_(weights.grad, alpha=1e-4)
            weights.grad = None


def measure_s(run: Callable[..., None], network: nn.Module, *batch: Tensor) -> float:
    """Measure the wall time of a run, in seconds.

    Args:
        run: `inference` or `training`.
        network: network from images to scores.
        batch: images and labels.
    """
    start_s = time.perf_counter()
    run(network, *batch)
    return time.perf_counter() - start_s


def measure_network(name: str, batch_size: int, size: int, repeats: int) -> Iterator[Measurement]:
    """Measure training and inference of our network and its reference.

    Args:
        name: one of `NETWORKS`.
        batch_size: images in a run.
        size: rows and columns of an image.
        repeats: pairs of runs.
    """
    torch.manual_seed(SEED)
    networks = build_pair(name)
    batch = torch.randn(batch_size, 3, size, size), torch.randint(N_CLASSES, (batch_size,))
    for run in (training, inference):
        pairs = []
        for number in range(-1, repeats):  # the first warms up
            order = (0, 1) if number % 2 else (1, 0)
            times = {i: measure_s(run, networks[i].train(run is training), *batch) for i in order}
            if number >= 0:
                pairs.append((times[0], times[1]))
        ours, reference = (1000 * median(times) / batch_size for times in zip(*pairs, strict=True))
        yield Measurement(
            f"{NETWORKS[name][0]}: {run.__name__}, {batch_size} of {size}x{size}",
            "ms per image",
            ours,
            reference,
            limit=MAX_RATIO,
            limits_ratio=True,
            ratio_of_pairs=median(first / second for first, second in pairs),
        )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch-size", type=int, default=4, help="images in a run")
    parser.add_argument("--size", type=int, default=224, help="rows and columns of an image")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of runs of each")
    parser.add_argument("--quick", action="store_true", help="try it out: two images of 32x32, two pairs")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "throughput.json")
    options = parser.parse_args()
    if options.quick:
        options.batch_size, options.size, options.repeats = 2, 32, 2
    measurements = [
        measurement
        for name in options.networks
        for measurement in measure_network(name, options.batch_size, options.size, options.repeats)
    ]
    print_table(measurements)
    write_json(measurements, options.output)


if __name__ == "__main__":
    main()
