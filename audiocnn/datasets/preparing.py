"""What all preparing of recordings shares: a folder holds what one recipe makes, and one failure is not all.

Place in the flow: `maps` and `synthesis` write recordings one by one, each whole or not at all, and pass over
those that are there; so an interrupted preparing goes on, and two at once write the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiocnn import files

RECIPE = "recipe.json"
N_NAMED = 10  # failures in a message


def check_recipe(out: Path, recipe: Mapping[str, Any]) -> None:
    """Write down how the recordings of a folder are made; refuse a folder of recordings made otherwise.

    Args:
        out: folder of the recordings; it is made where it is missing.
        recipe: all arguments that a recording depends on; numbers, texts, paths, or lists of these. Of paths
            the names count.

    Raises:
        files.FileError: the folder holds recordings of another recipe, of which the message names the first
            difference; or the system refuses.
    """
    path, own = Path(out, RECIPE), json.loads(json.dumps(recipe, default=lambda one: Path(one).name))
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = own
    except (OSError, ValueError) as error:
        raise files.FileError(
            path, f"not readable ({error}); without it the folder's recordings count"
        ) from error
    for name in own:
        if not isinstance(there, dict) or there.get(name) != own[name]:
            was = there.get(name) if isinstance(there, dict) else there
            reason = f"holds recordings of {name} {was}, expected {own[name]}: choose another folder"
            raise files.FileError(out, reason)
    with files.write_atomically(path) as partial:
        partial.write_text(json.dumps(own, indent=1), encoding="utf-8")


def raise_failures(out: Path, reasons: Sequence[str], n_recordings: int) -> None:
    """Raise an error that names what failed.

    Args:
        out: folder of the recordings.
        reasons: of each recording that failed.
        n_recordings: that were to be written.

    Raises:
        files.FileError: there are reasons.
    """
    if reasons:
        counts = Counter(reasons).items()
        lines = [reason if count == 1 else f"{reason} ({count} times)" for reason, count in counts]
        more = [f"and {len(lines) - N_NAMED} more"] if len(lines) > N_NAMED else []
        counted = f"{len(reasons)} of {n_recordings} recordings failed, the others are written"
        raise files.FileError(out, f"{counted}: {'; '.join([*lines[:N_NAMED], *more])}")
