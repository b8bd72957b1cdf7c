"""Batch processing of recordings: finding them, naming their output files, progress and failures."""

import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audiocnn import audio, files
from audiocnn.cli import terminal

# Of the sound that `transcribe` writes: song.wav would overwrite the recording.
SOUND_SUFFIX = ".notes.wav"

Progress = Callable[[float], None]  # called with the seconds processed so far
Process = Callable[[Path, dict[str, Path], Progress], str]


@dataclass(frozen=True)
class Job:
    """A recording, and the path of its output files without their suffixes."""

    source: Path
    stem: Path

    def targets(self, suffixes: Mapping[str, str]) -> dict[str, Path]:
        """Return the output file of each format, of which `suffixes` holds the suffix."""
        return {name: self.stem.parent / (self.stem.name + suffix) for name, suffix in suffixes.items()}


def process_files(
    paths: Sequence[Path],
    output: Path | None,
    suffixes: Mapping[str, str],
    overwrite: bool,
    prepare: Callable[[], Process],
) -> int:
    """Process audio files, and all audio files in folders.

    Existing output files are kept. A recording that fails is reported in one line and the others go on.

    Args:
        paths: the files and folders.
        output: folder to write to; beside the recordings when None.
        suffixes: format -> suffix of its files, for the formats to write.
        overwrite: whether existing files are overwritten.
        prepare: called once, if there is something to do; returns the function that processes a recording.
            Its arguments are the recording, format -> file to write, and a progress callback; it returns the
            text to print, to whose first line the names of the written files are appended.

    Returns:
        The exit status.
    """
    jobs, n_failed = find_jobs(paths, output)
    todo = _skip_done(jobs, suffixes, overwrite)
    if todo:
        process = prepare()
        with _show_progress(len(todo)) as start:
            done = [_run(job, targets, process, start) for job, targets in todo.items()]
        n_failed += done.count(False)
    return int(n_failed > 0)


def find_jobs(paths: Sequence[Path], output: Path | None) -> tuple[list[Job], int]:
    """Return a job for each recording, each with its own stem; report paths without one and count them."""
    found, n_failed = _find_recordings(paths, output)
    n_stems = Counter(folder / source.stem for source, folder in found.items())
    jobs: dict[Path, Job] = {}
    for source, folder in found.items():
        stem = folder / (source.stem if n_stems[folder / source.stem] == 1 else source.name)
        first = jobs.setdefault(stem, Job(source, stem)).source
        if first is not source:
            _report(f"{source}: its files would be written where those of {first} are, to {stem}.*")
            n_failed += 1
    return list(jobs.values()), n_failed


def _find_recordings(paths: Sequence[Path], output: Path | None) -> tuple[dict[Path, Path], int]:
    """Return each recording once, with its output folder; and the number of paths without any."""
    found: dict[Path, Path] = {}
    seen, n_failed = set(), 0
    for path in paths:
        try:
            sources = audio.find_recordings(path)
        except files.FileError as error:
            _report(error)
            n_failed += 1
            continue
        for source in sources:
            is_ours = source != path and source.name.endswith(SOUND_SUFFIX)
            if not is_ours and source.resolve() not in seen:
                seen.add(source.resolve())
                below = Path() if source == path else source.parent.relative_to(path)
                found[source] = source.parent if output is None else output / below
    return found, n_failed


def _skip_done(
    jobs: Sequence[Job], suffixes: Mapping[str, str], overwrite: bool
) -> dict[Job, dict[str, Path]]:
    """Return the jobs that are not done, with the files that are still to be written."""
    todo = {}
    for job in jobs:
        targets = job.targets(suffixes)
        missing = {name: path for name, path in targets.items() if overwrite or not path.exists()}
        if missing or not targets:
            todo[job] = missing
        else:
            print(f"{job.source}: already done, see {_list_files(targets)}")
    return todo


def _run(job: Job, targets: dict[str, Path], process: Process, start: Callable[[Path], Progress]) -> bool:
    """Process a recording and report on it; return whether that went well."""
    try:
        for target in targets.values():
            _check_writable(target)
        text, *lines = process(job.source, targets, start(job.source)).splitlines()
    except (files.FileError, OSError, MemoryError, RuntimeError) as error:
        _report(error if isinstance(error, files.FileError) else f"{job.source}: {_describe(error)}")
        return False
    written = f" -> {_list_files(targets)}" if targets else ""
    print(f"{job.source}: {text}{written}", *lines, sep="\n", flush=True)
    return True


def _list_files(targets: Mapping[str, Path]) -> str:
    return " ".join(map(str, targets.values()))


def _describe(error: Exception) -> str:
    """Describe an error that names no file, such as torch's RuntimeError for a lack of memory."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _check_writable(target: Path) -> None:
    """Raise FileError where a file cannot be written, before the work rather than after."""
    folder = next(parent for parent in target.parents if parent.exists())
    if not folder.is_dir():
        raise files.FileError(target, f"{folder} is a file, not a folder")
    if not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise files.FileError(target, f"{folder} cannot be written to")


def _report(line: object) -> None:
    print(line, file=sys.stderr)


@contextmanager
def _show_progress(n_files: int) -> Iterator[Callable[[Path], Progress]]:
    """Show a bar of files and one of seconds; yield what starts the bar of a recording."""
    from rich.progress import TaskProgressColumn, TimeRemainingColumn

    numbers = itertools.count()
    with terminal.create_bar(TaskProgressColumn(), TimeRemainingColumn()) as bar:
        all_files = bar.add_task(f"{n_files} files", total=n_files, visible=n_files > 1)
        one_file = bar.add_task("")

        def start(source: Path) -> Progress:
            bar.update(all_files, completed=next(numbers))
            total_s = None if bar.disable else audio.read_duration_s(source)
            bar.reset(one_file, description=source.name, total=total_s)

            def update(seconds: float) -> None:
                bar.update(one_file, completed=seconds)

            return update

        yield start
