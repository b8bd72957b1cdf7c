"""`audiocnn transcribe`: recordings in, notes out, beside them or in a folder of the same shape."""

import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from audiocnn import audio, files
from audiocnn.cli.arguments import UsageError, checked, task_of

if TYPE_CHECKING:
    from audiocnn.listen import Transcription
    from audiocnn.tasks.model import NotesModel

Format = Literal["mid", "csv", "json", "jams", "npz", "png", "wav"]
SOUND_SUFFIX = ".notes.wav"  # beside song.wav there is no place for another song.wav

Start = Callable[[Path], Callable[[float], None]]


def transcribe(
    paths: Sequence[Path],
    model: str = "notes-piano",
    formats: Sequence[Format] = ("mid",),
    output: Path | None = None,
    tempo: float | None = None,
    quantise: bool = False,
    pitch_bend: bool = False,
    whole: bool = False,
    batch_size: int = 1,
    device: str = "cpu",
    overwrite: bool = False,
    **knobs: float,
) -> int:
    """Writes the notes of audio files, and of all audio files in folders.

    song.mp3 gives song.mid, song.csv and so on; where one folder has song.wav and song.mp3, they give
    song.wav.mid and song.mp3.mid. The format wav gives song.notes.wav, with the recording on the left and its
    notes on the right; such files are passed over in folders. What is there already stays. A file that cannot
    be read or written is told in one line and the others go on; the exit status is then 1.

    Args:
        paths: audio files, and folders to search for them.
        model: a model's name (see `audiocnn models`) or file.
        formats: what to write, of mid, csv, json, jams, npz (raw scores), png and wav.
        output: folder to write to, with the subfolders of the folders searched; without it, what is written
            stands beside the recordings.
        tempo: quarters a minute of the MIDI file; without it, found from the notes.
        quantise: moves the notes of the MIDI file to sixteenths of the tempo.
        pitch_bend: writes bends to the MIDI file.
        whole: runs the network once over a recording instead of in blocks: the same notes for more memory.
        batch_size: blocks of sound in one run of the network.
        device: what the network runs on, such as cpu or cuda.
        overwrite: writes anew what is there already.
    """
    _check(tempo, batch_size)
    jobs, n_failed = plan(paths, output)
    todo = _open(jobs, formats, overwrite)
    if todo:
        task, decoding = task_of(model, device, knobs)
        how = {"decoding": decoding, "whole": whole, "batch_size": batch_size, "device": device}
        midi = {"tempo": tempo, "quantise": quantise, "pitch_bend": pitch_bend}
        with progress(len(todo)) as start:
            done = [_done(job, wanted, start, task, how, midi) for job, wanted in todo.items()]
        n_failed += done.count(False)
    return int(n_failed > 0)


def _check(tempo: float | None, batch_size: int) -> None:
    from audiocnn.formats.tempo import check_tempo

    if batch_size < 1:
        raise UsageError(f"batch_size is {batch_size}, expected 1 or more")
    if tempo is not None:
        with checked():
            check_tempo(tempo)


@dataclass(frozen=True)
class Job:
    """A recording, and the path of its notes without a format's suffix."""

    source: Path
    stem: Path

    def target(self, name: str) -> Path:
        """The file of a format."""
        return self.stem.with_name(self.stem.name + (SOUND_SUFFIX if name == "wav" else f".{name}"))

    def listed(self, names: Sequence[str]) -> str:
        """The files of some formats."""
        return " ".join(str(self.target(name)) for name in names)


def plan(paths: Sequence[Path], output: Path | None) -> tuple[list[Job], int]:
    """A job for each recording, no two with one stem, and how many could not have one; those it tells."""
    found, n_failed = _find(paths, output)
    n_stems = Counter(folder / source.stem for source, folder in found.items())
    jobs: dict[Path, Job] = {}
    for source, folder in found.items():
        stem = folder / (source.stem if n_stems[folder / source.stem] == 1 else source.name)
        first = jobs.setdefault(stem, Job(source, stem)).source
        if first is not source:
            _tell(f"{source}: its notes would be written where those of {first} are, to {stem}.*")
            n_failed += 1
    return list(jobs.values()), n_failed


def _find(paths: Sequence[Path], output: Path | None) -> tuple[dict[Path, Path], int]:
    """Each recording once, with the folder its notes go to; and how many paths have none."""
    found: dict[Path, Path] = {}
    seen, n_failed = set(), 0
    for path in paths:
        try:
            sources = audio.find(path)
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


def _open(jobs: Sequence[Job], formats: Sequence[str], overwrite: bool) -> dict[Job, list[str]]:
    """The jobs that are not done, with the formats that are still to be written."""
    todo = {}
    for job in jobs:
        wanted = [name for name in formats if overwrite or not job.target(name).exists()]
        if wanted:
            todo[job] = wanted
        else:
            print(f"{job.source}: done already, see {job.listed(formats)}")
    return todo


def _done(
    job: Job, wanted: list[str], start: Start, task: "NotesModel", how: dict[str, Any], midi: dict[str, Any]
) -> bool:
    """Tells whether a recording was heard and its notes written, and says so or why not."""
    from audiocnn import listen

    try:
        _check_writable(job.target(wanted[0]))
        hearing = start(job.source)
        heard = listen.transcribe(job.source, task, keep_scores="npz" in wanted, progress=hearing, **how)
        for name in wanted:
            _write(heard, name, job.target(name), midi)
    except (files.FileError, OSError, MemoryError, RuntimeError) as error:
        _tell(error if isinstance(error, files.FileError) else f"{job.source}: {_reason(error)}")
        return False
    print(f"{job.source}: {len(heard.notes)} notes -> {job.listed(wanted)}", flush=True)
    return True


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


def _write(heard: "Transcription", name: str, target: Path, midi: dict[str, Any]) -> None:
    if name == "mid":
        heard.to_midi(target, **midi)
    else:
        getattr(heard, f"to_{name}")(target)


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
            bar.update(all_files, completed=next(numbers))
            total_s = None if bar.disable else audio.duration_s(source)
            bar.reset(one_file, description=source.name, total=total_s)
            return lambda seconds: bar.update(one_file, completed=seconds)

        yield start
