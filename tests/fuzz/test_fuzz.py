"""Mutated files through every reader and verb: read, or refused in a line. `make fuzz` runs ten thousand."""

import os
import time
from collections import Counter

import numpy as np

from tests.fuzz import golden
from tests.fuzz.mutate import WAYS, mutate
from tests.fuzz.run import Input, Run, format_tally, list_inputs, run_inputs
from tests.fuzz.targets import CRASH, FAULTS, HANG, RIGHT, TARGETS, call

NUMBER = 120  # a few seconds


def test_mutated_files_are_read_or_refused() -> None:
    done = list(run_inputs(list_inputs(NUMBER, seed=0), n_workers=1))
    assert len(done) == NUMBER
    faults = [f"{kind}: {detail}\n    {one}" for one, (kind, detail) in done if kind in FAULTS]
    assert not faults, "\n".join(["python tests/fuzz/run.py", *faults])


def test_whole_files_are_read() -> None:
    inputs = [Input(target, name, None) for target, one in TARGETS.items() for name in one.names[: one.share]]
    done = list(run_inputs(iter(inputs), n_workers=1))
    assert len(done) == len(inputs)
    assert [(str(one), outcome) for one, outcome in done if outcome.kind != RIGHT] == []


def test_every_target_and_file_has_its_turn() -> None:
    inputs = list(list_inputs(2_000, seed=0))
    assert {(one.target, one.name) for one in inputs} == {
        (name, file) for name, target in TARGETS.items() for file in target.names
    }
    assert {one.name for one in inputs} == set(golden.FILES)


def test_mutations_are_the_same_for_the_same_seed() -> None:
    content = golden.manifest()
    first, second, other = (mutate(content, ".csv", np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_mutations_damage_most_files() -> None:
    for name, make in golden.FILES.items():
        content, suffix = make(), name[name.rindex(".") :]
        damaged = [mutate(content, suffix, np.random.default_rng(seed)) for seed in range(20)]
        assert sum(one != content for one in damaged) > 10, (name, suffix in WAYS)


def plant() -> Run:
    """Faults on purpose, by the number of the input."""
    faults = (lambda path: None, lambda path: os.abort(), lambda path: time.sleep(60), lambda path: 1 / 0)
    return lambda one: call(faults[one.number])(one.name)


def test_faults_are_found_and_the_others_go_on() -> None:
    inputs = [Input("planted", "file", number) for number in (0, 1, 0, 2, 3, 0)]
    done = [outcome.kind for _, outcome in run_inputs(iter(inputs), 1, plant, timeout_s=4.0)]
    assert done == [RIGHT, CRASH, RIGHT, HANG, "traceback", RIGHT]


def test_tally() -> None:
    table = format_tally({"load": Counter({RIGHT: 2, HANG: 1})})
    assert [line.split() for line in table.splitlines()][1:] == [
        ["load", "3", "2", "0", "0", "0", "0", "0", "1"],
        ["all", "3", "2", "0", "0", "0", "0", "0", "1"],
    ]
