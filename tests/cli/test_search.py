"""`audiocnn search`: real trainings of seconds; a kill, and what is found goes into `audiocnn fit`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from audiocnn.cli import search
from audiocnn.cli.parser import UsageError
from audiocnn.cli.training import CommandLine
from audiocnn.training.search import Cells, Space
from tests.training_warnings import OLD_NAMES, ignore

CONFIG = Path(__file__).parents[2] / "configs" / "search_digits.yaml"
pytestmark = ignore(*OLD_NAMES)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The search of the config with smaller networks, fewer images and less of everything."""
    config = yaml.safe_load(CONFIG.read_text())
    config |= {"output": str(tmp_path / "found"), "candidates": 3, "population": 2, "sample": 1, "epochs": 1}
    config["nodes"] = 1
    config["fit"]["data"]["init_args"] |= {"per_class": 5}
    config["fit"]["model"]["init_args"]["backbone"]["init_args"] |= {"channels": 4, "stacks": 2}
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(config))
    return tmp_path / "search.yaml"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The configs that would be trained, in place of training them."""
    configs: list[dict] = []

    def train(config: dict, monitor: str) -> tuple[float, int]:
        configs.append(config)
        return 1 / len(json.dumps(config)), 7

    monkeypatch.setattr(search, "train", train)
    return configs


@pytest.mark.slow
def test_search_kill_search_and_fit(
    run: Callable[..., SimpleNamespace], small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.parent)
    monkeypatch.setattr(sys, "argv", ["audiocnn"])
    done = run("search", "--config", small)
    assert (done.status, done.err) == (0, [])
    found = small.parent / "found"
    lines = ["1 of 3", "2 of 3", "3 of 3", f"{found}/best.yaml"]
    assert [line.split(":")[0] for line in done.out] == lines
    assert sorted(path.name for path in found.iterdir()) == ["best.yaml", "history.jsonl", "history.png"]
    whole = (found / "history.jsonl").read_bytes()

    lines = whole.splitlines(keepends=True)
    (found / "history.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:9])
    assert run("search", "--config", small).out[0].startswith("2 of 3: ")
    assert (found / "history.jsonl").read_bytes() == whole

    options = ["--trainer.fast_dev_run=true", "--trainer.enable_progress_bar=false"]
    assert run("fit", "--config", found / "best.yaml", *options).status == 0


def test_the_config_of_the_winner_stands(
    run: Callable[..., SimpleNamespace], small: Path, trainings: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("search", "--config", small, "--candidates", 9).status == 0
    assert [config["seed_everything"] for config in trainings] == list(range(9))
    assert all(config["trainer"]["max_epochs"] == 1 for config in trainings)
    best = small.parent / "found" / "best.yaml"
    monkeypatch.setattr(sys, "argv", ["audiocnn", "--config", str(best)])
    cli = CommandLine(run=False)
    candidates = map(json.loads, (small.parent / "found" / "history.jsonl").read_text().splitlines()[1:])
    cells = max(candidates, key=lambda candidate: candidate["score"])["cells"]
    backbone = cli.model.backbone
    assert {name: _listed(backbone.init_args[name]) for name in ("normal", "reduction")} == cells
    assert cli.trainer.max_epochs == 40


def _listed(table: tuple) -> list:
    return [list(row) for row in table]


def test_more_candidates_may_be_asked_for(run, small: Path, trainings: list[dict]) -> None:
    run("search", "--config", small, "--candidates", 2)
    run("search", "--config", small, "--candidates", 5)
    assert len(trainings) == 5
    done = run("search", "--config", small, "--candidates", 5, "--seed", 1)
    assert done.status == 2
    assert "is of a search with another seed; expected the same, or another folder" in done.err[-1]


def test_config_without_a_place_for_cells() -> None:
    with pytest.raises(ValueError, match=r"fit has no .model., expected model\.init_args"):
        search.with_cells({"trainer": {}}, {})


def test_config_of_no_training(small: Path) -> None:
    fit = yaml.safe_load(small.read_text())["fit"]
    cells: Cells = {"normal": [[0, "no such", 1, "identity"]], "reduction": [[0, "identity", 1, "max_3"]]}
    with pytest.raises(UsageError, match="no such"):
        search.train(search.with_cells(fit, cells, **search.BRIEF), "val/accuracy")


def test_operations_of_the_config_are_there() -> None:
    from audiocnn.backbones.cells import OPERATIONS

    space = Space(yaml.safe_load(CONFIG.read_text())["operations"])
    assert set(space.operations) <= set(OPERATIONS)
