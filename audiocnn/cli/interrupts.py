"""Ctrl-C that ends the work between two steps of it.

Python raises KeyboardInterrupt wherever it is. In a callback, as of the weak references that `copy.deepcopy`
leaves of a network, the exception is printed and dropped, and the work goes on; in C++ that imports, as
torch's start does, it aborts the process. Long work runs within `deferred` therefore, and calls `check` where
it may end.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_pressed = threading.Event()


@contextmanager
def deferred() -> Iterator[None]:
    """Make a first Ctrl-C wait for the next `check` or the end; a second one is raised where it comes."""
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # neither ignored nor deferred
    if not is_default or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _defer)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if _pressed.is_set():
            _pressed.clear()
            raise KeyboardInterrupt


def check() -> None:
    """Raise KeyboardInterrupt when Ctrl-C was pressed and deferred."""
    if _pressed.is_set():
        raise KeyboardInterrupt


def _defer(*_: object) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _pressed.set()
