"""What is left of the style's loss when a network has painted in one pass, beside the optimiser's.

    .venv/bin/python tests/bench/painters.py udnie data/cache/paintings/udnie.jpg data/cache/photos

The painter, the picture of a style (for AdaIN and the meta network better one that they have not seen) and
photographs in a folder of folders, of which those are painted that configs/style_*.yaml do not train on.
Losses are means over layers and photographs, as `StyleTask` has them.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from audiocnn import models, pictures, restyle
from audiocnn.datasets.picture_folder import PictureFolderDataModule
from audiocnn.style.adain import AdaIN
from audiocnn.style.bank import StyleBank
from audiocnn.style.extract import Extractor
from audiocnn.style.knobs import Knobs
from audiocnn.style.losses import STATISTICS, sums
from audiocnn.style.meta import MetaNet
from audiocnn.style.optimise import Style, fitted, optimise
from audiocnn.tasks import modelfile

SIDE, STYLE_SIDE = 256, 384  # in training crops of 192, out of pictures as large as the style
STEPS = 100
KNOBS = Knobs(
    content_weight=0.08, tv_weight=2.0, style_scale=STYLE_SIDE / SIDE, coarsest=SIDE, iterations=STEPS
)


def ways(painter: torch.nn.Module, style: Tensor, name: str) -> dict[str, Callable[[Tensor], Tensor]]:
    """How photographs (1, 3, rows, columns) are painted; the optimiser looks by the network of the losses."""
    extractor, knobs = restyle.extractor_of(*restyle.network_of("vgg"), KNOBS, "cpu")

    def one_pass(content: Tensor) -> Tensor:
        if isinstance(painter, AdaIN | MetaNet):
            return painter(content, style)
        if isinstance(painter, StyleBank):
            return painter(content, torch.tensor([painter.styles.index(name)]))
        return painter(content)

    return {
        "photograph": lambda content: content,
        "one pass": one_pass,
        f"{STEPS} steps": lambda content: optimise(content, [Style(style)], extractor, knobs),
    }


@torch.no_grad()
def losses(extractor: Extractor, layers: tuple[int, ...], content: Tensor, style: Tensor) -> float:
    """How far the style of a picture is from another's."""
    of, distance = STATISTICS["wasserstein"]
    made, aim = extractor(content), extractor(style)
    return mean(distance(of(sums(made[i])), of(sums(aim[i]))).item() for i in layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("painter", help="a model file or the name of a shipped one")
    parser.add_argument("style", type=Path)
    parser.add_argument("photographs")
    parser.add_argument("--number", type=int, default=8, help="of photographs")
    options = parser.parse_args()
    data = PictureFolderDataModule(options.photographs, size=SIDE, shift=0, validation=0.05)
    data.setup()
    shown = data.sets["test"].tensors[0][: options.number].float() / 255
    style = fitted(torch.from_numpy(pictures.read(options.style).pixels)[None], STYLE_SIDE)
    painter = modelfile.load(models.path(options.painter), torch.nn.Module)
    extractor, knobs = restyle.extractor_of(*restyle.network_of("vgg"), KNOBS, "cpu")
    found = {}
    for name, paint in ways(painter, style, options.style.stem).items():
        with torch.inference_mode(name == "one pass"):
            made = [paint(content[None]) for content in shown]
        found[name] = mean(losses(extractor, knobs.style_layers, one, style) for one in made)
        print(f"{name:12} {found[name]:.4f}")
    print(f"one pass over {STEPS} steps: {found['one pass'] / found[f'{STEPS} steps']:.2f}")


if __name__ == "__main__":
    main()
