"""Ctrl-C that waits until the work may end."""

import signal
import threading
import weakref

import pytest

from audiocnn.cli import interrupts


def press(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def default_handler():
    """Ctrl-C as Python has it, also where the tests run in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_waits_for_the_end() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        press()
        done.append("the rest")
    assert done


def test_waits_for_a_check() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        interrupts.check()
        press()
        with interrupts.deferred():  # belongs to the outer one
            pass
        interrupts.check()
        pytest.fail("was not raised")
    interrupts.check()


def test_a_second_one_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        press()
        press()
        pytest.fail("waited")


def test_is_not_lost_in_a_callback() -> None:
    thing, done = set(), []
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        _ = weakref.ref(thing, press)
        del thing
        done.append("the rest")
    assert done


def test_takes_the_place_of_another_error() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        press()
        raise ValueError


def test_leaves_alone_who_ignores_it_and_other_threads() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts.deferred():
        press()
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def elsewhere() -> None:
        with interrupts.deferred():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    thread = threading.Thread(target=elsewhere)  # pytest makes an error of what fails there
    thread.start()
    thread.join()
