"""File names that are no UTF-8, too long, or obeyed by a terminal, in whatever a verb prints or draws."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from audiocnn import files
from audiocnn.cli import terminal

NAMES = ["new\nline", "\x1b[31mred\x1b[2J", "[bold]x[red]", "[", os.fsdecode(b"\xff\xe9"), "é" * 120]


def shown(text: str) -> bool:
    """Whether a text is shown as it is, and in one line."""
    return text.isprintable() and not any("\ud800" <= character <= "\udfff" for character in text)


@pytest.mark.parametrize("name", NAMES)
def test_in_a_table(name: str) -> None:
    console = Console(width=300, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(terminal.create_table(("recording", "F1"), [(name, "100.0")]))
    [_, row] = captured.get().splitlines()
    assert shown(row) and row.startswith(files.printable(name))


@pytest.mark.parametrize("name", NAMES)
def test_in_lines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.tell(name, "more")
    terminal.report(name)
    out, err = capsys.readouterr()
    assert out == f"{err}more\n"
    assert shown(err.removesuffix("\n"))


STATUS = """
import sys, time
from audiocnn.cli import streams, terminal
streams.prepare()
with terminal.show_status("first") as show:
    show(sys.argv[1]); time.sleep(0.2)
with terminal.create_bar() as bar:
    bar.add_task(sys.argv[1], total=1); time.sleep(0.2)
"""


@pytest.mark.parametrize("name", NAMES)
def test_on_a_terminal(name: str, tmp_path: Path) -> None:
    """The status and the bar of a name, on a terminal of 20 columns: what it says is not obeyed."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "20", "TERM": "xterm"}
    command = [sys.executable, "-c", STATUS, name]
    done = subprocess.run(command, stdout=follower, stderr=follower, env=environment, check=False)
    os.close(follower)
    drawn = b""
    while True:
        try:
            drawn += os.read(leader, 1 << 16)
        except OSError:  # the end of a terminal
            break
    os.close(leader)
    assert done.returncode == 0, drawn
    assert b"\x1b[2J" not in drawn and b"Traceback" not in drawn
    assert drawn.count(files.printable(name)[:8].encode()) >= 2
