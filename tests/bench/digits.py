"""Cost and accuracy of each small network on the digits, and of LeNet-5's initialisations with few labels.

    make digits

Every row is a training with configs/digits.yaml, of which only what the row names is changed. The tables go
to the terminal and to docs/digits.md. Seconds are processor time, which on a busy machine depends less on the
other processes than elapsed time.
"""

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.table import Table
from torch import nn

from audiocnn import create_backbone, files, list_backbones
from audiocnn.blocks.cost import count_macs, count_parameters
from audiocnn.cli.training import CommandLine

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
BASELINES = ("linear", "mlp", "locally_connected", "lenet5")
# Arguments that differ from a network's defaults: this one has to know the images' size.
ARGUMENTS: dict[str, dict[str, Any]] = {"locally_connected": {"size": 32}}
QUIET = {"logger": False, "callbacks": [], "enable_checkpointing": False, "enable_progress_bar": False}
PER_CLASS, FEW_EPOCHS = 10, 100  # about as many steps as the whole data set's epochs take
KERNELS = [
    {"name": "binomial"},
    {"name": "edges_8"},
    {"name": "sobel_x"},
    {"name": "sobel_y"},
    {"name": "gabor", "size": 5, "wavelength": 4.0, "sigma": 1.5, "angle": 0.785},
    {"name": "gabor", "size": 5, "wavelength": 4.0, "sigma": 1.5, "angle": 2.356},
]


def read_config(name: str) -> dict[str, Any]:
    """Read a config, and switch off what writes files and reports progress.

    Args:
        name: its file name in configs/.
    """
    config = yaml.safe_load((CONFIGS / name).read_text())
    config["trainer"].update(QUIET, enable_model_summary=False)
    return config


def create_training(config: dict[str, Any]) -> CommandLine:
    """Create the trainer, task and data that `audiocnn fit` would train with.

    Args:
        config: the contents of a config file.
    """
    return CommandLine(save_config_callback=None, run=False, args=config)


def train_and_test(cli: CommandLine) -> tuple[float, float, float]:
    """Train a network on digits.

    Args:
        cli: of `create_training`.

    Returns:
        The accuracy on the validation and on the test images, in percent, and the processor time of the
        training in seconds.
    """
    began_s = time.process_time()
    cli.trainer.fit(cli.model, cli.datamodule)
    seconds = time.process_time() - began_s
    validation = cli.trainer.callback_metrics["val/accuracy"].item()
    (tested,) = cli.trainer.test(cli.model, cli.datamodule, verbose=False)
    return 100 * validation, 100 * tested["test/accuracy"], seconds


def list_small_networks() -> list[str]:
    """List the small members of all families of image networks."""
    return [name for name in list_backbones("*_small") if create_backbone(name).dims == 2]


def list_arguments() -> str:
    """List the arguments of networks besides their names, as Markdown."""
    lines = []
    for name, arguments in ARGUMENTS.items():
        changes = (f"--model.backbone.dict_kwargs.{key} {value}" for key, value in arguments.items())
        lines.append(f"- {name}: `{' '.join(changes)}`")
    return "\n".join(lines)


def measure_networks(names: list[str]) -> Iterator[list[str]]:
    """Train each network and yield its row: name, parameters, MACs, seconds, accuracies.

    Args:
        names: names of backbones.
    """
    for name in names:
        config = read_config("digits.yaml")
        backbone = config["model"]["init_args"]["backbone"]
        backbone["init_args"]["name"] = name
        backbone["dict_kwargs"] = ARGUMENTS.get(name, {})
        cli = create_training(config)
        size = config["data"]["init_args"]["size"]
        network = nn.Sequential(cli.model.backbone, cli.model.head)
        macs = count_macs(network, (1, 1, size, size), device="cpu")
        validation, tested, seconds = train_and_test(cli)
        parameters = f"{count_parameters(network):,}"
        yield [
            name,
            parameters,
            f"{macs / 1e6:.2f} M",
            f"{seconds:.0f}",
            f"{validation:.1f}",
            f"{tested:.1f}",
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


def print_table(title: str, head: list[str], rows: Iterator[list[str]], console: Console) -> str:
    """Print rows as they come, then all as a table.

    Args:
        title: of the printed table.
        head: names of the columns.
        rows: yielded while they are measured.
        console: where to print.

    Returns:
        The table as Markdown, without its title.
    """
    shown, lines = Table(title=title), []
    for i, column in enumerate(head):
        shown.add_column(column, justify="right" if i else "left")
    for row in rows:
        console.print(*row, sep="  ")
        shown.add_row(*row)
        lines.append(row)
    console.print(shown)
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in (head, ["---", *["---:"] * (len(head) - 1)], *lines)
    )


PAGE = """# Accuracy of the networks on digits

Made by `make digits`, on {threads} thread(s) of 2 CPU cores. The data: audiocnn/datasets/images/digits.py.

## The small networks

Each is `audiocnn fit --config configs/digits.yaml --model.backbone.name NAME`: {epochs} epochs of the
training images at 32 × 32, shifted at random. Accuracies are those of the last epoch, in percent. One test
image is 0.28: differences below 1 mean little. Seconds are processor time of the training, validations
included. With further arguments:

{arguments}

{networks}

mnasnet_small and mobilenet_small have half of the published blocks. With all of them they reached 95.0 and
97.2, in twice the time: most blocks then work on feature maps of one to four positions.

## Other initialisations, {per_class} labels a class

`lenet5` on {per_class} training images of each class, {few_epochs} epochs of them, otherwise as above;
{seeds} seeds, the labelled images the same in all. Filters and the autoencoder
(configs/digits_autoencoder.yaml, trained once) also use the other training images, without labels.
The initialisations are those of audiocnn/training/callbacks/initialise.py.

{initialisations}
"""


def silence_lightning() -> None:
    """Silence Lightning's warnings about what a training of seconds does not need."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)


def main() -> None:
    """Print the tables and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=[*BASELINES, *list_small_networks()])
    parser.add_argument("--seeds", type=int, default=5, help="of each initialisation")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "digits.md")
    arguments = parser.parse_args()
    silence_lightning()
    console = Console(width=120)
    head = ["network", "parameters", "MACs", "seconds", "validation", "test"]
    scores = print_table("Digits", head, measure_networks(arguments.networks), console)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure_initialisations("lenet5", arguments.seeds, create_initialisations(Path(folder)))
        title = f"{PER_CLASS} labels a class, test"
        few_head = ["initialisation", "mean test accuracy", "standard deviation"]
        few = print_table(title, few_head, rows, console)
    page = PAGE.format(
        threads=torch.get_num_threads(),
        epochs=read_config("digits.yaml")["trainer"]["max_epochs"],
        networks=scores,
        arguments=list_arguments(),
        per_class=PER_CLASS,
        few_epochs=FEW_EPOCHS,
        seeds=arguments.seeds,
        initialisations=few,
    )
    with files.write_atomically(arguments.output) as partial:
        partial.write_text(page)


if __name__ == "__main__":
    main()
