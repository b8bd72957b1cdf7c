"""Signals that end the program, at any moment: Ctrl-C, a kill, a terminal that is closed.

Python runs the handler of a signal between two instructions of the main thread: not while a network computes
for half a minute. What a handler raises is lost in a callback, such as those of the weak references that
`copy.deepcopy` of a network leaves, and aborts the process in C++ code that imports Python modules, as torch
does. So a thread waits for signals; it removes the files that are half written, ends the child processes and
leaves, whatever the main thread does.
"""

import atexit
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

from audiocnn import files
from audiocnn.cli import errors

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
MAX_S = 2.0  # for what is cleared away; then the process ends without it
PATIENCE_S = 10.0  # for work that has to be brought to an end, such as closing Lightning's loggers
CHILDREN_S = 0.5  # for child processes to end
SHOW_CURSOR = "\x1b[?25h"  # which progress bars hide

_patience_s = 0.0
_received: int | None = None  # the signal that `Stopped` was raised for
_is_leaving = threading.Event()


def install() -> None:
    """Let signals end this process from now on; those that it was told to ignore (nohup) stay ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=_forget)
    atexit.register(_end_watch)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()


@contextmanager
def raised() -> Iterator[None]:
    """Raise `Stopped` in the main thread when a signal comes, for work that has to be brought to an end.

    After `PATIENCE_S` the process ends nevertheless; after a second signal at once.
    """
    global _patience_s
    _patience_s = PATIENCE_S
    with replaced():
        yield
    _patience_s = 0.0  # not after an error, with which the process ends anyway: it may be `Stopped`


@contextmanager
def replaced() -> Iterator[None]:
    """Raise `Stopped` in place of an error of work that a signal stopped, such as one of closing it."""
    try:
        yield
    except Exception as error:
        if _received is None:
            raise
        raise errors.Stopped(_received) from error


def _handle(number: int, _: FrameType | None) -> None:
    global _received
    if _patience_s:
        _received = number
        raise errors.Stopped(number)


def _watch(reader: int) -> None:
    """Wait for a signal, the number of which Python writes to the pipe, and leave."""
    while (number := os.read(reader, 1)[0]) not in SIGNALS:
        pass
    select.select([reader], [], [], _patience_s)
    _leave(number)


def _leave(number: int) -> None:
    """Clear away what is half done, and end the process; the main thread says nothing more."""
    _is_leaving.set()
    ending = threading.Timer(MAX_S, os._exit, [128 + number])
    ending.daemon = True
    ending.start()
    says, sys.stdout = sys.stderr, open(os.devnull, "w")  # noqa: SIM115  # for as long as there is a process
    sys.stderr = sys.stdout
    _end_children()
    files.remove_partials()
    says.write(SHOW_CURSOR * says.isatty())
    sys.stderr = says
    os._exit(errors.report(errors.Stopped(number), "audiocnn"))


def _end_children() -> None:
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    psutil.wait_procs(children, timeout=CHILDREN_S)


def _end_watch() -> None:
    """Leave signals to the system while the interpreter is taken down, during which no thread may act."""
    if _is_leaving.is_set():
        time.sleep(MAX_S)  # the main thread does not forestall it
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _forget() -> None:
    """Leave signals to the parent, which ends its children, in a process that was forked."""
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
