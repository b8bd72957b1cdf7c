"""Top-1 and top-5 accuracy of a network with ImageNet weights on EliSchwartz/imagenet-sample-images.

    python tests/bench/imagenet.py data/cache/imagenet_samples

One photograph of each class, named by its number in WordNet: n01443537_goldfish.JPEG. Whether they are among
those that the networks were trained on is not known: the figures show that weights are read right, no more.
"""

import argparse
from collections import defaultdict
from pathlib import Path

from audiocnn import images
from audiocnn.backbones.pretrained import read_classes
from audiocnn.evaluate.images import evaluate_images
from audiocnn.models.image import ImageModel
from audiocnn.models.load import load


def main() -> None:
    """Print the number of photographs, and the accuracies in percent."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a checkout of EliSchwartz/imagenet-sample-images")
    parser.add_argument("--model", default="efficientnet_lite0", help="a network with published weights")
    arguments = parser.parse_args()
    model = load(arguments.model, kind=ImageModel)
    classes = read_classes()
    paths = [path for path in images.find_images(arguments.folder) if path.name.split("_")[0] in classes]
    if not paths:
        raise SystemExit(
            f"{arguments.folder}: no image whose name begins with a class, as n01443537_goldfish.JPEG"
        )
    labelled = defaultdict(list)
    for path in paths:
        labelled[classes[path.name.split("_")[0]]].append(path)
    report = evaluate_images(labelled, [model])
    for reason in report.unreadable.values():
        print(reason)
    top_1, top_5 = (100 * report.measure_top(n) for n in (1, 5))
    print(f"{arguments.model}: {report.n_images} photographs, top-1 {top_1:.1f} %, top-5 {top_5:.1f} %")


if __name__ == "__main__":
    main()
