"""`audiocnn evaluate`: a model against recordings whose notes or labels are known."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import audiocnn
from audiocnn import files
from audiocnn.cli import tables
from audiocnn.cli.arguments import DecodingArguments, checked, classifiers, task_of
from audiocnn.notes import Note

if TYPE_CHECKING:
    from rich.table import Table

    from audiocnn.datasets.clips.sources import Clip
    from audiocnn.evaluate import NotesReport, Score

HEADINGS = {
    "onset": "onset",
    "onset_offset": "+ offset",
    "onset_offset_velocity": "+ velocity",
    "frame": "frame",
}


def evaluate_notes(
    folder: Path,
    model: str = "notes-piano",
    output: Path | None = None,
    device: str = "cpu",
    **options: DecodingArguments,
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

    from audiocnn import evaluate

    task, decoding = task_of(model, device, options)
    with Console(stderr=True).status("listening") as status:

        def transcribe(path: Path) -> list[Note]:
            status.update(f"listening to {path.name}")
            return audiocnn.transcribe(path, task, decoding=decoding, device=device).notes

        report = evaluate.evaluate_notes(folder, transcribe, output)
    for reason in report.unreadable.values():
        print(reason, file=sys.stderr)
    tables.console().print(table(report))
    return int(bool(report.unreadable))


def table(report: "NotesReport") -> "Table":
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


def _of_labels(default: str) -> Callable[..., int]:
    """The verb that judges labels, for a model that is taken when none is named."""

    def evaluate_labels(
        path: Path,
        model: Sequence[str] = (default,),
        output: Path | None = None,
        split: str | None = None,
        device: str = "cpu",
    ) -> int:
        """Scores a model on clips whose labels are known.

        Tells accuracy, macro F1, mean average precision and the expected calibration error, in percent, and
        the figures of each label. Clips that share a group, or a file, are judged together too. A clip
        without a label, or in a folder named unknown, is right where it is not taken for a label.

        Args:
            path: a folder for each label, a manifest (.csv or .jsonl) or a data set (see data/README.md).
            model: a model's name (see `audiocnn models`) or file; of several the mean is taken.
            output: folder for a page (report.md) with plots, and for all results (results.json).
            split: hears only the clips of this part: train, validation or test.
            device: what the network runs on, such as cpu or cuda.
        """
        from rich.console import Console

        from audiocnn import evaluate

        sources, models = _clips(path, split), classifiers(model, device)
        folder = path if path.is_dir() else path.parent
        with Console(stderr=True).status("listening") as status, checked():
            report = evaluate.evaluate_clips(
                sources, models, folder, device, lambda file: status.update(f"listening to {file.name}")
            )
        for reason in report.unreadable.values():
            print(reason, file=sys.stderr)
        console = tables.console()
        for rows in (evaluate.tabulate_metrics(report), evaluate.tabulate_labels(report)):
            console.print(_plain(*rows), "", sep="\n")
        if output is not None:
            evaluate.write_report(report, output)
            print(f"{output / 'report.md'}")
        return int(bool(report.unreadable))

    return evaluate_labels


evaluate_genre, evaluate_instrument = _of_labels("genre"), _of_labels("instrument")


def _clips(path: Path, split: str | None) -> list["Clip"]:
    """The clips at a path, those of one part. Raises: FileError when there are none."""
    from audiocnn.datasets.clips import layouts, sources

    with checked():
        part = None if split is None else sources.split_name(split)
    found = [clip for clip in layouts.read(path) if part in (None, clip.split)]
    if not found:
        raise files.FileError(path, f"holds no clips of the split {part}")
    return found


def _plain(headings: list[str], rows: list[list[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, collapse_padding=True, padding=(0, 2))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number > 0)
    for first, *cells in rows:
        table.add_row(Text(first, overflow="fold"), *cells)
    return table
