"""`audiocnn search`: a config of `fit`, and what cells are made of -> the config with the best cells."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from audiocnn import files
from audiocnn.training.search import Candidate, Cells, History, Space, best, draw, evolve


def with_cells(fit: dict[str, Any], cells: Cells, **trainer: Any) -> dict[str, Any]:
    """The config whose backbone has these cells, and whose trainer these settings.

    Raises: ValueError when it has no place for them.
    """
    made = deepcopy(fit)
    try:
        made["model"]["init_args"]["backbone"]["init_args"].update(cells)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"fit has no {error}, expected model.init_args.backbone.init_args") from error
    made.setdefault("trainer", {}).update(trainer)
    return made


def train(config: dict[str, Any], monitor: str) -> tuple[float, int]:
    """What the validation of a short training gives, and how many parameters the network has.

    Raises: ValueError when the config stands for no training, or none that logs `monitor`.
    """
    from jsonargparse import ArgumentError
    from lightning import LightningDataModule
    from lightning.pytorch.cli import LightningCLI

    from audiocnn.training.base import Task

    with _quiet():
        try:
            cli = LightningCLI(
                Task,
                LightningDataModule,
                subclass_mode_model=True,
                subclass_mode_data=True,
                save_config_callback=None,
                parser_kwargs={"exit_on_error": False},
                run=False,
                args=config,
            )
        except ArgumentError as error:
            raise ValueError(f"fit is no config of `audiocnn fit`: {error}") from error
        cli.trainer.fit(cli.model, cli.datamodule)
    found = cli.trainer.callback_metrics
    if monitor not in found:
        raise ValueError(f"monitor is {monitor!r}, expected one of {', '.join(sorted(found))}")
    return round(float(found[monitor]), 6), sum(weights.numel() for weights in cli.model.parameters())


@contextmanager
def _quiet() -> Iterator[None]:
    """Within: neither Lightning's news of each training nor its advice on how to have larger ones."""
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


# In a candidate's training: nothing is kept, shown or stopped early.
BRIEF = {
    "logger": False,
    "callbacks": [],
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}


def search(
    output: Path,
    fit: dict,  # plain: of dict[str, Any] jsonargparse makes the objects that it names
    space: Space,
    candidates: int = 60,
    population: int = 16,
    sample: int = 4,
    epochs: int = 3,
    monitor: str = "val/accuracy",
    seed: int = 0,
    tell: Callable[[list[Candidate]], None] = lambda past: None,
) -> Path:
    """The config of the best network found, for `audiocnn fit`, in the folder `output`.

    Beside it are history.jsonl, from which a search that was killed goes on, and history.png. More candidates
    may be asked for later; other settings need another folder.

    Args:
        output: folder for what is found.
        fit: a config of `audiocnn fit`; its backbone's cells are what is searched for.
        space: what cells are made of.
        candidates: networks to train.
        population: how many of the newest may have children.
        sample: how many of them compete to have the next.
        epochs: of each training, in place of what `fit` says.
        monitor: what a training logs that tells how good its network is: the higher, the better.
        seed: of all chance.
        tell: is called with all candidates after each.
    Raises: ValueError when an argument cannot be; FileError when output cannot be read or written.
    """
    settings = {"fit": fit, "space": asdict(space), "epochs": epochs, "monitor": monitor}
    settings |= {"population": population, "sample": sample, "seed": seed}
    history = History(output / "history.jsonl", settings)

    def evaluate(cells: Cells, number: int) -> Candidate:
        config = with_cells(fit, cells, max_epochs=epochs, **BRIEF)
        score, parameters = train({**config, "seed_everything": seed + number}, monitor)
        return Candidate(score, parameters, cells)

    evolve(history, space, evaluate, candidates, population, sample, seed, tell)
    winner = best(history.candidates)
    story = f"{monitor} {winner.score:.4f} after {epochs} epochs, {winner.parameters:,} parameters"
    head = f"# The best of {len(history.candidates)} networks: {story}.\n"
    with files.write_atomically(output / "best.yaml") as partial:
        partial.write_text(head + _yaml(with_cells(fit, winner.cells)))
    with files.write_atomically(output / "history.png") as partial:
        draw(history.candidates, f"{monitor} after {epochs} epochs").savefig(partial, dpi=100)
    return output / "best.yaml"


def _yaml(config: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(config, sort_keys=False, default_flow_style=None, width=100)


def command(verb: str, arguments: list[str]) -> int:
    """Runs a search as a config says, and tells of each candidate."""
    import jsonargparse

    parser = jsonargparse.ArgumentParser(prog=f"audiocnn {verb}", description=search.__doc__)
    parser.add_argument("--config", action="config", help="YAML file of the arguments below")
    parser.add_function_arguments(search, as_group=False, skip={"tell"})
    config = parser.parse_args(arguments)
    config.pop("config")
    given = parser.instantiate(config)
    last_s = time.perf_counter()

    def tell(past: list[Candidate]) -> None:
        nonlocal last_s
        last_s, took_s = time.perf_counter(), time.perf_counter() - last_s
        print(
            f"{len(past)} of {given.candidates}: {past[-1].score:.4f}, {past[-1].parameters:,} parameters, "
            f"{took_s:.1f} s; best {best(past).score:.4f}",
            flush=True,
        )

    try:
        print(f"{search(**given, tell=tell)}: the best; train it with `audiocnn fit --config`")
    except ValueError as error:
        parser.error(str(error))
    return 0
