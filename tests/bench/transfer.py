"""Transfer from ImageNet to six kinds of photographs: accuracy against the number of training pictures.

    python tests/bench/transfer.py data/cache/scenes

Two regimes: the head alone is trained, on features of the frozen backbone that are computed once; or, by
configs/photo_transfer.yaml, head and backbone, which thaws from its last stage to its first. Images are drawn
anew for each seed. Each result is a line of runs/transfer.jsonl as soon as it is there; a second run goes on
after the last. The table goes to docs/transfer.md, the curve to docs/transfer.png.
"""

import argparse
import json
import math
import random
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import lightning
import torch
import yaml
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from audiocnn import create_backbone, files, plots
from audiocnn.cli.training import CommandLine
from audiocnn.datasets.images.folder import ImageFolderDataModule, read_squares
from audiocnn.training.image import ImageTask

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "runs" / "transfer.jsonl"
SIZE = 128  # pixels of a side, of 150 that the pictures have: a third of the time of 224
PER_CLASS = (2, 5, 17, 50, 167)  # 12 to 1,002 pictures of six kinds
N_TEST = 100  # of each kind
N_STEPS, MIN_EPOCHS = 80, 6
HEAD_STEPS = 300
BATCH_SIZE = 16
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "limit_val_batches": 0,
}
REGIMES = {"head": "head alone", "unfreeze": "head and backbone"}


def read_pictures(folder: Path, n: int, seed: int) -> TensorDataset:
    """Read pictures of each class, drawn at random.

    Args:
        folder: has a folder for each class.
        n: pictures of each class.
        seed: of the draw.

    Returns:
        Bytes (pictures, 3, SIZE, SIZE) and classes (pictures,).
    """
    draw = random.Random(seed)
    kinds = sorted(one for one in folder.iterdir() if one.is_dir())
    paths = [path for kind in kinds for path in draw.sample(sorted(kind.glob("*.jpg")), n)]
    squares, numbers, errors = read_squares(paths, SIZE)
    assert not errors, errors
    return TensorDataset(squares, torch.arange(len(kinds)).repeat_interleave(n)[numbers])


def read_config() -> dict[str, Any]:
    """Read configs/photo_transfer.yaml."""
    return yaml.safe_load((ROOT / "configs" / "photo_transfer.yaml").read_text())


def compute_features(pictures: TensorDataset) -> TensorDataset:
    """Compute the mean of each channel of the frozen backbone, (pictures, channels, 1, 1).

    Args:
        pictures: as of `read_pictures`.
    """
    backbone = create_backbone("efficientnet_lite0", pretrained=True).eval()
    arguments = read_config()["model"]["init_args"]
    offset, scale = (torch.tensor(arguments[name]).view(3, 1, 1) for name in ("mean", "std"))
    squares, classes = pictures.tensors
    with torch.inference_mode():
        batches = [
            backbone((one / 255 - offset) / scale).mean((2, 3), keepdim=True) for one in squares.split(50)
        ]
    return TensorDataset(torch.cat(batches).clone(), classes)


def train_head(train: TensorDataset, test: TensorDataset) -> float:
    """Train a linear head on features; return its accuracy on the test pictures.

    Args:
        train: as of `compute_features`.
        test: the same of the test pictures.
    """
    n_channels, n_classes = train.tensors[0].shape[1], len(train.tensors[1].unique())
    backbone = create_backbone("linear", in_channels=n_channels, size=(1, 1))
    task = ImageTask(backbone, n_classes, label_smoothing=0.1, learning_rate=0.01)
    batch_size = min(BATCH_SIZE, len(train))
    loader = DataLoader(train, batch_size, shuffle=True, drop_last=True)
    trainer = lightning.Trainer(accelerator="cpu", max_steps=HEAD_STEPS, **QUIET)
    trainer.fit(task, loader)
    return score(task, test.tensors[0], test.tensors[1])


def train_all(folder: Path, train: TensorDataset, test: TensorDataset) -> float:
    """Train head and backbone by configs/photo_transfer.yaml; return the accuracy on the test pictures.

    Args:
        folder: of the pictures.
        train: as of `read_pictures`.
        test: the same.
    """
    config = deepcopy(read_config())
    batch_size = min(BATCH_SIZE, len(train))
    n_epochs = max(MIN_EPOCHS, math.ceil(N_STEPS / (len(train) // batch_size)))
    callbacks = config["trainer"]["callbacks"][1:]  # without checkpoints
    callbacks[0]["init_args"]["epochs_per_stage"] = max(1, n_epochs // 18)  # all nine by half of the training
    config["trainer"].update(QUIET, max_epochs=n_epochs, callbacks=callbacks)
    config["model"]["init_args"]["size"] = SIZE
    config["data"]["init_args"].update(path=str(folder), batch_size=batch_size, shift=8)
    cli = CommandLine(save_config_callback=None, run=False, args=config)
    assert isinstance(cli.datamodule, ImageFolderDataModule)
    cli.datamodule.sets = {"train": train, "validation": test, "test": test}
    cli.trainer.fit(cli.model, cli.datamodule)
    return score(cli.model, test.tensors[0] / 255, test.tensors[1])


def score(task: torch.nn.Module, inputs: Tensor, classes: Tensor) -> float:
    """Compute a task's accuracy in percent."""
    task.eval()
    with torch.inference_mode():
        predicted = torch.cat([task(one).argmax(1) for one in inputs.split(50)])
    return 100 * (predicted == classes).double().mean().item()


def measure(folder: Path, seeds: Sequence[int], regimes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Train in each regime with each number of pictures, as far as that is not done yet.

    Args:
        folder: has train/ and test/.
        seeds: of the pictures drawn, of the shuffling and the head.
        regimes: of `REGIMES`.
    """
    done = {(one["regime"], one["n"], one["seed"]) for one in read_results()}
    test = read_pictures(folder / "test", N_TEST, seed=0)
    test_features = compute_features(test)
    for seed in seeds:
        for regime in regimes:
            for n in PER_CLASS:
                if (regime, 6 * n, seed) in done:
                    continue
                train = read_pictures(folder / "train", n, seed)
                lightning.seed_everything(seed, verbose=False)
                if regime == "head":
                    accuracy = train_head(compute_features(train), test_features)
                else:
                    accuracy = train_all(folder, train, test)
                yield {"regime": regime, "n": len(train), "seed": seed, "accuracy": accuracy}


def read_results() -> list[dict[str, Any]]:
    """Read what is measured so far."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return [json.loads(line) for line in lines]


def plot(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot the curves: the mean over seeds, and each seed as a point.

    Args:
        results: as of `read_results`.
        path: PNG file to write.
    """
    figure, (axes,) = plots.make_figure(7, 4)
    for (regime, name), colour in zip(REGIMES.items(), plots.COLOURS, strict=False):
        of_regime = [one for one in results if one["regime"] == regime]
        counts = sorted({one["n"] for one in of_regime})
        means = [mean(one["accuracy"] for one in of_regime if one["n"] == n) for n in counts]
        axes.plot(counts, means, color=colour, label=name)
        axes.scatter(
            [one["n"] for one in of_regime], [one["accuracy"] for one in of_regime], color=colour, s=14
        )
    axes.set(xscale="log", xlabel="training images, of six kinds", ylabel="accuracy (%)")
    ticks = [6 * n for n in PER_CLASS]
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower right")
    plots.plot_grid(axes)
    plots.save_figure(figure, path)


def tabulate(results: Sequence[dict[str, Any]]) -> str:
    """Format the means over seeds, and their standard deviations, as Markdown."""
    lines = [f"| images | {' | '.join(REGIMES.values())} |", "|---:|---:|---:|"]
    for n in (6 * n for n in PER_CLASS):
        cells = []
        for regime in REGIMES:
            found = [one["accuracy"] for one in results if one["n"] == n and one["regime"] == regime]
            spread = f" ± {stdev(found):.1f}" if len(found) > 1 else ""
            cells.append(f"{mean(found):.1f}{spread}" if found else "–")
        lines.append(f"| {n:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, and write table and curve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="has train/ and test/, each with a folder for each kind")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=[*REGIMES])
    arguments = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    for result in measure(arguments.folder, arguments.seeds, arguments.regimes):
        print(result, flush=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps(result) + "\n")
    results = read_results()
    table = tabulate(results)
    print(table)
    plot(results, ROOT / "docs" / "transfer.png")
    page = ROOT / "docs" / "transfer.md"
    if page.exists():
        head, mark, _ = page.read_text().partition("<!-- table -->\n")
        with files.write_atomically(page) as partial:
            partial.write_text(f"{head}{mark}{table}\n")


if __name__ == "__main__":
    main()
