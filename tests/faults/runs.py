"""Run a command line over and over, killed, with a full disk, or twice at once, and once more after each.

    python tests/faults/runs.py FOLDER VERB kill | full | two

Each run is a process forked from this one, which has run the command line once and so imported what it
needs, in a copy of FOLDER/inputs; FOLDER/00 and 01 are of undisturbed runs. Prints a JSON list of what became
of each run, see `Run`.
"""

import json
import os
import re
import resource
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # for `tests`, where this is run as a script
from tests.faults.commands import COMMANDS

N_KILLS = int(os.environ.get("KILLS", "4"))  # 20 in `make fuzz`
RECORDS = ".audiocnn"  # folders of what is known of outputs
CHANGING = re.compile(r"[0-9a-f]{16}|[-0-9]{10}_[-0-9]{8}(_\d+)?")  # hashes of paths, dates of trainings
SIZES = (0.1, 0.9)  # of the largest output, beyond which no file can grow


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
    """A command line in a forked process.

    Args:
        folder: that it runs in; what it prints is added to FOLDER.log when it has ended.
        words: the command line.
        max_bytes: size beyond which no file can grow, as if the disk were full.
    """

    folder: Path
    words: list[str]
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        self.printed, writer = os.pipe()  # not a file, whose size would be limited too
        self.number = os.fork()
        if self.number:
            os.close(writer)
            return
        status = 99
        try:
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            if self.max_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.max_bytes, self.max_bytes))
            status = run_here(self.folder, self.words)
        finally:
            os._exit(status)

    def wait(self) -> int:
        """Wait for its end; return its exit status, -9 when killed."""
        with (
            open(self.printed, "rb") as printed,
            open(self.folder.with_name(f"{self.folder.name}.log"), "ab") as log,
        ):
            shutil.copyfileobj(printed, log)
        return os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])


def run_here(folder: Path, words: list[str]) -> int:
    """Run a command line in this process; return its exit status."""
    from audiocnn import files
    from audiocnn.cli import main

    files._swept.clear()  # what is remembered of this name of another folder
    os.chdir(folder)
    try:
        return main(words)
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

    def undisturbed(self) -> tuple[Run, float]:
        """Run; return what became of it, and the seconds it took."""
        folder, began_s = self._next(), time.monotonic()
        status = Process(folder, self.words).wait()
        return Run(str(folder), [], status), time.monotonic() - began_s

    def killed(self, after_s: float) -> Run:
        """Run and kill, then run again."""
        folder = self._next()
        process = Process(folder, self.words)
        time.sleep(after_s)
        os.kill(process.number, signal.SIGKILL)
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


def main(top: Path, verb: str, how: str) -> None:
    """Run undisturbed twice, then disturbed; print what became of it."""
    import torch

    torch.set_num_threads(1)
    out = os.dup(1)
    os.dup2(2, 1)
    runs = Runs(top, verb)
    (first, first_s), (second, second_s) = runs.undisturbed(), runs.undisturbed()
    if how == "kill":
        others = [runs.killed(min(first_s, second_s) * (number + 0.5) / N_KILLS) for number in range(N_KILLS)]
    elif how == "full":
        size = max(path.stat().st_size for path in find_outputs(Path(first.folder)).values())
        others = [runs.full(round(share * size)) for share in SIZES]
    else:
        others = [runs.two()]
    os.write(out, json.dumps([asdict(run) for run in (first, second, *others)]).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
