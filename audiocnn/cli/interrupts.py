"""Ctrl-C that stops the work between two pieces of it.

Python raises KeyboardInterrupt wherever it is. In a callback, as of the weak references that `copy.deepcopy`
leaves of a network, the exception is told of and dropped, and the work goes on; in C++ that imports, as
torch's start does, it aborts the process. What is long runs `held` therefore, and asks `check` where it may
end.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_pressed = threading.Event()


@contextmanager
def held() -> Iterator[None]:
    """Within, a first Ctrl-C waits for the next `check` or the end; a second one is raised where it comes."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # neither ignored nor held already
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if _pressed.is_set():
            _pressed.clear()
            raise KeyboardInterrupt


def check() -> None:
    """Raises KeyboardInterrupt when Ctrl-C was pressed and held."""
    if _pressed.is_set():
        raise KeyboardInterrupt


def _hold(*_: object) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _pressed.set()
