"""`audiocnn search`: a config of `fit`, and a space of cells -> the config with the best cells."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import yaml

from audiocnn import files, plots
from audiocnn.cli import interrupts, terminal
from audiocnn.cli.parser import OptionGroup, usage_errors
from audiocnn.ranges import ArgumentError
from audiocnn.training.search import Candidate, Cells, History, Space, choose_best, evolve, plot_search

# Trainer settings of a candidate: no logs, checkpoints, progress bars or early stopping.
BRIEF = {
    "logger": False,
    "callbacks": [],
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}


def search(
    *,
    output: Path,
    fit: dict,
    candidates: int = 60,
    population: int = 16,
    sample: int = 4,
    epochs: int = 3,
    monitor: str = "val/accuracy",
    seed: int = 0,
    **space: Annotated[Any, OptionGroup(Space, "space of the cells")],
) -> int:
    """Search for the best network by evolving its cells, each candidate trained for a few epochs.

    Writes to the output folder best.yaml, a config of `audiocnn fit`, history.jsonl, from which an
    interrupted search resumes, and history.png. More candidates can be added later; other settings need
    another folder. The arguments are best given in a config file, as in the shipped search_digits.

    Args:
        output: folder for the results.
        fit: config of `audiocnn fit`, whose backbone is built from the cells.
        candidates: number of networks to train.
        population: size of the population: the newest candidates, which may be parents.
        sample: tournament size: candidates drawn from the population, the best of which is the next parent.
        epochs: epochs of each training, in place of those of `fit`.
        monitor: logged metric that is the score of a network; higher is better.
        seed: seed of all random numbers.
        **space: the fields of `Space`.

    Returns:
        The exit status.
    """
    settings = {
        "epochs": epochs,
        "monitor": monitor,
        "population": population,
        "sample": sample,
        "seed": seed,
    }

    def evaluate(cells: Cells, number: int) -> Candidate:
        config = with_cells(fit, cells, max_epochs=epochs, **BRIEF)
        score, parameters = train({**config, "seed_everything": seed + number}, monitor)
        return Candidate(score, parameters, cells)

    with usage_errors(), interrupts.raised():
        cell_space = Space(**space)
        history = History(output / "history.jsonl", {"fit": fit, "space": asdict(cell_space), **settings})
        evolve(history, cell_space, evaluate, candidates, population, sample, seed, _printer(candidates))
        best = _write(history.candidates, fit, output, monitor, epochs)
    terminal.tell(f"{best}: the best; train it with `audiocnn fit --config {best}`")
    return 0


def _printer(n_candidates: int) -> Callable[[list[Candidate]], None]:
    """Return what prints the newest of all candidates so far."""
    last_s = time.perf_counter()

    def print_newest(past: list[Candidate]) -> None:
        nonlocal last_s
        last_s, took_s = time.perf_counter(), time.perf_counter() - last_s
        print(
            f"{len(past)} of {n_candidates}: {past[-1].score:.4f}, {past[-1].parameters:,} parameters, "
            f"{took_s:.1f} s; best {choose_best(past).score:.4f}",
            flush=True,
        )

    return print_newest


def _write(past: list[Candidate], fit: dict[str, Any], output: Path, monitor: str, epochs: int) -> Path:
    """Write the config of the best candidate and the plot of all."""
    winner = choose_best(past)
    summary = f"{monitor} {winner.score:.4f} after {epochs} epochs, {winner.parameters:,} parameters"
    config = yaml.safe_dump(
        with_cells(fit, winner.cells), sort_keys=False, default_flow_style=None, width=100
    )
    with files.write_atomically(output / "best.yaml") as partial:
        partial.write_text(f"# The best of {len(past)} networks: {summary}.\n{config}")
    plots.save_figure(plot_search(past, f"{monitor} after {epochs} epochs"), output / "history.png")
    return output / "best.yaml"


def with_cells(fit: dict[str, Any], cells: Cells, **trainer: Any) -> dict[str, Any]:
    """Return a config with the cells of its backbone and settings of its trainer replaced.

    Args:
        fit: the config.
        cells: cells of the backbone.
        trainer: arguments of the trainer.

    Raises:
        ArgumentError: the config has no arguments of a backbone.
    """
    changed = deepcopy(fit)
    try:
        changed["model"]["init_args"]["backbone"]["init_args"].update(cells)
    except (KeyError, TypeError, AttributeError) as error:
        raise ArgumentError(f"fit has no {error}, expected model.init_args.backbone.init_args") from error
    changed.setdefault("trainer", {}).update(trainer)
    return changed


def train(config: dict[str, Any], monitor: str) -> tuple[float, int]:
    """Train a network.

    Args:
        config: config of `audiocnn fit`.
        monitor: logged metric that is its score.

    Returns:
        The score, and the number of parameters.

    Raises:
        ArgumentError: the config is invalid, or its task logs no such metric.
    """
    import jsonargparse

    from audiocnn.cli.training import CommandLine

    with _quiet():
        try:
            strict = {"exit_on_error": False}
            cli = CommandLine(run=False, args=config, save_config_callback=None, parser_kwargs=strict)
        except jsonargparse.ArgumentError as error:
            raise ArgumentError(f"fit is no config of `audiocnn fit`: {error}") from error
        cli.trainer.fit(cli.model, cli.datamodule)
    found = cli.trainer.callback_metrics
    if monitor not in found:
        raise ArgumentError(f"monitor is {monitor!r}, expected one of {', '.join(sorted(found))}")
    return round(float(found[monitor]), 6), sum(weights.numel() for weights in cli.model.parameters())


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Lightning's messages and warnings about each training."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
