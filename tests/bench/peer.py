"""The peer beside which audiocnn is measured: basic-pitch, in the environment of PEER_PYTHON."""

import os
from pathlib import Path

SCRIPT = Path(__file__).with_name("peer_notes.py")


def python() -> str | None:
    """The peer's python, or None where no peer is named."""
    return os.environ.get("PEER_PYTHON")


def command(*inputs_and_outputs: str | os.PathLike) -> list[str]:
    """The command that writes the peer's notes, see peer_notes.py.

    Raises: SystemExit where no peer is named.
    """
    if python() is None:
        raise SystemExit("PEER_PYTHON is not set, expected the python of an environment with basic-pitch")
    return [str(python()), str(SCRIPT), *map(str, inputs_and_outputs)]
