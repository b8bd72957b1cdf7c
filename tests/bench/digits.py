"""Cost and accuracy of each small network on the digits, and of LeNet-5's initialisations with few labels.

    make digits

Every row is a training with configs/digits.yaml, of which only what the row names is changed. The tables go
to the terminal and to docs/digits.md, the plot to docs/digits.png.
"""

import argparse
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from cost_plot import plot_costs
from networks import (
    ROOT,
    create_training,
    list_arguments,
    list_small_networks,
    measure_networks,
    print_scores,
    print_table,
    read_config,
    silence_lightning,
    train_and_test,
)
from rich.console import Console

from audiocnn import files

BASELINES = ("linear", "mlp", "locally_connected", "lenet5")
# Arguments that differ from a network's defaults: this one has to know the images' size.
ARGUMENTS: dict[str, dict[str, Any]] = {"locally_connected": {"size": 32}}
PER_CLASS, FEW_EPOCHS = 10, 100  # about as many steps as the whole data set's epochs take
KERNELS = [
    {"name": "binomial"},
    {"name": "edges_8"},
    {"name": "sobel_x"},
    {"name": "sobel_y"},
    {"name": "gabor", "size": 5, "wavelength": 4.0, "sigma": 1.5, "angle": 0.785},
    {"name": "gabor", "size": 5, "wavelength": 4.0, "sigma": 1.5, "angle": 2.356},
]


def create_initialisations(folder: Path) -> dict[str, dict[str, Any]]:
    """Create the changes of the config for each initialisation; the autoencoder is trained for it.

    Args:
        folder: where the autoencoder's checkpoint is written.
    """
    config = read_config("digits_autoencoder.yaml")
    cli = create_training(config)
    cli.trainer.fit(cli.model, cli.datamodule)
    cli.trainer.save_checkpoint(folder / "encoder.ckpt")
    made = "audiocnn.training.callbacks.initialise.Initialise"
    unlabelled = read_config("digits.yaml")["data"]
    filters = {
        method: {"class_path": f"{made}Filters", "init_args": {"method": method, "data": unlabelled}}
        for method in ("pca", "kmeans")
    }
    callbacks = {
        "Kaiming, fan_in": {"class_path": f"{made}Kaiming", "init_args": {"mode": "fan_in"}},
        "Kaiming, fan_out": {"class_path": f"{made}Kaiming", "init_args": {"mode": "fan_out"}},
        "kernels set by hand": {"class_path": f"{made}Kernels", "init_args": {"kernels": KERNELS}},
        "filters by PCA": filters["pca"],
        "filters by k-means": filters["kmeans"],
    }
    changes = {name: {"callbacks": [callback]} for name, callback in callbacks.items()}
    encoder = {"start_from": str(folder / "encoder.ckpt")}
    return {"torch's default": {}, **changes, "autoencoder": encoder}


def measure_initialisations(
    network: str, n_seeds: int, changes: dict[str, dict[str, Any]]
) -> Iterator[list[str]]:
    """Train with few labels and yield a row for each initialisation: name, mean accuracy, standard deviation.

    Args:
        network: the backbone's name.
        n_seeds: trainings of each.
        changes: of `create_initialisations`.
    """
    config = read_config("digits.yaml")
    config["model"]["init_args"]["backbone"]["init_args"]["name"] = network
    config["data"]["init_args"]["per_class"] = PER_CLASS
    config["trainer"].update(max_epochs=FEW_EPOCHS, check_val_every_n_epoch=FEW_EPOCHS, log_every_n_steps=1)
    for name, change in changes.items():
        found = []
        for seed in range(n_seeds):
            changed = deepcopy(config)
            changed["seed_everything"] = seed
            changed["trainer"]["callbacks"] = deepcopy(change.get("callbacks", []))
            changed["model"]["init_args"]["start_from"] = change.get("start_from")
            found.append(train_and_test(create_training(changed))[1])
        yield [name, f"{mean(found):.1f}", f"{stdev(found):.1f}" if n_seeds > 1 else ""]


PAGE = """# Accuracy of the networks on digits

Made by `make digits`, on {threads} thread(s) of 2 CPU cores. The data: audiocnn/datasets/images/digits.py.

## The small networks

Each is `audiocnn fit --config configs/digits.yaml --model.backbone.name NAME`: {epochs} epochs of the
training images at 32 × 32, shifted at random. Accuracies are those of the last epoch, in percent. One test
image is 0.28: differences below 1 mean little. Seconds are processor time of the training, validations
included. With further arguments:

{arguments}

{networks}

![Accuracy of the networks against their multiply-accumulates](digits.png)

The area of a circle is the number of parameters; _small is left out of the names.

mnasnet_small and mobilenet_small have half of the published blocks. With all of them they reached 95.0 and
97.2, in twice the time: most blocks then work on feature maps of one to four positions.

## Other initialisations, {per_class} labels a class

`lenet5` on {per_class} training images of each class, {few_epochs} epochs of them, otherwise as above;
{seeds} seeds, the labelled images the same in all. Filters and the autoencoder
(configs/digits_autoencoder.yaml, trained once) also use the other training images, without labels.
The initialisations are those of audiocnn/training/callbacks/initialise.py.

{initialisations}
"""


def main() -> None:
    """Print the tables and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=[*BASELINES, *list_small_networks()])
    parser.add_argument("--seeds", type=int, default=5, help="of each initialisation")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "digits.md")
    arguments = parser.parse_args()
    silence_lightning()
    console = Console(width=120)
    measured = measure_networks("digits.yaml", arguments.networks, ARGUMENTS)
    networks, scores = print_scores("Digits", measured, console)
    plot_costs(scores, arguments.output.with_suffix(".png"))
    with tempfile.TemporaryDirectory() as folder:
        rows = measure_initialisations("lenet5", arguments.seeds, create_initialisations(Path(folder)))
        title = f"{PER_CLASS} labels a class, test"
        few_head = ["initialisation", "mean test accuracy", "standard deviation"]
        few = print_table(title, few_head, rows, console)
    page = PAGE.format(
        threads=torch.get_num_threads(),
        epochs=read_config("digits.yaml")["trainer"]["max_epochs"],
        networks=networks,
        arguments=list_arguments(ARGUMENTS),
        per_class=PER_CLASS,
        few_epochs=FEW_EPOCHS,
        seeds=arguments.seeds,
        initialisations=few,
    )
    with files.write_atomically(arguments.output) as partial:
        partial.write_text(page)


if __name__ == "__main__":
    main()
