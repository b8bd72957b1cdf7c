"""Ctrl-C that takes effect between two steps of the work.

Python raises KeyboardInterrupt at any instruction. In a callback, such as those of the weak references that
`copy.deepcopy` of a network leaves, the exception is printed and dropped, and the work goes on; in C++ code
that imports Python modules, as torch does while it is imported, it aborts the process. Long work therefore
runs within `deferred`, and calls `check` where it may end.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_pressed = threading.Event()


@contextmanager
def deferred() -> Iterator[None]:
    """Make a first Ctrl-C wait for the next `check` or the end; a second one is raised at once."""
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
