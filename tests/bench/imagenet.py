"""Top-1 and top-5 accuracy of a network with ImageNet weights on EliSchwartz/imagenet-sample-images.

    python tests/bench/imagenet.py data/cache/imagenet_samples

One photograph of each class, named by its number in WordNet: n01443537_goldfish.JPEG. Whether they are among
those that the networks were trained on is not known: the figures show that weights are read right, no more.
"""

import argparse
from pathlib import Path

import torch

from audiocnn import files, images
from audiocnn.backbones.pretrained import read_classes
from audiocnn.inference.images import read_input
from audiocnn.models.image import ImageModel
from audiocnn.models.load import load

BATCH_SIZE = 25


def main() -> None:
    """Print the number of photographs, and the accuracies in percent."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a checkout of EliSchwartz/imagenet-sample-images")
    parser.add_argument("--model", default="efficientnet_lite0", help="a network with published weights")
    arguments = parser.parse_args()
    model = load(arguments.model, kind=ImageModel)
    classes = [*read_classes()]
    paths = [path for path in images.find_images(arguments.folder) if path.name.split("_")[0] in classes]
    if not paths:
        raise SystemExit(
            f"{arguments.folder}: no image whose name begins with a class, as n01443537_goldfish.JPEG"
        )
    ranks = []
    for first in range(0, len(paths), BATCH_SIZE):
        batch = paths[first : first + BATCH_SIZE]
        targets = torch.tensor([classes.index(path.name.split("_")[0]) for path in batch])
        try:
            squares = torch.cat([read_input(path, model) for path in batch])
        except files.FileError as error:
            raise SystemExit(str(error)) from error
        with torch.inference_mode():
            logits = model(squares)
        ranks.append((logits > logits.gather(1, targets[:, None])).sum(1))
    rank = torch.cat(ranks)
    top_1, top_5 = (100 * (rank < n).double().mean().item() for n in (1, 5))
    print(f"{arguments.model}: {len(rank)} photographs, top-1 {top_1:.1f} %, top-5 {top_5:.1f} %")


if __name__ == "__main__":
    main()
