"""The table of networks' costs is up to date, first and fast; latency is measured once."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from audiocnn.backbones import FAMILIES, list_backbones
from audiocnn.blocks.cost import count_macs, count_parameters
from audiocnn.cli import costs
from audiocnn.cli.costs import Input, find_costs, find_latency_ms, measure_costs, read_table

OWN = [name for _, members in FAMILIES.values() for name in members]


def test_the_table_has_every_network() -> None:
    """In the order of the families: `python -m audiocnn.cli.costs` writes it."""
    assert [*read_table()] == OWN
    assert set(OWN) <= set(list_backbones())


@pytest.mark.parametrize("name", OWN)
def test_the_table_is_up_to_date(name: str) -> None:
    with torch.device("meta"):
        backbone, network = Input().create(name)
    known, shape = read_table()[name], Input().shape(backbone)
    assert (known.dims, known.shape, known.parameters) == (backbone.dims, shape, count_parameters(network))
    if name.endswith("_small"):
        assert known.macs == count_macs(network, shape)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("resnet_small", "lenet5", "m5_small") else pytest.mark.slow)
        for name in OWN
        if "small" in name or name == "lenet5"
    ],
)
def test_the_table_is_what_is_measured(name: str) -> None:
    assert measure_costs(name, Input(), None) == read_table()[name] == find_costs(name, Input(), None)


def test_other_inputs_are_measured() -> None:
    wider = find_costs("lenet5", replace(Input(), bins=100), None)
    assert wider.shape == (1, 1, 100, 32) and wider.macs < read_table()["lenet5"].macs
    assert find_costs("lenet5", Input(), 10).parameters > read_table()["lenet5"].parameters


PROGRAM = """
import sys
from audiocnn.cli import main
status = main(["models", *sys.argv[1:]])
raise SystemExit(status or any(name in sys.modules for name in ("torch", "safetensors")))
"""


def test_everything_is_listed_without_pytorch() -> None:
    """Whose import takes seconds: what was computed once stands in tables and headers."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    first = [line.split()[0] for line in done.stdout.splitlines() if line]
    assert {"notes-piano", "genre", "meta", *OWN} <= set(first)
    assert "style transfer, 4 styles" in done.stdout and "style transfer, any style" in done.stdout


def test_latency_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def measure(network: torch.nn.Module, shape: tuple[int, ...]) -> float:
        measured.append(shape)
        return 1.5

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(costs, "measure_latency_ms", measure)
    for _ in range(2):
        assert find_latency_ms("lenet5", Input(), None) == 1.5
    assert measured == [(1, 1, 294, 32)]
    find_latency_ms("lenet5", replace(Input(), frames=40), None)
    assert len(json.loads((tmp_path / "audiocnn" / "latency.json").read_text())) == len(measured) == 2
    for damaged in ("", "[]", '{"x": '):
        (tmp_path / "audiocnn" / "latency.json").write_text(damaged)
        assert find_latency_ms("lenet5", Input(), None) == 1.5
    assert len(measured) == 5
