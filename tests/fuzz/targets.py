"""What reads files: functions, and verbs of the command line, with the kinds of files that they read."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from audiocnn.files import FileError
from tests.fuzz import golden

MAX_LINE = 2500  # characters of a message; longer is no message
# What an input did. The first two are as they should be.
RIGHT, REFUSED = "right", "refused"
TRACEBACK, UNCLEAR, MEMORY, CRASH, HANG = "traceback", "unclear", "memory", "crash", "hang"
FAULTS = (TRACEBACK, UNCLEAR, MEMORY, CRASH, HANG)
OUTCOMES = (RIGHT, REFUSED, *FAULTS)


class Outcome(NamedTuple):
    """What an input did, and the words that say so."""

    kind: str
    detail: str = ""


@dataclass(frozen=True)
class Target:
    """What reads a mutated file.

    Args:
        names: of `golden.FILES`, each of which is mutated.
        run: called with the mutated file, in an empty folder with the files of `prepare_folder`.
        share: how many of its inputs come for one of the slowest.
    """

    names: tuple[str, ...]
    run: Callable[[Path], Outcome]
    share: int = 1


def call(read: Callable[[Path], object]) -> Callable[[Path], Outcome]:
    """Call a function, which returns or raises a FileError of one line."""

    def run(path: Path) -> Outcome:
        try:
            read(path)
        except FileError as error:
            return _refused([str(error)])
        except MemoryError as error:
            return Outcome(MEMORY, repr(error))
        except Exception as error:
            return Outcome(TRACEBACK, f"{type(error).__name__}: {error}")
        return Outcome(RIGHT)

    return run


def verb(*words: str, output: str | None = None) -> Callable[[Path], Outcome]:
    """Run a command line with the mutated file for FILE: it does what was asked, or says why not.

    Args:
        words: of the command line.
        output: a file that a status of 0 promises.
    """

    def run(path: Path) -> Outcome:
        from audiocnn.cli import main

        given = [word.replace("FILE", path.name) for word in words]
        with _captured_errors() as lines:
            try:
                status = main(given)
            except SystemExit as stop:
                status = stop.code
            except Exception as error:
                return Outcome(TRACEBACK, f"{type(error).__name__}: {error}")
        if any("traceback" in line.lower() for line in lines):
            return Outcome(TRACEBACK, " / ".join(lines))
        if status == 0:
            written = output is None or (Path(output).is_file() and Path(output).stat().st_size > 0)
            return Outcome(RIGHT) if written else Outcome(UNCLEAR, f"status 0 without {output}")
        return _refused(lines) if status in (1, 2) else Outcome(UNCLEAR, f"status {status}")

    return run


def _refused(lines: list[str]) -> Outcome:
    text = " / ".join(lines)
    if not lines or any(len(line) > MAX_LINE or not line.strip() for line in lines):
        return Outcome(UNCLEAR, text or "no line on the standard error")
    return Outcome(MEMORY if "memory" in text else REFUSED, text)


@contextlib.contextmanager
def _captured_errors() -> Iterator[list[str]]:
    """Drop the standard output, and collect the lines of the standard error, those of C code too."""
    lines: list[str] = []
    kept = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as err, open(os.devnull, "wb") as out:
        try:
            for number, file in enumerate((out, err), start=1):
                os.dup2(file.fileno(), number)
            yield lines
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number, copy in enumerate(kept, start=1):
                os.dup2(copy, number)
                os.close(copy)
            err.seek(0)
            lines += err.read().decode(errors="replace").splitlines()


def prepare_folder() -> Mapping[str, bytes]:
    """Make the files that every input finds beside it."""
    wav = golden.sound("WAV")
    image = golden.image("PNG")
    models = {"tones.safetensors": golden.MODEL.read_bytes(), "clips.safetensors": golden.clip_model()}
    return {"a.wav": wav, "b.wav": wav, "good.png": image, **models}


def _load(path: Path) -> None:
    from audiocnn import audio

    whole = audio.load(path, 16_000)
    assert sum(map(len, audio.read_blocks(path, 16_000, 5000))) == len(whole)
    audio.read_duration_s(path)


def _image(path: Path) -> None:
    from audiocnn import images

    images.read_image(path)


def _midi(path: Path) -> None:
    from audiocnn import midi

    midi.read_midi(path)


def _idx(path: Path) -> None:
    from audiocnn.datasets.images.idx import read_idx

    read_idx(path)


def _find(path: Path) -> None:
    from audiocnn.datasets.clips.finding import find_clips

    find_clips(path)


def _model(path: Path) -> None:
    from audiocnn.models.file import read_model

    read_model(path)


SOUNDS, IMAGES, MODELS = (
    tuple(golden.SOUNDS),
    tuple(golden.IMAGES),
    ("notes.safetensors", "clips.safetensors"),
)
MANIFESTS, REFERENCES = tuple(golden.MANIFESTS), (*golden.TEXT_REFERENCES, "a.mid")
TRANSCRIBE = ("transcribe", "--model", "tones.safetensors", "--formats", "mid", "csv", "--output", "out")
TARGETS: Mapping[str, Target] = {
    "load": Target(SOUNDS, call(_load), 10),
    "read_image": Target(IMAGES, call(_image), 10),
    "read_midi": Target(("a.mid",), call(_midi), 10),
    "read_idx": Target(("a.idx", "idx.gz"), call(_idx), 10),
    "find_clips": Target(MANIFESTS, call(_find), 10),
    "read_model": Target(MODELS, call(_model), 10),
    "transcribe": Target(SOUNDS, verb(*TRANSCRIBE, "FILE"), 4),
    "transcribe --model": Target(
        ("notes.safetensors",), verb("transcribe", "a.wav", "--model", "FILE", output="a.mid"), 4
    ),
    "transcribe --config": Target(("config.yaml",), verb("transcribe", "--config", "FILE"), 4),
    "classify": Target(SOUNDS, verb("classify", "FILE", "--model", "clips.safetensors"), 4),
    "classify --model": Target(("clips.safetensors",), verb("classify", "a.wav", "--model", "FILE"), 4),
    "evaluate notes": Target(
        REFERENCES, verb("evaluate", "notes", "a.wav", "--model", "tones.safetensors"), 4
    ),
    "evaluate genre": Target(MANIFESTS, verb("evaluate", "genre", "FILE", "--model", "clips.safetensors"), 4),
    "data check": Target(MANIFESTS, verb("data", "check", "FILE", "--workers", "0"), 4),
    "explain": Target(
        ("pcm.wav", "a.mp3"), verb("explain", "FILE", "--model", "clips.safetensors", "--top", "1")
    ),
    "stylize": Target(
        IMAGES,
        verb(
            "stylize", "FILE", "--style", "good.png", "--size", "16", "--iterations", "1", "--output", "x.png"
        ),
    ),
    "stylize --style": Target(
        IMAGES,
        verb(
            "stylize", "good.png", "--style", "FILE", "--size", "16", "--iterations", "1", "--output", "x.png"
        ),
    ),
    "export": Target(
        MODELS, verb("export", "copy.safetensors", "--model", "FILE", output="copy.safetensors"), 4
    ),
    "fit --config": Target(
        ("digits.yaml",),
        verb("fit", "--config", "FILE", "--trainer.fast_dev_run", "1"),
    ),
}
