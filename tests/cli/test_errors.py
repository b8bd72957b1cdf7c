"""Whatever is raised in a verb ends in one line and a status, in all verbs alike."""

import errno
import re
import signal
import tempfile
import warnings
from pathlib import Path

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from audiocnn import cli, files
from audiocnn.cli import VERBS, errors
from audiocnn.cli.parser import UsageError
from audiocnn.files import FileError


def too_much() -> None:
    torch.empty(2**60, dtype=torch.uint8)


RAISED = [
    (FileError("song.wav", "damaged"), 1, "song.wav: damaged"),
    (UsageError("top is 0, expected 1 or more"), 2, "top is 0, expected 1 or more (see audiocnn {} --help)"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "a"), 1, "a: No such file or directory"),
    (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
    (MemoryError(), 1, "not enough memory"),
    (MisconfigurationException("No training batch.\nSee above."), 1, "No training batch. See above."),
    (ModuleNotFoundError("needs mirdata: pip install it"), 1, "needs mirdata: pip install it"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (errors.Stopped(signal.SIGTERM), 143, "terminated"),
    (errors.Stopped(signal.SIGHUP), 129, ""),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
]


def raising(error: BaseException):
    def function(*_: object, **__: object) -> int:
        raise error

    return function


@pytest.mark.parametrize("verb", VERBS)
def test_of_every_verb(run, verb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a verb raises, wherever it does, is one line and a status: here in place of its parser."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    errors._traceback_file.cache_clear()
    for error, status, line in (*RAISED, (KeyError("gone"), 1, "KeyError: 'gone' (traceback in {})")):
        monkeypatch.setattr(cli, "_run", raising(error))
        done = run(*verb.split())
        assert (done.status, done.out) == (status, []), error
        own = line.format(verb if status == 2 else next(tmp_path.glob("*.traceback.txt"), ""))
        is_bare = status > 2 or isinstance(error, FileError)
        assert "\n".join(done.err) == (own if is_bare else f"audiocnn {verb}: {own}")
    errors._traceback_file.cache_clear()


def test_torch_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        too_much()
    assert errors.describe(caught.value) == "not enough memory"


def test_tracebacks_of_one_process_are_in_one_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    errors._traceback_file.cache_clear()
    for name in ("first", "second\x1b[2J"):
        try:
            raise LookupError(f"{name}\n" + "x" * 1000)
        except LookupError as error:
            line = errors.describe(error)
        assert re.fullmatch(r"LookupError: [\w\\\[ ]+ \(traceback in .*\.traceback\.txt\)", line)
        assert len(line) < 500
    [path] = tmp_path.iterdir()
    text = path.read_text()
    assert text.count("Traceback") == 2 and "in test_tracebacks_of_one_process" in text
    assert path.stat().st_mode & 0o077 == 0
    errors._traceback_file.cache_clear()


def test_no_folder_for_the_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    errors._traceback_file.cache_clear()
    line = errors.describe(ZeroDivisionError("division by zero"))
    reason = "its traceback cannot be written: No such file or directory"
    assert line == f"ZeroDivisionError: division by zero ({reason})"


def test_a_warning_about_a_file_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with errors.show_warnings():
        for _ in range(2):  # a file that is read twice
            files.warn("a\nb.mid", ["2 notes\tare guessed", "4 are not read"])
    assert capsys.readouterr().err == "a\\nb.mid: 2 notes\\tare guessed; 4 are not read\n"
    with errors.show_warnings(), pytest.warns(UserWarning, match="of others"):
        warnings.warn("of others", stacklevel=1)
