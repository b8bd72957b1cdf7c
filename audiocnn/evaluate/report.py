"""A report on labels -> a folder: results.json, two plots, and report.md that shows it all."""

import html
import json
import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from audiocnn import files, plots
from audiocnn.evaluate.clips import ClipReport
from audiocnn.evaluate.plots import plot_confusion_matrix, plot_reliability
from audiocnn.evaluate.predictions import Predictions
from audiocnn.labels import UNKNOWN, Prediction, format_predictions

N_ERRORS = 10  # most confident errors shown
MISSING = "–"  # in a table, for a metric of a label that no clip has
MARKDOWN = re.compile(r"[\\`*_{}\[\]#|!~]")  # that would be set, not shown
METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "mean_average_precision": "mAP",
    "family_accuracy": "family accuracy",
    "expected_calibration_error": "calibration error",
}
LABEL_METRICS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "average precision",
}

Table = tuple[list[str], list[list[str]]]


def prepare_folder(folder: Path) -> bool:
    """Prepare the folder of a report, before the work rather than after.

    Args:
        folder: is made where it is missing.

    Returns:
        Whether it holds a report already.

    Raises:
        files.FileError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise files.FileError(folder, files.describe_error(error)) from error
    return (folder / "report.md").exists()


def write_report(report: ClipReport, folder: Path) -> None:
    """Write a report to a folder: report.md, confusion.png, calibration.png and results.json.

    Args:
        report: result of `evaluate_clips`.
        folder: folder to write to; it is made where it is missing.

    Raises:
        files.FileError: the folder cannot be written to.
    """
    labels, counts = report.clips.confusion_matrix
    if labels:
        figure = plot_confusion_matrix(labels, report.clips.outputs, counts)
        plots.save_figure(figure, folder / "confusion.png")
    plots.save_figure(plot_reliability(report.clips.reliability), folder / "calibration.png")
    with files.write_atomically(folder / "results.json") as partial:
        partial.write_text(json.dumps(_to_document(report), indent=1) + "\n", encoding="utf-8")
    with files.write_atomically(folder / "report.md") as partial:
        partial.write_text("\n".join(_to_markdown(report)), encoding="utf-8")


def _to_document(report: ClipReport) -> dict[str, Any]:
    """Collect all metrics, and the predictions for each clip and recording."""
    return {
        "models": report.models,
        **{
            name: {
                "metrics": part.metrics,
                "labels": part.label_metrics,
                "predictions": list(_list_predictions(part)),
            }
            for name, part in report.parts.items()
        },
        "unreadable": report.unreadable,
    }


def _list_predictions(part: Predictions) -> Iterator[dict[str, Any]]:
    for i, name in enumerate(part.names):
        yield {
            "name": name,
            "reference": _list_references(part, i),
            "prediction": part.outputs[part.predicted_index[i]],
            "probabilities": {
                part.outputs[column]: round(float(part.probabilities[i, column]), 6)
                for column in (-part.probabilities[i]).argsort(kind="stable")
            },
        }


def _list_references(part: Predictions, clip: int) -> list[str]:
    return [part.outputs[column] for column in part.references[clip].nonzero()[0]]


def tabulate_metrics(report: ClipReport) -> Table:
    """Make a table of metrics in percent: a row for the clips and, where there are any, for the recordings.

    Args:
        report: result of `evaluate_clips`.

    Returns:
        Headings, and rows of text.
    """
    rows = {f"{len(part.names)} {name}": part.metrics for name, part in report.parts.items()}
    shown = [key for key in METRICS if any(key in metrics for metrics in rows.values())]
    cells = [[name, *(_percent(metrics[key]) for key in shown)] for name, metrics in rows.items()]
    return ["", *(METRICS[key] for key in shown)], cells


def tabulate_labels(report: ClipReport) -> Table:
    """Make a table of metrics in percent with a row for each label, those that no clip has among them.

    Args:
        report: result of `evaluate_clips`.

    Returns:
        Headings, and rows of text.
    """
    measured = report.clips.label_metrics
    rows = [
        [name, str(measured[name]["n_reference"]), *(_percent(measured[name][key]) for key in LABEL_METRICS)]
        if name in measured
        else [name, "0", *(MISSING for _ in LABEL_METRICS)]
        for name in report.clips.outputs
        if name in measured or name != UNKNOWN
    ]
    return ["label", "clips", *LABEL_METRICS.values()], rows


def tabulate_errors(report: ClipReport) -> Table:
    """Make a table of the most confident errors, the most confident first.

    Args:
        report: result of `evaluate_clips`.

    Returns:
        Headings, and rows of text.
    """
    part = report.clips
    confidence = part.probabilities[range(len(part.names)), part.predicted_index]
    wrong = [i for i in range(len(part.names)) if not part.correct[i]]
    wrong.sort(key=lambda i: -confidence[i])
    rows = []
    for i in wrong[:N_ERRORS]:
        prediction = Prediction(part.outputs[part.predicted_index[i]], confidence[i])
        rows.append([part.names[i], ", ".join(_list_references(part, i)), format_predictions([prediction])])
    return ["clip", "reference", "prediction"], rows


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}" if math.isfinite(fraction) else MISSING


def _to_markdown(report: ClipReport) -> Iterator[str]:
    """Generate the lines of report.md."""
    yield f"# Evaluation of {' + '.join(map(_escape, report.models))}\n"
    yield "In percent. A clip's prediction is its most probable label, or unknown; macro F1 and mAP are means"
    yield "over the labels below.\n"
    yield from _format_table(tabulate_metrics(report))
    yield "\n## Labels\n"
    yield from _format_table(tabulate_labels(report))
    if report.clips.confusion_matrix[0]:
        yield "\n## Confusion matrix\n\n![Confusion matrix](confusion.png)"
    yield "\n## Calibration\n\n![Accuracy over confidence](calibration.png)"
    headings, errors = tabulate_errors(report)
    if errors:
        yield "\n## Most confident errors\n"
        yield from _format_table((headings, errors))
    if report.unreadable:
        yield "\n## Unreadable files\n"
        yield from (f"- {_escape(reason)}" for reason in report.unreadable.values())
    yield ""


def _format_table(table: Table) -> Iterator[str]:
    headings, rows = table
    yield _format_row(headings)
    yield _format_row(["---", *["---:"] * (len(headings) - 1)])
    yield from map(_format_row, rows)


def _format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escape, cells))} |"


def _escape(text: str) -> str:
    """A name for a page in Markdown, which may hold HTML: shown as it is, in one line."""
    return html.escape(MARKDOWN.sub(r"\\\g<0>", files.printable(text)), quote=False)
