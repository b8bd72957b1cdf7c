"""The lectures' choices side by side: kinds of convolution, norms and poolings, on instruments.

    make choices

Every row is configs/instrument_choices.yaml with another network, over several seeds. Speed is how many
seconds of sound one thread processes in a second. The table goes to the terminal and to docs/choices.md; rows
that are in runs/choices.json already are not trained again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from networks import CONFIGS, ROOT, create_training, print_table, read_config, silence_lightning
from rich.console import Console
from torch import nn

from audiocnn import files
from audiocnn.blocks.cost import count_macs, count_parameters

WAVEFORM = {"class_path": "audiocnn.frontends.waveform.Waveform", "init_args": {"sample_rate": 16000}}
# What is compared -> the network, by its name and arguments.
CHOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain convolutions (VGG)": ("vgg_small", {}),
    "residual, batch norm, max pooling": ("resnet_small", {}),
    "depthwise separable (MobileNetV2)": ("mobilenet_small", {}),
    "dilated, one dimension (TCN)": ("tcn_small", {"dims": 1, "in_channels": 64}),
    "waveform (M5)": ("m5_small", {"dims": 1}),
    "residual, instance norm": ("resnet_small", {"norm": "instance"}),
    "residual, layer norm": ("resnet_small", {"norm": "layer"}),
    "residual, group norm": ("resnet_small", {"norm": "group"}),
    "residual, average pooling": ("resnet_small", {"pool": "average"}),
    "residual, stochastic pooling": ("resnet_small", {"pool": "stochastic"}),
}
SCORES = ROOT / "runs" / "choices.json"


def create_config(choice: str, seed: int) -> dict[str, Any]:
    """Create the config that `audiocnn fit` would be given.

    Args:
        choice: one of `CHOICES`.
        seed: of the weights and of the crops.
    """
    config = read_config("instrument_choices.yaml")
    config["seed_everything"] = seed
    data = config["data"]["init_args"]
    data["labels"] = str(CONFIGS / data["labels"])  # relative to the config
    data["crops"]["seed"] = seed
    name, arguments = CHOICES[choice]
    model = config["model"]["init_args"]
    model["backbone"] = {
        "class_path": "audiocnn.create_backbone",
        "init_args": {"name": name},
        "dict_kwargs": deepcopy(arguments),
    }
    if name == "m5_small":  # the one network whose input is the waveform: no bands of bins to mask
        model.update(front_end=WAVEFORM, spec_augment=None)
    return config


def train_and_measure(choice: str, seed: int) -> dict[str, float]:
    """Train a network and measure it.

    Args:
        choice: one of `CHOICES`.
        seed: of the weights and of the crops.

    Returns:
        The mean average precision in percent, the parameters, the MACs for a second of sound, and the seconds
        of sound processed in a second.
    """
    cli = create_training(create_config(choice, seed))
    cli.trainer.fit(cli.model, cli.datamodule)
    model = cli.model.eval()
    network = nn.Sequential(model.backbone, model.head)
    window = torch.zeros(1, model.n_window)
    with torch.inference_mode():
        shape = tuple(model.spectrogram(window).shape)
        torch.set_num_threads(1)
        model(window)
        began_s = time.process_time()
        for _ in range(10):
            model(window)
        speed = 10 * model.window_s / (time.process_time() - began_s)
    return {
        "map": 100 * cli.trainer.callback_metrics["val/map"].item(),
        "parameters": count_parameters(network),
        "macs": count_macs(network, shape, device="cpu") / model.window_s,
        "speed": speed,
    }


def measure_choices(choices: list[str], n_seeds: int, console: Console) -> Iterator[list[str]]:
    """Train what is not measured yet and yield a row for each choice; each training is kept once it is done.

    Args:
        choices: some of `CHOICES`.
        n_seeds: trainings of each.
        console: where to print each training.
    """
    scores = json.loads(SCORES.read_text()) if SCORES.exists() else {}
    for choice in choices:
        found = scores.setdefault(choice, {})
        for seed in range(n_seeds):
            if str(seed) not in found:
                found[str(seed)] = train_and_measure(choice, seed)
                with files.write_atomically(SCORES) as partial:
                    partial.write_text(json.dumps(scores, indent=1))
                console.print(choice, seed, found[str(seed)])
        runs = [found[str(seed)] for seed in range(n_seeds)]
        precisions = [run["map"] for run in runs]
        yield [
            choice,
            f"{runs[0]['parameters']:,.0f}",
            f"{runs[0]['macs'] / 1e6:.1f} M",
            f"{max(run['speed'] for run in runs):.0f}",
            f"{mean(precisions):.1f}",
            f"{stdev(precisions):.1f}" if n_seeds > 1 else "",
        ]


PAGE = """# The lectures' choices side by side

Made by `make choices`: configs/instrument_choices.yaml with other networks, {seeds} seeds each. {crops} crops
of 3 s in training; the score is the mean average precision (mAP) on rendered mixes and solos of
a held-out soundfont, in percent, with its standard deviation over seeds. MACs are for a second of sound;
speed is how many seconds of sound one thread processes in a second, front end included.

{table}
"""


def main() -> None:
    """Print the table and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--choices", nargs="+", default=list(CHOICES), choices=CHOICES, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "choices.md")
    arguments = parser.parse_args()
    silence_lightning()
    console = Console(width=120)
    head = ["network", "parameters", "MACs", "speed", "mAP", "standard deviation"]
    rows = measure_choices(arguments.choices, arguments.seeds, console)
    shown = print_table("Instruments", head, rows, console)
    config = read_config("instrument_choices.yaml")
    crops = f"{config['trainer']['max_epochs'] * config['data']['init_args']['crops']['n_crops']:,}"
    with files.write_atomically(arguments.output) as partial:
        partial.write_text(PAGE.format(seeds=arguments.seeds, crops=crops, table=shown))


if __name__ == "__main__":
    main()
