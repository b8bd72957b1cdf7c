"""Trainings of many networks with one config, and their table.

Seconds are processor time, which on a busy machine depends less on the other processes than elapsed time.
"""

import logging
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from torch import nn

from audiocnn import create_backbone, list_backbones
from audiocnn.blocks.cost import count_macs, count_parameters
from audiocnn.cli.training import CommandLine

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
QUIET = {"logger": False, "callbacks": [], "enable_checkpointing": False, "enable_progress_bar": False}
HEAD = ["network", "parameters", "MACs", "seconds", "validation", "test"]
Arguments = Mapping[str, Mapping[str, Any]]  # of networks, by their names


@dataclass(frozen=True)
class Scores:
    """What a network costs, and what it reaches.

    Attributes:
        name: of the network.
        parameters: with its classifier.
        macs: multiply-accumulates for an image.
        seconds: processor time of its training.
        validation: accuracy of the validation images, in percent.
        test: accuracy of the test images, in percent.
    """

    name: str
    parameters: int
    macs: int
    seconds: float
    validation: float
    test: float

    @property
    def cells(self) -> list[str]:
        """The row of a table, under `HEAD`."""
        numbers = (f"{self.seconds:.0f}", f"{self.validation:.1f}", f"{self.test:.1f}")
        return [self.name, f"{self.parameters:,}", f"{self.macs / 1e6:.2f} M", *numbers]


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


def list_arguments(arguments: Arguments) -> str:
    """List the arguments of networks besides their names, as Markdown."""
    lines = []
    for name, own in arguments.items():
        changes = (f"--model.backbone.dict_kwargs.{key} {value}" for key, value in own.items())
        lines.append(f"- {name}: `{' '.join(changes)}`")
    return "\n".join(lines)


def measure_networks(
    config_name: str, names: Iterable[str], arguments: Arguments, epochs: int | None = None
) -> Iterator[Scores]:
    """Train each network, all on the same data, which are read once.

    Args:
        config_name: of the config, whose network is replaced.
        names: names of backbones.
        arguments: of some of them.
        epochs: of each training; the config's when None.

    Yields:
        What each costs and reaches.
    """
    data = None
    for name in names:
        config = read_config(config_name)
        config["trainer"]["max_epochs"] = epochs or config["trainer"]["max_epochs"]
        config["model"]["init_args"]["backbone"] = {
            "class_path": "audiocnn.create_backbone",
            "init_args": {"name": name},
            "dict_kwargs": dict(arguments.get(name, {})),
        }
        cli = create_training(config)
        cli.datamodule = data = data or cli.datamodule
        network = nn.Sequential(cli.model.backbone, cli.model.head)
        macs = count_macs(network, (1, data.channels, data.size, data.size), device="cpu")
        validation, tested, seconds = train_and_test(cli)
        yield Scores(name, count_parameters(network), macs, seconds, validation, tested)


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


def print_scores(title: str, measured: Iterable[Scores], console: Console) -> tuple[str, list[Scores]]:
    """Print what networks cost and reach, each as it is known.

    Args:
        title: of the printed table.
        measured: of `measure_networks`.
        console: where to print.

    Returns:
        The table as Markdown, and its rows.
    """
    scores: list[Scores] = []

    def rows() -> Iterator[list[str]]:
        for one in measured:
            scores.append(one)
            yield one.cells

    return print_table(title, HEAD, rows(), console), scores


def silence_lightning() -> None:
    """Silence Lightning's warnings about what a training of seconds does not need."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
