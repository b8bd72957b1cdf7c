"""The standard streams: none that is closed, full or no longer read ends the program with a traceback.

What is not in the encoding of a stream is written as an escape. Lines are written at once.
"""

import io
import os
import signal
import sys
from typing import TextIO

from audiocnn import files
from audiocnn.cli.errors import Stopped


def prepare() -> None:
    """Put safe streams in the place of the process's own; those that are closed lead nowhere."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115  # open as long as the process
    sys.stdout = _open(sys.stdout, Output(1))
    sys.stderr = _open(sys.stderr, Messages(2))


def _open(old: TextIO | None, raw: io.FileIO) -> TextIO:
    encoding = old.encoding if old else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)


class Messages(io.FileIO):
    """The standard error: what it does not take is dropped, since there is nowhere to say so.

    Args:
        descriptor: its file descriptor.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.has_failed = False

    def write(self, data, /) -> int | None:
        if not self.has_failed:
            try:
                return super().write(data)
            except OSError as error:
                self.has_failed = True
                self.fail(error)
        return len(data)

    def fail(self, error: OSError) -> None:
        """Do what a first failure asks for; later ones are passed over.

        Args:
            error: why the system refused.
        """


class Output(Messages):
    """The standard output, whose first failure ends the work that it reports on."""

    def fail(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise Stopped(signal.SIGPIPE) from error
        raise files.FileError("standard output", files.describe_error(error)) from error
