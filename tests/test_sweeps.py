"""A sweep's parameters are arguments of its training, and its metric is what the training is judged by."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint

from audiocnn.cli.training import CommandLine
from tests.training_warnings import OLD_NAMES, ignore

ROOT = Path(__file__).parents[1]
SWEEPS = sorted((ROOT / "configs").glob("sweep_*.yaml"))
pytestmark = ignore(OLD_NAMES[0])


def last(parameter: dict[str, Any]) -> Any:
    return parameter["values"][-1] if "values" in parameter else parameter["max"]


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.stem)
def test_sweep(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = yaml.safe_load(sweep.read_text())
    program, verb, *fixed, args = said["command"]
    assert (said["program"], program, verb, args) == ("audiocnn", "${program}", "fit", "${args}")
    drawn = {name: last(parameter) for name, parameter in said["parameters"].items()}
    monkeypatch.chdir(ROOT)
    # As wandb writes them: --NAME=VALUE.
    given = [*fixed, *(f"--{name}={value}" for name, value in drawn.items())]
    if "folder" in sweep.stem:
        given.append("--data.labels=[jazz,rock]")  # for which else the clips would be read
    monkeypatch.setattr(sys, "argv", ["audiocnn", *given])
    cli = CommandLine(run=False)
    for name, value in drawn.items():
        part, *path = name.split(".")
        found = cli.config[part]
        for key in path:  # of a class's arguments, or of a group of options
            found = found["init_args"][key] if "init_args" in found else found[key]
        assert found == value, name
    monitored = [c.monitor for c in cli.trainer.callbacks if isinstance(c, ModelCheckpoint)]
    assert said["metric"]["name"] in monitored
