"""Each verb that writes, killed at many moments, with a full disk, and twice at once on one folder.

Its outputs are whole or absent each time, and the next run completes.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from audiocnn import images
from audiocnn.cli import VERBS
from tests.faults.commands import COMMANDS, READERS, prepare_folder
from tests.faults.runs import N_KILLS, SIGNALS, SIZES, Run, find_outputs

SCRIPT = Path(__file__).with_name("runs.py")
# Logs grow; a config has the words of its run, a checkpoint its date.
VARYING = (".jsonl", ".csv", ".ckpt", "config.yaml")
DAILY = "classify"  # the quickest of those that stage their outputs
rarely = pytest.mark.skipif("KILLS" not in os.environ, reason="takes minutes: `make fuzz` runs it")


def each_verb(*others: pytest.MarkDecorator) -> pytest.MarkDecorator:
    """Run a test for each verb; all but one are marked slow, and as told."""
    marks = {verb: [] if verb == DAILY else [pytest.mark.slow, *others] for verb in COMMANDS}
    marks |= {verb: [pytest.mark.slow, rarely] for verb, command in COMMANDS.items() if command.needs}
    return pytest.mark.parametrize("verb", [pytest.param(verb, marks=marks[verb]) for verb in COMMANDS])


def test_every_verb_is_tried_or_writes_nothing() -> None:
    assert {*COMMANDS, *READERS} == set(VERBS)


@pytest.fixture(scope="session")
def server() -> Iterator[subprocess.Popen]:
    """The process that disturbs verbs; what it imports serves all of them."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, str(SCRIPT)], text=True, **pipes) as process:
        yield process
        process.kill()


@pytest.fixture
def disturb(tmp_path: Path, server: subprocess.Popen) -> Callable[[str, str], list[Run]]:
    """Runs a verb in one of the ways of runs.py, and checks all that holds however it was disturbed."""

    def disturb(verb: str, how: str) -> list[Run]:
        for need in COMMANDS[verb].needs:
            if not (shutil.which(need) or Path(need).exists()):
                pytest.skip(f"needs {need}")
        prepare_folder(tmp_path / "inputs")
        print(json.dumps([str(tmp_path), verb, how]), file=server.stdin, flush=True)
        answer = json.loads(server.stdout.readline())
        assert isinstance(answer, list), answer
        first, second, *others = [Run(**fields) for fields in answer]
        _check(first, second, others)
        return others

    return disturb


def _check(first: Run, second: Run, others: list[Run]) -> None:
    whole, again = (find_outputs(Path(run.folder)) for run in (first, second))
    assert (first.status, second.status) == (0, 0) and whole and whole.keys() == again.keys()
    same = {name for name in whole if whole[name].read_bytes() == again[name].read_bytes()}
    same -= {name for name in same if name.endswith(VARYING)}
    for run in others:
        folder = Path(run.folder)
        log = folder.with_name(f"{folder.name}.log").read_text(errors="replace")
        assert "Traceback" not in log and "traceback" not in log, log
        left, completed = find_outputs(folder.with_name(f"{folder.name}.left")), find_outputs(folder)
        for name, path in [*left.items(), *completed.items()]:
            if ".partial" not in name:
                good = path.read_bytes() == whole[name].read_bytes() if name in same else is_whole(path)
                assert good, f"{path} is torn\n{log}"
        assert run.status == 0 or left.keys() == whole.keys(), log  # some refuse what is there already
        assert completed.keys() == whole.keys(), log


WHOLE = {
    ".ckpt": lambda path: torch.load(path, weights_only=True),
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    ".png": lambda path: images.read_image(path).pixels.any(),
    ".yaml": lambda path: yaml.safe_load(path.read_text()),
}


def is_whole(path: Path) -> bool:
    """Whether a file whose content differs from run to run can be read to its end."""
    return bool(WHOLE[path.suffix](path) if path.suffix in WHOLE else path.stat().st_size)


@each_verb()
def test_killed_at_any_moment(disturb: Callable[[str, str], list[Run]], verb: str) -> None:
    others = disturb(verb, "killed")
    assert len(others) == N_KILLS
    assert sum(run.disturbed == [-9] for run in others) >= N_KILLS // 2


@each_verb(rarely)
def test_ended_by_a_signal(disturb: Callable[[str, str], list[Run]], verb: str) -> None:
    others = disturb(verb, "ended")
    wanted = [128 + number for number in SIGNALS for _ in range(2)]  # soon, and in the middle
    # Before the program minds signals, the system ends it: its status is then minus the signal's number.
    statuses = [128 - status if status < 0 else status for run in others for status in run.disturbed]
    assert [status or want for status, want in zip(statuses, wanted, strict=True)] == wanted
    assert any(statuses)
    for run in others:
        left = find_outputs(Path(f"{run.folder}.left"))
        assert not [name for name in left if ".partial" in name]


@each_verb(rarely)
def test_on_a_full_disk(disturb: Callable[[str, str], list[Run]], verb: str) -> None:
    others = disturb(verb, "full")
    assert len(others) == len(SIZES)
    assert all(run.disturbed == [1] for run in others)


@each_verb(rarely)
def test_two_processes_on_one_folder(disturb: Callable[[str, str], list[Run]], verb: str) -> None:
    (run,) = disturb(verb, "two")
    assert run.disturbed == [0, 0] or sorted(run.disturbed) == [0, 1]
