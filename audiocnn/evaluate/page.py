"""A report on labels -> a folder: results.json, two plots, and report.md that shows it all."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from audiocnn import files
from audiocnn.evaluate import plots
from audiocnn.evaluate.clips import ClipReport, Predictions
from audiocnn.labels import Prediction, format_predictions

N_WORST = 10
FIGURES = {
    "accuracy": "accuracy",
    "f1": "macro F1",
    "map": "mAP",
    "family": "family",
    "calibration_error": "calibration error",
}
CLASSES = {"precision": "precision", "recall": "recall", "f1": "F1", "average_precision": "average precision"}

Table = tuple[list[str], list[list[str]]]


def write(report: ClipReport, folder: Path) -> None:
    """Writes the whole report. Raises: FileError when the folder cannot be written to."""
    names, counts = report.clips.confusion
    if names:
        plots.write_confusion(names, report.clips.outputs, counts, folder / "confusion.png")
    plots.write_calibration(report.clips.reliability, folder / "calibration.png")
    with files.write_atomically(folder / "results.json") as partial:
        partial.write_text(json.dumps(document(report), indent=1) + "\n", encoding="utf-8")
    with files.write_atomically(folder / "report.md") as partial:
        partial.write_text("\n".join(page(report)), encoding="utf-8")


def parts(report: ClipReport) -> dict[str, Predictions]:
    """The clips and, where there are any, the recordings, by these names."""
    return {"clips": report.clips} | ({"recordings": report.recordings} if report.recordings else {})


def document(report: ClipReport) -> dict[str, Any]:
    """All figures, and what was heard in each clip and recording."""
    return {
        "models": report.models,
        **{
            name: {"figures": part.figures, "classes": part.classes, "results": list(_results(part))}
            for name, part in parts(report).items()
        },
        "failed": report.failed,
    }


def _results(part: Predictions) -> Iterable[dict[str, Any]]:
    for i, name in enumerate(part.names):
        yield {
            "name": name,
            "right": [part.outputs[column] for column in part.targets[i].nonzero()[0]],
            "answer": part.outputs[part.answers[i]],
            "probabilities": {
                part.outputs[column]: round(float(part.values[i, column]), 6)
                for column in (-part.values[i]).argsort(kind="stable")
            },
        }


def figures_table(report: ClipReport) -> Table:
    """A row for the clips, and one for the recordings."""
    found = {f"{len(part.names)} {name}": part.figures for name, part in parts(report).items()}
    told = [key for key in FIGURES if any(key in figures for figures in found.values())]
    rows = [[name, *(_percent(figures[key]) for key in told)] for name, figures in found.items()]
    return ["", *(FIGURES[key] for key in told)], rows


def classes_table(report: ClipReport) -> Table:
    """A row for each label."""
    rows = [
        [name, str(row["clips"]), *(_percent(row[key]) for key in CLASSES)]
        for name, row in report.clips.classes.items()
    ]
    return ["label", "clips", *CLASSES.values()], rows


def worst_table(report: ClipReport) -> Table:
    """The wrong answers that were the surest."""
    part = report.clips
    wrong = [i for i in range(len(part.names)) if not part.right[i]]
    sureness = part.values[range(len(part.names)), part.answers]
    wrong.sort(key=lambda i: -sureness[i])
    rows = [
        [
            part.names[i],
            ", ".join(part.outputs[column] for column in part.targets[i].nonzero()[0]),
            format_predictions([Prediction(part.outputs[part.answers[i]], sureness[i])]),
        ]
        for i in wrong[:N_WORST]
    ]
    return ["clip", "right", "answered"], rows


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def page(report: ClipReport) -> Iterable[str]:
    """The lines of the Markdown page."""
    yield f"# {' + '.join(report.models)}: how right it is\n"
    yield "In percent. The answer is the likeliest label or unknown; means are over the labels below.\n"
    yield from _markdown(figures_table(report))
    yield "\n## Labels\n"
    yield from _markdown(classes_table(report))
    if report.clips.confusion[0]:
        yield "\n## What is taken for what\n\n![Confusion matrix](confusion.png)"
    yield "\n## How far its probabilities can be trusted\n\n![Calibration](calibration.png)"
    headings, worst = worst_table(report)
    if worst:
        yield "\n## Wrong and sure of it\n"
        yield from _markdown((headings, worst))
    if report.failed:
        yield "\n## Not heard\n"
        yield from (f"- {reason}" for reason in report.failed.values())
    yield ""


def _markdown(table: Table) -> Iterable[str]:
    headings, rows = table
    yield _line(headings)
    yield _line(["---", *["---:"] * (len(headings) - 1)])
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
