"""The style loss of images painted in one pass, beside the optimiser's.

    .venv/bin/python tests/bench/painters.py paintings/udnie.jpg data/cache/photos udnie style_bank adain

The image of a style, or a folder of such; photographs in a folder of folders, of which those are painted
that configs/style_*.yaml do not train on; and networks that paint. Losses are means over layers and
photographs, as `StyleTask` has them.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from audiocnn import images
from audiocnn.datasets.images.folder import ImageFolderDataModule
from audiocnn.models import weights
from audiocnn.models.file import read_model
from audiocnn.style.extract import Extractor
from audiocnn.style.images import extractor_of, find_network
from audiocnn.style.losses import STATISTICS, compute_moments
from audiocnn.style.optimise import Style, optimise, resize_to_side
from audiocnn.style.options import StyleOptions
from audiocnn.style.painters.base import Painter

SIDE = 256  # of the photographs
STEPS = 100
STATISTIC = STATISTICS["wasserstein"]
OPTIONS = StyleOptions(content_weight=0.08, tv_weight=2.0, coarsest=SIDE, iterations=STEPS)


@torch.inference_mode()
def one_pass(painter: Painter, content: Tensor, style: Tensor, name: str) -> Tensor:
    """A photograph, (1, 3, rows, columns), as a painter paints it."""
    if painter.style_names is None:
        return painter.paint(content, [style])
    return painter.paint(content, [name] if painter.style_names else [])


@torch.no_grad()
def statistics(extractor: Extractor, layers: tuple[int, ...], image: Tensor) -> list[tuple[Tensor, ...]]:
    """The statistics of an image's style, layer by layer."""
    maps = extractor(image)
    return [STATISTIC.of(compute_moments(maps[layer])) for layer in layers]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("style", type=Path)
    parser.add_argument("photographs")
    parser.add_argument("painters", nargs="+", help="model files or the names of shipped ones")
    parser.add_argument("--number", type=int, default=8, help="of photographs")
    parser.add_argument("--style_size", type=int, default=384, help="its longer side, as trained with")
    given = parser.parse_args()
    data = ImageFolderDataModule(given.photographs, size=SIDE, shift=0, validation=0.05)
    data.setup()
    photographs = [one[None].float() / 255 for one in data.sets["test"].tensors[0][: given.number]]
    options = replace(OPTIONS, style_scale=given.style_size / SIDE)
    extractor, options = extractor_of(find_network("vgg"), options, "cpu")
    painters = {name: read_model(weights.path(name), Painter) for name in given.painters}
    found = []
    for path in images.find_images(given.style):
        style = resize_to_side(torch.from_numpy(images.read_image(path).pixels)[None], given.style_size)
        found.append(style_losses(style, path.stem, photographs, painters, extractor, options))
        print(path.name, *(f"{name} {loss:.4f}" for name, loss in found[-1].items()), sep="  ", flush=True)
    for name in painters:
        ratios = [losses[name] / losses[f"{STEPS} steps"] for losses in found]
        print(f"{name}: {mean(ratios):.2f} times the style loss after {STEPS} steps")


def style_losses(
    style: Tensor,
    name: str,
    photographs: Sequence[Tensor],
    painters: Mapping[str, Painter],
    extractor: Extractor,
    options: StyleOptions,
) -> dict[str, float]:
    """The style loss of photographs as they are, after steps of the optimiser, and by each painter."""
    targets = statistics(extractor, options.style_layers, style)

    def loss(paint: Callable[[Tensor], Tensor]) -> float:
        painted = [statistics(extractor, options.style_layers, paint(content)) for content in photographs]
        return mean(
            STATISTIC.distance(*pair).item() for one in painted for pair in zip(one, targets, strict=True)
        )

    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "photographs": lambda content: content,
        f"{STEPS} steps": lambda content: optimise(content, [Style(style)], extractor, options),
    }
    for key, painter in painters.items():
        ways[key] = partial(one_pass, painter, style=style, name=name)
    return {key: loss(paint) for key, paint in ways.items()}


if __name__ == "__main__":
    main()
