"""What of a data set cannot be read: it is refused as a whole, or gone on without, each part told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info

from audiocnn import files

N_NAMED = 5  # in a message


def report_broken(path: str | Path, reasons: Sequence[str], kind: str, option: str, skip: bool) -> None:
    """Refuse a data set of which a part cannot be read, or tell each part that is skipped.

    Args:
        path: of the data set.
        reasons: of each part that cannot be read.
        kind: what they are: "images".
        option: the one that skips them: "skip_broken".
        skip: whether it is set.

    Raises:
        files.FileError: as `refuse_broken`, where it is not.
    """
    if not skip:
        refuse_broken(path, reasons, kind, f"{option}=true goes on without them")
    for reason in reasons:
        rank_zero_info(f"skipped: {reason}")


def refuse_broken(path: str | Path, reasons: Sequence[str], kind: str, way: str) -> None:
    """Refuse a data set of which a part cannot be read.

    Args:
        path: of the data set.
        reasons: of each part that cannot be read.
        kind: what they are: "images".
        way: what can be done: "skip_broken=true goes on without them".

    Raises:
        files.FileError: there are reasons; the message holds their number and the first of them.
    """
    if reasons:
        more = [f"and {len(reasons) - N_NAMED} more"] if len(reasons) > N_NAMED else []
        named = "; ".join([*reasons[:N_NAMED], *more])
        raise files.FileError(path, f"{len(reasons)} {kind} cannot be read, {way}: {named}")
