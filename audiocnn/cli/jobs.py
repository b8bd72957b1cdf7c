"""Batch processing: finding the inputs, naming their outputs, what is done already, progress and failures."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from audiocnn import audio, files, inputs, records
from audiocnn.cli import errors, terminal
from audiocnn.cli.parser import UsageError
from audiocnn.cli.staging import Output, Work, describe_replaced, is_done, read_content, stage

Process = Callable[[Work], str]
Start = Callable[[int, Path], Callable[..., None]]
AGAIN = "--overwrite does it again"


@dataclass(frozen=True)
class Job:
    """An input, the folder of its outputs, and their names there by format."""

    source: Path
    folder: Path
    names: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What is done with each input.

    Attributes:
        outputs: the formats to write.
        process: makes the outputs of one input, and returns the text to print, to whose first line the names
            of the written files are appended.
        output: folder to write to, with the subfolders of the folders searched; beside the inputs when None.
        overwrite: whether outputs are made again, also in the place of files that audiocnn did not write.
        find: finds the inputs at a path.
        others: further inputs, which are not to be overwritten either.
        measure: an input -> its length, for the progress bar; None where it is not known.
    """

    outputs: Mapping[str, Output]
    process: Process
    output: Path | None = None
    overwrite: bool = False
    find: Callable[[Path], inputs.Found] = audio.find_recordings
    others: Sequence[Path] = ()
    measure: Callable[[Path], float | None] = audio.read_duration_s


def process_files(paths: Sequence[Path], batch: Batch) -> int:
    """Process files, and all files of their kind in folders.

    What is there already, made from the same input by the same model with the same options, is not made
    again; files of others are kept. An input that fails is reported in one line and the others go on.

    Args:
        paths: the files and folders.
        batch: what is done with each.

    Returns:
        The exit status.
    """
    jobs, n_failed = find_jobs(paths, batch)
    protected = files.identify([*(job.source for job in jobs), *batch.others])
    with _show_progress(len(jobs), batch.measure) as start:
        done = [_run(number, job, batch, protected, start) for number, job in enumerate(jobs)]
    return int(n_failed + done.count(False) > 0)


def find_jobs(paths: Sequence[Path], batch: Batch) -> tuple[list[Job], int]:
    """Return a job for each input, each with its own outputs, and the number of paths that cannot be read."""
    found, n_failed = _find_inputs(paths, batch)
    if batch.output is not None:
        found = _separate(found, batch.output, batch.outputs)
    first = {source: (folder, *_name(batch.outputs, source.stem, source)) for source, folder in found.items()}
    counts, taken, jobs = Counter(first.values()), set(), []
    for source, folder in found.items():
        names = _choose_names(source, folder, batch.outputs, counts[first[source]] > 1, taken)
        taken |= set(_list_outputs(folder, names))
        jobs.append(Job(source, folder, dict(zip(batch.outputs, names, strict=True))))
    return jobs, n_failed


def _find_inputs(paths: Sequence[Path], batch: Batch) -> tuple[dict[Path, Path], int]:
    """Return each input once, with the folder of its outputs; and the number of what cannot be read."""
    found: dict[Path, Path] = {}
    seen: dict[str, Path] = {}
    n_failed = 0
    for path in paths:
        try:
            here = batch.find(path)
        except files.FileError as error:
            terminal.report(error)
            n_failed += 1
            continue
        report_found(path, here)
        n_failed += len(here.unreadable)
        for source in here:
            first = seen.setdefault(os.path.realpath(source), source)
            if first is source:
                below = Path() if source == path else source.parent.relative_to(path)
                found[source] = source.parent if batch.output is None else batch.output / below
            elif os.path.abspath(first) != os.path.abspath(source):
                terminal.report(f"{source}: is the same file as {first}, which is processed once")
    return found, n_failed


def report_found(path: Path, found: inputs.Found) -> None:
    """Report what was passed over in a folder, and what could not be read there.

    Args:
        path: the folder.
        found: what was found in it.
    """
    if skipped := found.describe_skipped():
        terminal.report(f"{path}: {skipped}")
    for error in found.unreadable:
        terminal.report(error)


def _separate(found: dict[Path, Path], output: Path, outputs: Mapping[str, Output]) -> dict[Path, Path]:
    """Give inputs from several folders that would share an output the folders below their common one."""
    groups = defaultdict(list)
    for source, folder in found.items():
        groups[folder, *_name(outputs, source.stem, source)].append(source)
    separate = dict(found)
    for sources in groups.values():
        folders = [os.path.abspath(source.parent) for source in sources]
        if outputs and len(set(folders)) > 1:
            common = os.path.commonpath(folders)
            pairs = zip(sources, folders, strict=True)
            separate |= {source: output / os.path.relpath(folder, common) for source, folder in pairs}
    return separate


def _choose_names(
    source: Path, folder: Path, outputs: Mapping[str, Output], is_shared: bool, taken: set[Path]
) -> tuple[str, ...]:
    """Choose names that no other input's outputs have: song.mid, else song.wav.mid, else song.wav.2.mid."""
    before, number = None, 0
    while True:
        stem = (source.stem, source.name)[number] if number < 2 else f"{source.name}.{number}"
        names = _name(outputs, stem, source)
        places = _list_outputs(folder, names)
        is_free = all(_is_free(place, source, is_shared and number == 0) for place in places)
        if (is_free and taken.isdisjoint(places)) or names == before:
            return names
        before, number = names, number + 1


def _is_free(place: Path, source: Path, is_shared: bool) -> bool:
    """Say whether a place is not another input's; one that is shared must already be this input's."""
    record = records.read(place) if os.path.lexists(place) else None
    if record is None:
        return not is_shared
    return record.compare_source(source, place.parent) != "other"


def _name(outputs: Mapping[str, Output], stem: str, source: Path) -> tuple[str, ...]:
    return tuple(output.name_file(stem, source) for output in outputs.values())


def _list_outputs(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the outputs of these names, which are folders where they lie in one."""
    return [folder / Path(name).parts[0] for name in names]


def _run(number: int, job: Job, batch: Batch, protected: set[tuple[int, int]], start: Start) -> bool:
    """Process an input and report on it; return whether all was done that was asked."""
    try:
        todo, is_kept = _select(job, batch, protected)
        if todo or not job.names:
            check = partial(files.check_writable, protected=protected)
            lines = _process(job, todo, batch, check, start(number, job.source))
        else:
            lines = [] if is_kept else [f"{job.source}: already done, see {_list(job, job.names)} ({AGAIN})"]
    except UsageError:
        raise
    except Exception as error:
        is_clear = isinstance(error, files.FileError)
        terminal.report(error if is_clear else f"{job.source}: {errors.describe(error)}")
        return False
    terminal.tell(*lines)
    return not is_kept


def _process(
    job: Job,
    todo: Mapping[str, str],
    batch: Batch,
    check: Callable[[Path], None],
    update: Callable[..., None],
) -> list[str]:
    """Make the outputs of an input; return the lines to print."""
    content = read_content(job.source) if todo else None  # before the work, during which it may change
    places = zip(_list_outputs(job.folder, todo.values()), todo, strict=True)
    replaced = describe_replaced((place, batch.outputs[name].made_by) for place, name in places)
    with stage(job.folder, bool(todo)) as staging:
        work = Work(
            job.source, content, job.folder, staging, todo, batch.outputs, batch.overwrite, check, update
        )
        text, *lines = batch.process(work).split("\n")
        work.publish_all()
    said = f"{job.source}: {text}" if text else str(job.source)
    written = f" -> {_list(job, todo)}" if todo else ""
    return [f"{said}{written}{f' ({replaced})' if replaced else ''}", *lines]


def _select(job: Job, batch: Batch, protected: set[tuple[int, int]]) -> tuple[dict[str, str], bool]:
    """Return the names that are still to be written, and whether others are kept that are not ours."""
    todo, is_kept = {}, False
    for name, file in job.names.items():
        place = job.folder / file
        try:
            files.check_writable(place, protected)
            output = job.folder / Path(file).parts[0]
            if batch.overwrite or not is_done(output, job.source, batch.outputs[name].made_by):
                todo[name] = file
        except files.FileError as error:
            terminal.report(error)
            is_kept = True
    return todo, is_kept


def _list(job: Job, names: Mapping[str, str]) -> str:
    return " ".join(str(job.folder / name) for name in names.values())


@contextmanager
def _show_progress(n_files: int, measure: Callable[[Path], float | None]) -> Iterator[Start]:
    """Show a bar of files and one of seconds or steps; yield what starts the bar of an input."""
    from rich.progress import TaskProgressColumn, TimeRemainingColumn

    with terminal.create_bar(TaskProgressColumn(), TimeRemainingColumn()) as bar:
        all_files = bar.add_task(f"{n_files} files", total=n_files, visible=n_files > 1)
        one_file = bar.add_task("")

        def start(number: int, source: Path) -> Callable[..., None]:
            bar.update(all_files, completed=number)
            name = files.printable(source.name)
            bar.reset(one_file, description=name, total=None if bar.disable else measure(source))

            def update(done: float, total: float | None = None, note: str = "") -> None:
                bar.update(one_file, completed=done, total=total, description=f"{name} {note}".rstrip())

            return update

        yield start
