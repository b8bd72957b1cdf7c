"""`audiocnn evaluate`: a model against recordings whose notes are known."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from audiocnn.cli.arguments import task_of
from audiocnn.notes import Note

if TYPE_CHECKING:
    from rich.table import Table

    from audiocnn.evaluate import Report, Score

WIDTH = 120  # columns of the table where there is no terminal
HEADINGS = {
    "onset": "onset",
    "onset_offset": "+ offset",
    "onset_offset_velocity": "+ velocity",
    "frame": "frame",
}


def evaluate_notes(
    folder: Path, model: str = "notes-piano", output: Path | None = None, device: str = "cpu", **knobs: float
) -> int:
    """Scores a model on recordings that have their notes beside them, as .tsv, .mid or .jams.

    Tells precision, recall and F1 in percent, for each recording and their mean, as mir_eval does. Onset: the
    same pitch, and onset within 50 ms. + offset: and offset within 50 ms or 20 % of the note's length.
    + velocity: and velocity within 10 %. Frame: the same pitches at the same times.

    Args:
        folder: searched for recordings; one recording is a folder too.
        model: a model's name (see `audiocnn models`) or file.
        output: JSON file of all figures.
        device: what the network runs on, such as cpu or cuda.
    """
    from rich.console import Console

    from audiocnn import evaluate, listen

    task, decoding = task_of(model, device, knobs)
    with Console(stderr=True).status("listening") as status:

        def transcribe(path: Path) -> list[Note]:
            status.update(f"listening to {path.name}")
            return listen.transcribe(path, task, decoding=decoding, device=device).notes

        report = evaluate.evaluate_folder(folder, transcribe, output)
    for reason in report.failed.values():
        print(reason, file=sys.stderr)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table(report))
    return int(bool(report.failed))


def table(report: "Report") -> "Table":
    """The figures of a report in percent, a recording a row, their mean last."""
    from rich.table import Table
    from rich.text import Text

    table = Table("recording", box=None, pad_edge=False, collapse_padding=True)
    for heading in HEADINGS.values():
        table.add_column(f"{heading}\n    P     R    F1", no_wrap=True)
    for name, score in report.scores.items():
        table.add_row(Text(name, overflow="fold"), *_cells(score))
    if report.mean:
        table.add_row("mean", *_cells(report.mean), style="bold")
    return table


def _cells(score: "Score") -> list[str]:
    return [
        " ".join(f"{100 * score[measure][figure]:5.1f}" for figure in ("precision", "recall", "f1"))
        for measure in HEADINGS
    ]
