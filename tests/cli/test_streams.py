"""Standard streams that are closed, full, or not read to their end."""

import os
import subprocess
import sys

import pytest

# One that prints by itself, one whose table rich prints, one whose parser prints.
PRINTS = ["configs", "data list", "classify --help"]
FULL = "standard output: No space left on device\n"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess:
    """Run `audiocnn` in a shell line, in which $A stands for it; the status is that of the first program."""
    program = f"{sys.executable} -m audiocnn"
    line = f"{command.replace('$A', program)}; exit ${{PIPESTATUS[0]}}"
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("words", PRINTS)
def test_output_on_a_full_disk(words: str) -> None:
    done = shell(f"$A {words} >/dev/full")
    assert (done.returncode, done.stderr) == (1, FULL)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed(closed: str) -> None:
    done = shell(f"$A configs {closed}")
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize("words", PRINTS)
def test_output_that_nobody_reads(words: str) -> None:
    done = shell(f"$A {words} | true")
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2> >(true)"])
def test_error_that_nobody_reads(where: str) -> None:
    assert shell(f"$A sing {where}").returncode == 2


def test_output_that_may_not_be_written() -> None:
    done = shell("$A --version 1</dev/null")
    assert (done.returncode, done.stderr) == (1, "standard output: Bad file descriptor\n")


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", b"\\u2192\\xff"), ("utf-8", "→\\xff".encode())])
def test_any_encoding_and_any_bytes(encoding: str, shown: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "audiocnn", b"\xe2\x86\x92\xff"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, b"audiocnn: no such verb: " + shown)
