"""Cost and accuracy of families of networks on CIFAR-10, after a few epochs each.

    make cifar

Every row is a training with configs/cifar10.yaml, of which only the network and the number of epochs is
changed. The table goes to the terminal and to docs/cifar.md, the plot to docs/cifar.png; rows that are in
runs/cifar.json already are not trained again.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cost_plot import plot_costs
from networks import (
    ROOT,
    Scores,
    list_arguments,
    measure_networks,
    print_scores,
    silence_lightning,
)
from rich.console import Console

from audiocnn import files

KEPT = ROOT / "runs" / "cifar.json"
RGB = {"in_channels": 3}
# Networks -> the arguments that differ from their defaults.
NETWORKS: dict[str, dict[str, Any]] = {
    "linear": {**RGB, "size": 32},
    "mlp": {**RGB, "size": 32},
    "lenet5": {**RGB, "act": "relu"},
    "alexnet_small": RGB,
    "vgg_small": RGB,
    "nin_small": RGB,
    "googlenet_small": RGB,
    "resnet_small": RGB,
    "resnet20_cifar": RGB,
    "densenet_small": RGB,
    "mobilenet_small": RGB,
    "mnasnet_small": RGB,
    "efficientnet_small": RGB,
}


def keep(names: Iterable[str], epochs: int) -> Iterator[Scores]:
    """Train what is not measured yet, and keep each row once it is done.

    Args:
        names: some of `NETWORKS`.
        epochs: of each training.

    Yields:
        What each costs and reaches.
    """
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    names = list(names)
    missing = [name for name in names if f"{name}, {epochs} epochs" not in kept]
    measured = measure_networks("cifar10.yaml", missing, NETWORKS, epochs)
    for name in names:
        key = f"{name}, {epochs} epochs"
        if key not in kept:
            kept[key] = asdict(next(measured))
            with files.write_atomically(KEPT) as partial:
                partial.write_text(json.dumps(kept, indent=1))
        yield Scores(**kept[key])


PAGE = """# Accuracy of the networks on CIFAR-10

Made by `make cifar`. The data: audiocnn/datasets/images/cifar10.py.

Each is `audiocnn fit --config cifar10 --model.backbone audiocnn.create_backbone --model.backbone.name NAME
--trainer.max_epochs {epochs}`: {epochs} epochs for all, in which none is trained to its end. Accuracies are
those of the last epoch, in percent. Seconds are processor time of the training, validations included. With
further arguments:

{arguments}

{networks}

![Accuracy of the networks against their multiply-accumulates](cifar.png)

The area of a circle is the number of parameters; _small is left out of the names.
"""


def main() -> None:
    """Print the table, draw the plot and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NAME")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "cifar.md")
    arguments = parser.parse_args()
    silence_lightning()
    measured = keep(arguments.networks, arguments.epochs)
    networks, scores = print_scores("CIFAR-10", measured, Console(width=120))
    plot_costs(scores, arguments.output.with_suffix(".png"))
    own = {name: NETWORKS[name] for name in arguments.networks}
    page = PAGE.format(epochs=arguments.epochs, networks=networks, arguments=list_arguments(own))
    with files.write_atomically(arguments.output) as partial:
        partial.write_text(page)


if __name__ == "__main__":
    main()
