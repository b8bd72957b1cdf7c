"""Mutated files through every reader and verb, in processes of their own, and a tally of what became of them.

    python tests/fuzz/run.py --number 10000 --seed 0

An input is right (read, or the verb did what was asked) or refused (one line on the standard error, status 1
or 2). Everything else is a fault: a traceback, an unclear message, a want of memory, a crash or a hang. Each
is printed with the words that repeat it: `--repeat TARGET FILE NUMBER`.
"""

import argparse
import functools
import itertools
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))  # for `tests`, where this is run as a script
from audiocnn.files import FileWarning
from tests.fuzz import golden
from tests.fuzz.mutate import mutate
from tests.fuzz.targets import CRASH, FAULTS, HANG, OUTCOMES, TARGETS, UNCLEAR, Outcome, prepare_folder

TIMEOUT_S = 60.0  # for one input; the slowest takes 2 s
READY = "ready"  # what a worker sends first
# Modules whose imports take the most time.
VERBS = ("classify", "evaluate", "explain", "stylize", "training", "transcribe")
IMPORTS = ["torch", "lightning.pytorch", "librosa.core.spectrum", *(f"audiocnn.cli.{verb}" for verb in VERBS)]
MAX_MEMORY = 12 << 30  # bytes of address space of a worker; torch alone takes 3 GB of it


Run = Callable[["Input"], Outcome]


class Input(NamedTuple):
    """A mutated file.

    Attributes:
        target: what reads it, of `TARGETS`.
        name: of the golden file that it was.
        number: the seed of its mutations; the file as it was when None.
    """

    target: str
    name: str
    number: int | None

    def __str__(self) -> str:
        return f"--repeat {self.target!r} {self.name} {self.number}"


def list_inputs(number: int, seed: int, targets: Sequence[str] = tuple(TARGETS)) -> Iterator[Input]:
    """Yield inputs, in turn of each target by its share, and of each of its files."""
    turns = [name for name in targets for _ in range(TARGETS[name].share)]
    names = {name: itertools.cycle(TARGETS[name].names) for name in targets}
    for count, target in zip(range(number), itertools.cycle(turns), strict=False):
        yield Input(target, next(names[target]), seed * 1_000_000 + count)


def build(one: Input, files: Mapping[str, bytes]) -> bytes:
    """Return the content of a mutated file."""
    if one.number is None:
        return files[one.name]
    random = np.random.default_rng(
        [zlib.crc32(one.target.encode()), zlib.crc32(one.name.encode()), one.number]
    )
    return mutate(files[one.name], Path(one.name).suffix, random)


def prepare() -> Run:
    """Make the golden files; return what lets a target read a mutated one, in a folder of its own."""
    files = {name: make() for name, make in golden.FILES.items()}
    return functools.partial(_run_input, files=files, beside=prepare_folder())


def _run_input(one: Input, files: Mapping[str, bytes], beside: Mapping[str, bytes]) -> Outcome:
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for name, content in {**beside, one.name: build(one, files)}.items():
                Path(name).write_bytes(content)
            outcome = TARGETS[one.target].run(Path(one.name))
            left = [str(path) for path in Path().rglob("*.partial*")]
            return Outcome(UNCLEAR, f"left {left}") if left else outcome
        finally:
            os.chdir(here)


def _work(pipe: Connection, prepare: Callable[[], Run]) -> None:
    """Run the inputs of a pipe until it closes, and send their outcomes back."""
    import torch

    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    warnings.simplefilter("error", RuntimeWarning)  # of NumPy, which a verb would print
    warnings.simplefilter("ignore", FileWarning)  # what is read in part
    run = prepare()
    pipe.send(READY)
    while True:
        pipe.send(run(pipe.recv()))


class Worker:
    """A process that runs inputs, one at a time, forked from one that has imported what they need.

    Args:
        prepare: called in the process; returns what runs an input.
        timeout_s: of one input.
    """

    def __init__(self, prepare: Callable[[], Run], timeout_s: float) -> None:
        self.timeout_s = timeout_s
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(IMPORTS)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, prepare))
        self.process.start()
        theirs.close()
        assert self.pipe.recv() == READY
        self.input: Input | None = None
        self.started_s = 0.0

    def take_next(self, inputs: Iterator[Input]) -> bool:
        """Begin the next input; return whether there was one."""
        self.input, self.started_s = next(inputs, None), time.monotonic()
        if self.input:
            self.pipe.send(self.input)
        return self.input is not None

    def take(self) -> Outcome | None:
        """Return the outcome of its input; None while it runs."""
        try:
            if self.pipe.poll():
                return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return Outcome(CRASH, f"exit status {self.process.exitcode}")
        is_late = time.monotonic() - self.started_s > self.timeout_s
        return Outcome(HANG, f"over {self.timeout_s:.0f} s") if is_late else None

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run_inputs(
    inputs: Iterator[Input],
    n_workers: int,
    prepare: Callable[[], Run] = prepare,
    timeout_s: float = TIMEOUT_S,
) -> Iterator[tuple[Input, Outcome]]:
    """Run inputs in processes, and yield each with its outcome as it comes.

    Args:
        inputs: what to run.
        n_workers: processes; one that crashes or hangs is replaced.
        prepare: called in each process; returns what runs an input.
        timeout_s: of one input.
    """
    workers = [Worker(prepare, timeout_s) for _ in range(n_workers)]
    try:
        while busy := [worker for worker in workers if worker.input or worker.take_next(inputs)]:
            wait([worker.pipe for worker in busy], timeout=1.0)
            for worker in busy:
                if outcome := worker.take():
                    yield worker.input, outcome
                    worker.input = None
                    if outcome.kind in (CRASH, HANG):
                        worker.stop()
                        workers[workers.index(worker)] = Worker(prepare, timeout_s)
    finally:
        for worker in workers:
            worker.stop()


def format_tally(tallies: Mapping[str, Counter[str]]) -> str:
    """Format a line for each target, and one for their sum: the number of inputs with each outcome."""
    total: Counter[str] = sum(tallies.values(), Counter())
    rows = [("", "inputs", *OUTCOMES)]
    rows += [
        (name, tally.total(), *(tally[kind] for kind in OUTCOMES))
        for name, tally in (*sorted(tallies.items()), ("all", total))
    ]
    return "\n".join(f"{name:22}" + "".join(f"{cell:>10}" for cell in cells) for name, *cells in rows)


def main() -> int:
    """Run the command line of this file; return 1 where there was a fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=10_000, help="inputs")
    parser.add_argument("--seed", type=int, default=0, help="other inputs for another seed")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--repeat", nargs=3, metavar=("TARGET", "FILE", "NUMBER"), help="run one input here")
    given = parser.parse_args()
    if given.repeat:
        print(*prepare()(Input(*given.repeat[:2], int(given.repeat[2]))))
        return 0
    tallies: dict[str, Counter[str]] = {name: Counter() for name in given.targets}
    for one, outcome in run_inputs(list_inputs(given.number, given.seed, given.targets), given.workers):
        tallies[one.target][outcome.kind] += 1
        if outcome.kind in FAULTS:
            print(f"{outcome.kind}: {outcome.detail[:300]}\n    {one}", flush=True)
    print(format_tally(tallies))
    return int(any(tally[kind] for tally in tallies.values() for kind in FAULTS))


if __name__ == "__main__":
    raise SystemExit(main())
