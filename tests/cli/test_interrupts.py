"""Ctrl-C, kills and closed terminals, in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audiocnn.cli import interrupts

BEGINNING = """
import hashlib, os, signal, subprocess, sys, time, weakref
from audiocnn import files
from audiocnn.cli import errors, interrupts
interrupts.install()
print("ready", flush=True)
"""
# What the main thread is doing when the signal comes: none of it would see an exception soon, or at all.
BUSY = {
    "in C code": "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)",
    "in callbacks": """
class Thing: pass
def call(reference):
    for _ in range(10**9): pass
thing = Thing(); reference = weakref.ref(thing, call); del thing""",
    "catching all": """
while True:
    try: time.sleep(9)
    except BaseException: pass""",
    "writing": """
with files.write_atomically('song.mid') as partial:
    partial.write_bytes(b'half'); time.sleep(99)""",
    "waiting for a child": "subprocess.run(['sleep', '98.7'])",
}
ENDS = {
    signal.SIGINT: (130, "interrupted\n"),
    signal.SIGTERM: (143, "terminated\n"),
    signal.SIGHUP: (129, ""),
}


@contextmanager
def start(code: str, folder: Path) -> Iterator[subprocess.Popen]:
    """Start a process, which ends with the test, also where it fails."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    words = [sys.executable, "-c", BEGINNING + code]
    with subprocess.Popen(words, cwd=folder, env=environment, **pipes) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.1)
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen, *numbers: int) -> tuple[int, str]:
    """Send the signals; return the status, and what was said on the standard error."""
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.05)
    _, says = process.communicate(timeout=interrupts.MAX_S + 2)
    return process.returncode, says


@pytest.mark.parametrize("busy", BUSY)
def test_at_any_moment(busy: str, tmp_path: Path, program: list[str]) -> None:
    number = list(ENDS)[list(BUSY).index(busy) % 3]
    with start(BUSY[busy], tmp_path) as process:
        assert end(process, number) == ENDS[number]
    assert os.listdir(tmp_path) == []
    assert not subprocess.run(["pgrep", "-f", "sleep 98.7"], check=False, capture_output=True).stdout


@pytest.mark.parametrize("number", ENDS)
def test_raised(number: int, tmp_path: Path, program: list[str]) -> None:
    code = """
try:
    with interrupts.raised(): time.sleep(99)
except errors.Stopped as error:
    open('cleared', 'w').close()
    raise SystemExit(errors.report(error, ''))"""
    with start(code, tmp_path) as process:
        assert end(process, number) == ENDS[number]
    assert os.listdir(tmp_path) == ["cleared"]


def test_an_error_of_what_is_stopped_is_not_told(tmp_path: Path, program: list[str]) -> None:
    code = """
try:
    with interrupts.raised():
        try: time.sleep(99)
        finally: raise RuntimeError("half of it cannot be closed")
except errors.Stopped as error:
    raise SystemExit(errors.report(error, ''))"""
    with start(code, tmp_path) as process:
        assert end(process, signal.SIGTERM) == ENDS[signal.SIGTERM]


def test_a_second_one_does_not_wait(tmp_path: Path, program: list[str]) -> None:
    code = f"with interrupts.raised():{BUSY['catching all'].replace(chr(10), chr(10) + ' ')}"
    with start(code, tmp_path) as process:
        assert end(process, signal.SIGINT, signal.SIGINT) == ENDS[signal.SIGINT]


def test_leaves_alone_what_is_ignored(tmp_path: Path) -> None:
    code = "os.kill(os.getpid(), signal.SIGHUP); time.sleep(0.3)"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with start(code, tmp_path) as process:
            assert end(process) == (0, "")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_of_forked_processes_is_the_business_of_the_parent(tmp_path: Path, program: list[str]) -> None:
    code = """
child = os.fork()
if not child: time.sleep(99)
time.sleep(0.1)
for number in (signal.SIGINT, signal.SIGTERM):
    os.kill(child, number); time.sleep(0.1)
    print(os.waitpid(child, os.WNOHANG) if number == signal.SIGINT else os.waitpid(child, 0)[1], flush=True)
"""
    with start(code, tmp_path) as process:
        out, says = process.communicate(timeout=10)
    assert (out, says) == (f"(0, 0)\n{int(signal.SIGTERM)}\n", "")


@pytest.mark.parametrize("module", ["audiocnn.cli", "psutil", "jsonargparse", "torch"])
def test_while_a_verb_starts(module: str, program: list[str]) -> None:
    """In the middle of the imports, from the program's own first one."""
    code = f"""
import os, signal, sys, time
class Finder:
    def find_spec(name, *_):
        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT); time.sleep({interrupts.MAX_S} + 1)
sys.meta_path.insert(0, Finder)
sys.argv = ["audiocnn", "listen"]
{program[-1]}"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, stdin=subprocess.PIPE)
    is_first = module in ("audiocnn.cli", "psutil")  # before there is anything to clear away
    ends = (-signal.SIGINT, b"") if is_first else (130, b"interrupted\n")
    assert (done.returncode, done.stderr) == ends
