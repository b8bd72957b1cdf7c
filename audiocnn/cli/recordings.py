"""The recordings that a verb hears: which they are, what is written where, what stays, and how it is told."""

import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audiocnn import audio, files
from audiocnn.cli import interrupts

SOUND_SUFFIX = (
    ".notes.wav"  # of what transcribe writes: beside song.wav there is no place for another song.wav
)

Progress = Callable[[float], None]
Start = Callable[[Path], Progress]
Hear = Callable[[Path, dict[str, Path], Progress], str]


def hear(
    paths: Sequence[Path],
    output: Path | None,
    suffixes: Mapping[str, str],
    overwrite: bool,
    ready: Callable[[], Hear],
) -> int:
    """Hears audio files, and all audio files in folders; gives the exit status.

    What is there already stays. A recording that fails is told in one line and the others go on. Ctrl-C is
    held from block to block and from file to file.

    Args:
        suffixes: format -> how the names of its files end, for the formats to write.
        ready: called when there is something to do, it gives what hears one recording: that takes the
            recording, format -> file for what it is to write, and whom to tell the seconds heard so far; it
            gives what is to be said, whose first line the names of the files follow.
    """
    jobs, n_failed = plan(paths, output)
    todo = _open(jobs, suffixes, overwrite)
    if todo:
        with interrupts.held():
            one = ready()
            with progress(len(todo)) as start:
                done = [_done(job, targets, start, one) for job, targets in todo.items()]
        n_failed += done.count(False)
    return int(n_failed > 0)


@dataclass(frozen=True)
class Job:
    """A recording, and the path of what is written of it without a format's suffix."""

    source: Path
    stem: Path

    def targets(self, suffixes: Mapping[str, str]) -> dict[str, Path]:
        """The file of each format."""
        return {name: self.stem.parent / (self.stem.name + suffix) for name, suffix in suffixes.items()}


def plan(paths: Sequence[Path], output: Path | None) -> tuple[list[Job], int]:
    """A job for each recording, no two with one stem, and how many could not have one; those it tells."""
    found, n_failed = _find(paths, output)
    n_stems = Counter(folder / source.stem for source, folder in found.items())
    jobs: dict[Path, Job] = {}
    for source, folder in found.items():
        stem = folder / (source.stem if n_stems[folder / source.stem] == 1 else source.name)
        first = jobs.setdefault(stem, Job(source, stem)).source
        if first is not source:
            _tell(f"{source}: its files would be written where those of {first} are, to {stem}.*")
            n_failed += 1
    return list(jobs.values()), n_failed


def _find(paths: Sequence[Path], output: Path | None) -> tuple[dict[Path, Path], int]:
    """Each recording once, with the folder its files go to; and how many paths have none."""
    found: dict[Path, Path] = {}
    seen, n_failed = set(), 0
    for path in paths:
        try:
            sources = audio.find_recordings(path)
        except files.FileError as error:
            _tell(error)
            n_failed += 1
            continue
        for source in sources:
            ours = source != path and source.name.endswith(SOUND_SUFFIX)
            if not ours and source.resolve() not in seen:
                seen.add(source.resolve())
                below = Path() if source == path else source.parent.relative_to(path)
                found[source] = source.parent if output is None else output / below
    return found, n_failed


def _open(jobs: Sequence[Job], suffixes: Mapping[str, str], overwrite: bool) -> dict[Job, dict[str, Path]]:
    """The jobs that are not done, with the files that are still to be written."""
    todo = {}
    for job in jobs:
        targets = job.targets(suffixes)
        wanted = {name: path for name, path in targets.items() if overwrite or not path.exists()}
        if wanted or not targets:
            todo[job] = wanted
        else:
            print(f"{job.source}: done already, see {_listed(targets)}")
    return todo


def _done(job: Job, targets: dict[str, Path], start: Start, one: Hear) -> bool:
    """Tells whether a recording was heard and its files written, and says so or why not."""
    try:
        for target in targets.values():
            _check_writable(target)
        said, *lines = one(job.source, targets, start(job.source)).splitlines()
    except (files.FileError, OSError, MemoryError, RuntimeError) as error:
        _tell(error if isinstance(error, files.FileError) else f"{job.source}: {_reason(error)}")
        return False
    written = f" -> {_listed(targets)}" if targets else ""
    print(f"{job.source}: {said}{written}", *lines, sep="\n", flush=True)
    return True


def _listed(targets: Mapping[str, Path]) -> str:
    return " ".join(map(str, targets.values()))


def _reason(error: Exception) -> str:
    """Why a recording failed, where no file is to blame; torch tells of too little memory by RuntimeError."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _check_writable(target: Path) -> None:
    """Raises FileError where nothing can be written: better told before an hour of listening than after."""
    folder = next(parent for parent in target.parents if parent.exists())
    if not folder.is_dir():
        raise files.FileError(target, f"{folder} is a file, not a folder")
    if not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise files.FileError(target, f"{folder} cannot be written to")


def _tell(line: object) -> None:
    print(line, file=sys.stderr)


@contextmanager
def progress(n_files: int) -> Iterator[Start]:
    """A bar of files and of seconds heard, on the standard error where that is a terminal.

    It gives a function that starts a recording, and gives a function that is told the seconds heard so far.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console, numbers = Console(stderr=True), itertools.count()
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn()]
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        all_files = bar.add_task(f"{n_files} files", total=n_files, visible=n_files > 1)
        one_file = bar.add_task("")

        def start(source: Path) -> Callable[[float], None]:
            interrupts.check()
            bar.update(all_files, completed=next(numbers))
            total_s = None if bar.disable else audio.read_duration_s(source)
            bar.reset(one_file, description=source.name, total=total_s)

            def tell(seconds: float) -> None:
                interrupts.check()
                bar.update(one_file, completed=seconds)

            return tell

        yield start
