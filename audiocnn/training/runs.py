"""Where the files of a training are: each run has a folder of its own, ROOT/2026-11-28_17-40-05.

ROOT is the config's `trainer.default_root_dir`, such as runs/genre_folder. In the folder of a run are
config.yaml, metrics.csv, best.ckpt, last.ckpt and what callbacks and loggers write. A run goes on in its
folder from its last.ckpt; from any other checkpoint a new run begins.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from audiocnn import files

BEST, LAST, CONFIG = "best.ckpt", "last.ckpt", "config.yaml"
# A second run of the same second ends in _2.
_NAME = re.compile(r"(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)(?:_(\d+))?")


def create_run(root: Path) -> Path:
    """Make the folder of a new run.

    Args:
        root: the folder that it is made in.

    Returns:
        The folder, empty, named by the time; no other process gets the same.

    Raises:
        FileError: it cannot be made.
    """
    name, number = f"{datetime.now():%Y-%m-%d_%H-%M-%S}", 1
    try:
        root.mkdir(parents=True, exist_ok=True)
        while True:
            run = root / (name if number == 1 else f"{name}_{number}")
            try:
                run.mkdir()
                return run
            except FileExistsError:
                number += 1
    except OSError as error:
        raise files.FileError(root, files.describe_error(error)) from error


def is_run(folder: Path) -> bool:
    """Say whether a folder is named as that of a run."""
    return bool(_NAME.fullmatch(folder.resolve().name))


def list_runs(root: Path) -> list[Path]:
    """List the runs in a folder, the latest first.

    Args:
        root: the folder; it need not exist.
    """
    named = [(match, path) for path in root.glob("*/") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(((m[1], int(m[2] or 1)), path) for m, path in named)[::-1]]


def find_checkpoint(place: Path, name: str) -> Path | None:
    """Find a checkpoint by where it is.

    Args:
        place: a checkpoint itself, the folder of a run, or a folder of runs, of which the latest that has
            such a checkpoint counts.
        name: of the file: best.ckpt or last.ckpt.

    Returns:
        Its path; None where there is none.
    """
    if place.is_file():
        return place
    return next((run / name for run in [*list_runs(place), place] if (run / name).is_file()), None)
