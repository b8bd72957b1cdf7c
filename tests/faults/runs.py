"""Run command lines over and over, killed, with a full disk, or twice at once, and once more after each.

    echo '["FOLDER", "VERB", "killed"]' | python tests/faults/runs.py

This process imports what the verbs need and waits for requests, of a line each. For each it forks one
that runs the command line once, and is forked in turn for each further run: nothing is imported again. Each
run has a copy of FOLDER/inputs; FOLDER/00 and 01 are of undisturbed runs. The answer is a line too: a JSON
list of what became of each run, see `Run`, or the text of an error.
"""

import contextlib
import json
import os
import re
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).parents[2]))  # for `tests`, where this is run as a script
from tests.faults.commands import COMMANDS

N_KILLS = int(os.environ.get("KILLS", "4"))  # 20 in `make fuzz`
TIMEOUT_S = 180  # of a run; beyond it something hangs
RECORDS = ".audiocnn"  # folders of what is known of outputs
CHANGING = re.compile(r"[0-9a-f]{16}|[-0-9]{10}_[-0-9]{8}(_\d+)?")  # hashes of paths, dates of trainings
SIZES = (0.1, 0.9)  # of the largest output, beyond which no file can grow
# Python's audit events of a folder that changes, with where their arguments have its paths.
CHANGES = {"open": 0, "os.mkdir": 0, "os.remove": 0, "os.rename": 1, "os.rmdir": 0}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)  # that end a run
SOON_S = 0.1  # after the start
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class Run:
    """What became of a run.

    Args:
        folder: that it ran in.
        disturbed: exit statuses of the run that was killed or had no space, or of the two at once.
        status: exit status of the run after it, or of the undisturbed one.
    """

    folder: str
    disturbed: list[int]
    status: int


@dataclass
class Process:
    """The program in a forked process, with a process group of its own, as a shell would start it.

    Args:
        folder: that it runs in; what it prints is added to FOLDER.log when it has ended.
        words: the command line.
        max_bytes: size beyond which no file can grow, as if the disk were full.
        change: number of the change of the folder at which it sends itself a signal, counted from 1.
        sent: that signal; Ctrl-C is sent to its process group.
    """

    folder: Path
    words: list[str]
    max_bytes: int | None = None
    change: int | None = None
    sent: signal.Signals = signal.SIGKILL

    def __post_init__(self) -> None:
        self.printed, writer = os.pipe()  # not a file, whose size would be limited too
        self.output, output = os.pipe()
        self.number = os.fork()
        if self.number:
            os.close(writer)
            os.close(output)
            os.setpgid(self.number, 0)
            return
        status = 99
        try:
            os.setpgid(0, 0)  # by both, since either may be the first to need it
            os.dup2(output, 1)
            os.dup2(writer, 2)
            for descriptor in (self.output, self.printed, output, writer):
                os.close(descriptor)
            status = self._run()
        finally:
            os._exit(status)

    def _run(self) -> int:
        """Run in the forked process, and write down the seconds until each change of the folder."""
        times_s = watch_changes(self.folder, self.change, self.sent)
        if self.max_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.max_bytes, self.max_bytes))
        status = run_here(self.folder, self.words, is_program=True)
        with contextlib.suppress(OSError):  # beyond the limit
            self.folder.with_name(f"{self.folder.name}.changes").write_text(json.dumps(times_s))
        return status

    def close_output(self) -> None:
        """Close its standard output, as `head` does."""
        os.close(self.output)
        self.output = os.open(os.devnull, os.O_RDONLY)

    def wait(self) -> int:
        """Wait for its end, and that of all that it started; return its exit status, -9 when killed.

        Raises:
            TimeoutError: something of it does not end.
        """
        is_late = False

        def kill_all(*_: object) -> None:
            nonlocal is_late
            is_late = True
            os.killpg(self.number, signal.SIGKILL)

        signal.signal(signal.SIGALRM, kill_all)
        signal.alarm(TIMEOUT_S)
        with open(self.folder.with_name(f"{self.folder.name}.log"), "ab") as log:
            drain({self.output, self.printed}, log)
        status = os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])
        signal.alarm(0)
        if is_late:
            raise TimeoutError(f"{' '.join(self.words)}: something of it has not ended after {TIMEOUT_S} s")
        return status


def drain(descriptors: set[int], log: BinaryIO) -> None:
    """Copy what comes out of pipes to a file, until they are closed at their other end."""
    while descriptors:
        for descriptor in select.select(descriptors, [], [])[0]:
            content = os.read(descriptor, 1 << 16)
            log.write(content)
            if not content:
                os.close(descriptor)
                descriptors.remove(descriptor)


def watch_changes(folder: Path, chosen: int | None, number: signal.Signals) -> list[float]:
    """Watch this process change a folder, and send it a signal just before a change.

    Args:
        folder: with the folders in it.
        chosen: number of that change, counted from 1; none when None.
        number: of the signal.

    Returns:
        The seconds until each change so far; it grows. Changes by C code are not seen.
    """
    began_s, times_s = time.monotonic(), []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or (event == "open" and not arguments[2] & WRITING):
            return
        path = arguments[CHANGES[event]]
        if isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(f"{folder}/"):
            times_s.append(time.monotonic() - began_s)
            if len(times_s) == chosen:
                send(os.getpid(), number)

    sys.addaudithook(watch)
    return times_s


def send(process: int, number: signal.Signals) -> None:
    """Send a signal as it comes: Ctrl-C to all that the process started, others to it alone."""
    (os.killpg if number == signal.SIGINT else os.kill)(process, number)


def run_here(folder: Path, words: list[str], is_program: bool = False) -> int:
    """Run a command line in this process; return its exit status.

    Args:
        folder: to run in.
        words: the command line.
        is_program: whether standard streams and signals are taken care of, as by the program.
    """
    from audiocnn import files
    from audiocnn.cli import main

    files._swept.clear()  # what is remembered of this name of another folder
    os.chdir(folder)
    sys.argv[1:] = words
    try:
        return main(None if is_program else words)
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def find_outputs(folder: Path) -> dict[str, Path]:
    """Find the files of a run that were not among its inputs, by their path in it, without records."""
    inputs = folder.parent / "inputs"
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        CHANGING.sub("*", str(name)): path
        for name, path in found.items()
        if not (inputs / name).exists() and RECORDS not in name.parts
    }


class Runs:
    """The runs of a command line.

    Args:
        top: folder of the inputs, in which each run has a folder.
        verb: of `COMMANDS`.
    """

    def __init__(self, top: Path, verb: str) -> None:
        self.top, command = top, COMMANDS[verb]
        self.words, self.next_words = command.words.split(), f"{command.words} {command.last}".split()
        self.count = 0
        run_here(self.copy("warm"), self.words)

    def copy(self, name: str) -> Path:
        """Copy the inputs."""
        return Path(shutil.copytree(self.top / "inputs", self.top / name, symlinks=True))

    def undisturbed(self) -> tuple[Run, list[float]]:
        """Run; return what became of it, and the seconds until each change of the folder, and to the end."""
        folder, began_s = self._next(), time.monotonic()
        run = Run(str(folder), [], Process(folder, self.words).wait())
        took_s = time.monotonic() - began_s
        return run, [*json.loads(folder.with_name(f"{folder.name}.changes").read_text()), took_s]

    def stopped(self, number: signal.Signals, change: int | None = None, after_s: float = 0.0) -> Run:
        """Run and send a signal at a change of the folder, or after a time; then run again.

        SIGPIPE stands for an output that nobody reads any more.
        """
        folder = self._next()
        process = Process(folder, self.words, change=change, sent=number)
        if change is None:
            time.sleep(after_s)
            if number == signal.SIGPIPE:
                process.close_output()
            else:
                send(process.number, number)
        return self._again(folder, [process.wait()])

    def full(self, max_bytes: int) -> Run:
        """Run where no file can grow beyond a size, then run again."""
        folder = self._next()
        return self._again(folder, [Process(folder, self.words, max_bytes).wait()])

    def two(self) -> Run:
        """Run twice at once, then run again."""
        folder = self._next()
        processes = [Process(folder, self.words) for _ in range(2)]
        return self._again(folder, [process.wait() for process in processes])

    def _next(self) -> Path:
        self.count += 1
        return self.copy(f"{self.count - 1:02}")

    def _again(self, folder: Path, disturbed: list[int]) -> Run:
        """Keep a copy of what was left, and run again."""
        shutil.copytree(folder, folder.with_name(f"{folder.name}.left"), symlinks=True)
        return Run(str(folder), disturbed, Process(folder, self.next_words).wait())


def kill(runs: Runs, times_s: list[float]) -> list[Run]:
    """Kill runs in turn at a change of the folder, and at a time from the first change to the end."""
    first_s, end_s = times_s[0], times_s[-1]
    shares = [(number + 0.5) / N_KILLS for number in range(N_KILLS)]
    moments = [
        {"after_s": first_s + share * (end_s - first_s)}
        if number % 2
        else {"change": 1 + int(share * (len(times_s) - 1))}
        for number, share in enumerate(shares)
    ]
    return [runs.stopped(signal.SIGKILL, **moment) for moment in moments]


def fill(runs: Runs, times_s: list[float]) -> list[Run]:
    """Limit the size of files to shares of the largest output's."""
    size = max(path.stat().st_size for path in find_outputs(runs.top / "00").values())
    return [runs.full(round(share * size)) for share in SIZES]


def end(runs: Runs, times_s: list[float]) -> list[Run]:
    """End runs by each signal: soon after the start, and at the change of the folder in the middle."""
    soon, middle = {"after_s": min(SOON_S, times_s[-1] / 4)}, {"change": len(times_s) // 2}
    in_time = {"after_s": times_s[-1] / 2}
    return [
        runs.stopped(number, **moment)
        for number in SIGNALS
        for moment in (soon, in_time if number == signal.SIGPIPE else middle)
    ]


def double(runs: Runs, times_s: list[float]) -> list[Run]:
    return [runs.two()]


WAYS: Mapping[str, Callable[[Runs, list[float]], list[Run]]] = {
    "killed": kill,
    "ended": end,
    "full": fill,
    "two": double,
}


def answer(top: Path, verb: str, how: str) -> object:
    """Run undisturbed twice, then disturbed; return what became of each run, or the text of an error."""
    try:
        runs = Runs(top, verb)
        (first, _), (second, times_s) = runs.undisturbed(), runs.undisturbed()
        return [asdict(run) for run in (first, second, *WAYS[how](runs, times_s))]
    except Exception:
        return traceback.format_exc()


def serve(request: str, answers: int) -> None:
    """Answer a request in a forked process, which what its runs leave in memory ends with."""
    number = os.fork()
    if not number:
        top, verb, how = json.loads(request)
        os.write(answers, json.dumps(answer(Path(top), verb, how)).encode() + b"\n")
        os._exit(0)
    if status := os.waitpid(number, 0)[1]:
        os.write(answers, json.dumps(f"ended with {status}").encode() + b"\n")


def main() -> None:
    """Import what the verbs need, and answer requests until there are no more."""
    import torch

    from audiocnn.cli import VERBS, find_function, training  # noqa: F401

    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGHUP):  # which a shell's background and nohup ignore
        signal.signal(number, signal.SIG_DFL)
    for verb in VERBS:
        find_function(verb)
    answers = os.dup(1)
    os.dup2(2, 1)
    for request in sys.stdin:
        serve(request, answers)


if __name__ == "__main__":
    main()
