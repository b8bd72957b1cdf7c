"""Errors of a verb: one line each on the standard error, and the exit status that they stand for.

Of an error that nobody expected the line names a file, to which its traceback is written.
"""

import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from audiocnn import files

# Errors whose text says all there is to know, by the names of their classes: some are slow to import.
CLEAR = {
    "ConnectionError",
    "FileError",
    "MisconfigurationException",
    "ModuleNotFoundError",
    "TrainingError",
    "UsageError",
}
NO_MEMORY = re.compile("(can't|cannot) allocate memory|(not enough|out of) memory|bad_alloc", re.IGNORECASE)
SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}  # of other signals nobody is left to read
MAX_CHARACTERS = 300  # of an unexpected error's own text


class UsageError(Exception):
    """A wrong argument: one line, exit status 2."""


class Stopped(BaseException):
    """The program is to end before its work is done: a signal, or nobody reads its output any more.

    Args:
        number: the signal; SIGPIPE for an output that nobody reads.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def report(error: BaseException, program: str) -> int:
    """Print the line of an error that ended a verb.

    Args:
        error: what was raised.
        program: the verb as it is typed, "audiocnn transcribe".

    Returns:
        The exit status: 2 for wrong arguments, 128 + the signal's number for a signal, 1 for the rest.
    """
    if isinstance(error, KeyboardInterrupt):
        error = Stopped(signal.SIGINT)
    if isinstance(error, Stopped):
        if error.number in SAID:
            print(SAID[signal.Signals(error.number)], file=sys.stderr)
        return 128 + error.number
    if isinstance(error, BrokenPipeError):  # of a standard output that is not ours
        return report(Stopped(signal.SIGPIPE), program)
    is_usage = isinstance(error, UsageError)
    line = describe(error) + f" (see {program} --help)" * is_usage
    print(line if isinstance(error, files.FileError) else f"{program}: {line}", file=sys.stderr)
    return 2 if is_usage else 1


@contextmanager
def show_warnings() -> Iterator[set[type[Warning]]]:
    """Print each `files.FileWarning` as its one line, once; other warnings are shown as ever.

    Yields:
        The classes of those printed so far.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", files.FileWarning)
        show = warnings.showwarning
        lines: set[str] = set()
        kinds: set[type[Warning]] = set()

        def show_line(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if not issubclass(category, files.FileWarning):
                show(message, category, *place, **more)
            elif str(message) not in lines:
                print(message, file=sys.stderr)
                lines.add(str(message))
                kinds.add(category)

        warnings.showwarning = show_line
        yield kinds


def report_strays() -> None:
    """Report errors that no verb receives, of threads and destructors, in one line too."""

    def report_stray(stray: Any) -> None:
        if isinstance(stray.exc_value, Exception):  # not a signal, which ends the program anyway
            report(stray.exc_value, "audiocnn")

    sys.unraisablehook = threading.excepthook = report_stray


def describe(error: BaseException) -> str:
    """Describe an error in one line; the traceback of an unexpected one is written to a file that it names.

    Args:
        error: what was raised.
    """
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and NO_MEMORY.search(str(error))):
        return "not enough memory"
    if not CLEAR.isdisjoint(_names(error)):
        return _one_line(error)
    if isinstance(error, OSError) and error.errno is not None:
        reason = files.describe_error(error)
        return reason if error.filename is None else str(files.FileError(error.filename, reason))
    text = f"{type(error).__name__}: {_one_line(error)[:MAX_CHARACTERS]}".removesuffix(": ")
    return f"{text} ({_write_traceback(error)})"


def _names(error: BaseException) -> set[str]:
    """Return the names of an error's class and of those that it is derived from."""
    return {kind.__name__ for kind in type(error).__mro__}


def _one_line(error: BaseException) -> str:
    return files.printable(" ".join(str(error).split()))


def _write_traceback(error: BaseException) -> str:
    """Append the traceback to a file of this process; say where it is, or why it is nowhere."""
    import traceback

    try:
        path = _traceback_file()
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(error))
    except OSError as failure:
        return f"its traceback cannot be written: {files.describe_error(failure)}"
    return f"traceback in {path}"


@cache
def _traceback_file() -> str:
    """Create the file, which nobody else may read: a traceback can name what is private."""
    import tempfile

    descriptor, path = tempfile.mkstemp(prefix="audiocnn-", suffix=".traceback.txt")
    os.close(descriptor)
    return path
