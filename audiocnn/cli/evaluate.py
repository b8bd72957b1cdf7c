"""`audiocnn evaluate`: a model against recordings whose notes or labels are known, or images."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import audiocnn
from audiocnn import files
from audiocnn.cli import errors, terminal
from audiocnn.cli.loading import (
    DecodingArguments,
    load_classifiers,
    load_classifiers_by_labels,
    load_model_and_decoding,
)
from audiocnn.cli.parser import UsageError, usage_errors

if TYPE_CHECKING:
    from rich.table import Table

    from audiocnn.datasets.clips.sources import Clip
    from audiocnn.evaluate import NotesReport, Score
    from audiocnn.evaluate.images import ImageReport
    from audiocnn.evaluate.notes import Metrics
    from audiocnn.models.clips import ClipModel
    from audiocnn.notes import Note

# Measure -> its heading, above precision, recall and F1.
HEADINGS = {
    "note": "note",
    "note_offset": "+ offset",
    "note_offset_velocity": "+ velocity",
    "frame": "frame",
}
MAX_NAMES = 5  # of files not evaluated, in a line


def evaluate_notes(
    folder: Path,
    *,
    model: str = "notes-piano",
    output: Path | None = None,
    device: str = "cpu",
    **options: DecodingArguments,
) -> int:
    """Evaluate a model on recordings that have their notes beside them, as .tsv, .mid or .jams.

    Prints precision, recall and F1 in percent, for each recording and their mean, as mir_eval defines them.
    Note: the same pitch, and onset within 50 ms. + offset: and offset within 50 ms or 20 % of the note's
    length. + velocity: and velocity within 10 %, – where the notes beside a recording have no velocities.
    Frame: the same pitches active in a frame. Notes that audiocnn transcribed are refused as a reference.

    Args:
        folder: folder to search for recordings, or one recording.
        model: a model's name (see `audiocnn models`) or file.
        output: JSON file to write all scores to.
        device: device that the network runs on, such as cpu or cuda.
        **options: the fields of `DecodingOptions`, in place of the model's own.

    Returns:
        The exit status.
    """
    from audiocnn import evaluate

    network, decoding = load_model_and_decoding(model, device, options)
    with terminal.show_status("transcribing") as show:

        def transcribe(path: Path) -> "list[Note]":
            show(f"transcribing {path.name}")
            return audiocnn.transcribe(path, network, decoding=decoding, device=device).notes

        report = evaluate.evaluate_notes(folder, transcribe, output, errors.describe)
    terminal.create_console().print(create_scores_table(report))
    _report_partial_means(report)
    for reason, names in report.skipped.items():
        shown = ", ".join(names[:MAX_NAMES]) + " …" * (len(names) > MAX_NAMES)
        terminal.report(f"{folder}: {len(names)} {reason}: {shown}")
    return _report_failures(report.unreadable.values())


def create_scores_table(report: "NotesReport") -> "Table":
    """Build a table of a report's scores in percent, a row for each recording, their mean last."""
    headings = ("recording", *(f"{heading}\n    P     R    F1" for heading in HEADINGS.values()))
    rows = [(files.printable(name), *_format_score(score)) for name, score in report.scores.items()]
    if report.mean:
        rows.append(("mean", *_format_score(report.mean)))
    return terminal.create_table(headings, rows)


def _report_partial_means(report: "NotesReport") -> None:
    """Report which means are not over all recordings, because references lack what they need."""
    for measure, n in report.counts.items():
        if n < len(report.scores):
            n_all = len(report.scores)
            terminal.report(
                f"{HEADINGS[measure]}: {n} of {n_all} recordings have it, by what their notes hold"
            )


def _format_score(score: "Score") -> list[str]:
    return [_format_metrics(score[measure]) for measure in HEADINGS]


def _format_metrics(metrics: "Metrics | None") -> str:
    values = (None,) * 3 if metrics is None else (metrics[name] for name in ("precision", "recall", "f1"))
    return " ".join("    –" if value is None else f"{100 * value:5.1f}" for value in values)


def evaluate_labels(
    path: Path,
    *,
    model: Sequence[str],
    output: Path | None = None,
    split: str | None = None,
    layout: str | None = None,
    device: str = "cpu",
) -> int:
    """Evaluate a model on clips whose labels, genres or instruments, are known.

    Prints accuracy, macro F1, mean average precision and the expected calibration error, in percent, and the
    scores of each label. Clips that share a group, or a file, are also evaluated together. A clip without a
    label, or in a folder named unknown, is correct where no label is predicted. Clips that a model was
    trained on are known by their content, wherever they lie, and are evaluated by --split train alone.

    Args:
        path: a folder for each label, a manifest (.csv or .jsonl) or a data set (see data/README.md).
        model: models' names (see `audiocnn models`) or files, which are averaged.
        output: folder for a report (report.md) with plots, and for all results (results.json).
        split: evaluate only the clips of this split: train, validation or test, as the data set says it or
            the model's training drew it.
        layout: layout of the folder (see `audiocnn data list`), mirdata:NAME, or folder for a folder per
            class; by default detected.
        device: device that the network runs on, such as cpu or cuda.

    Returns:
        The exit status.
    """
    from audiocnn import evaluate

    models = load_classifiers(model, device)
    clips, left_out = _select_clips(path, layout, split, models)
    if output is not None and evaluate.prepare_folder(output):
        terminal.report(f"{output}: the report in it is replaced")
    folder = path if path.is_dir() else path.parent
    with terminal.show_status("classifying") as show, usage_errors():
        report = evaluate.evaluate_clips(
            clips, models, folder, device, lambda file: show(f"classifying {file.name}"), errors.describe
        )
    console = terminal.create_console()
    for headings, rows in (evaluate.tabulate_metrics(report), evaluate.tabulate_labels(report)):
        console.print(terminal.create_table(headings, rows), "", sep="\n")
    n_evaluated = len(report.clips.names)
    if left_out or n_evaluated < len(clips):
        print(f"{n_evaluated} of {len(clips)} clips evaluated{left_out}")
    if output is not None:
        evaluate.write_report(report, output)
        terminal.tell(output / "report.md")
    return _report_failures(report.unreadable.values())


evaluate_genre = partial(evaluate_labels, model=("genre",))
evaluate_instrument = partial(evaluate_labels, model=("instrument",))


def evaluate_images(folder: Path, *, model: Sequence[str], device: str = "cpu") -> int:
    """Evaluate a model of images on a folder that has a folder of images for each class, by its name.

    Prints how often the right class is the most probable (top-1), and among the five most probable (top-5),
    in percent, of each class and of all images.

    Args:
        folder: folder of the classes' folders.
        model: names or files of models with the same labels, which are averaged.
        device: device that the network runs on, such as cpu or cuda.

    Returns:
        The exit status.
    """
    from audiocnn.cli import jobs
    from audiocnn.evaluate import images as of_images
    from audiocnn.models.image import ImageModel

    groups = load_classifiers_by_labels(model, device)
    models = [one for group in groups.values() for one in group.values() if isinstance(one, ImageModel)]
    if not models or len(groups) > 1:
        raise UsageError(f"models are {' '.join(model)}, expected models of images with the same labels")
    with usage_errors():
        labelled = of_images.find_labelled(folder, models[0].outputs)
    for name, found in labelled.items():
        jobs.report_found(folder / name, found)
    paths = {name: found.paths for name, found in labelled.items()}
    with terminal.show_status("classifying") as show:
        report = of_images.evaluate_images(
            paths, models, lambda file: show(f"classifying {file.name}"), errors.describe
        )
    headings = ("class", "images", "top-1", f"top-{of_images.TOP}")
    rows = [(name, *_format_top(report, len(ranks), name)) for name, ranks in report.ranks.items()]
    rows.append(("all", *_format_top(report, report.n_images)))
    terminal.create_console().print(terminal.create_table(headings, rows))
    unreadable = [error for found in labelled.values() for error in found.unreadable]
    return _report_failures(report.unreadable.values()) or int(bool(unreadable))


def _format_top(report: "ImageReport", n: int, label: str | None = None) -> list[str]:
    from audiocnn.evaluate.images import TOP

    return [str(n), *(f"{100 * report.measure_top(n_first, label):.1f}" for n_first in (1, TOP))]


def _select_clips(
    path: Path, layout: str | None, split: str | None, models: Sequence["ClipModel"]
) -> tuple[list["Clip"], str]:
    """Find the clips of a split; without one all, where no model was trained on any of them.

    Returns:
        The clips, and in words how many others there are.

    Raises:
        FileError: there are none.
        UsageError: a model was trained on some, and no split is given.
    """
    from audiocnn.datasets.clips import finding, record, sources

    records = [model.split for model in models if model.split]
    with usage_errors():
        part = None if split is None else sources.parse_split(split)
        found = finding.find_clips(path, layout)
    if found.notes:
        terminal.report(found)
    clips = record.apply_records(record.add_digests(found.clips), records) if records else found.clips
    counts = Counter(clip.split or "of no split" for clip in clips)
    if part is None:
        _check_untrained(path, counts, bool(records))
        return clips, ""
    selected = [clip for clip in clips if clip.split == part]
    if not selected:
        known = "" if records else ", and the model does not say what it was trained on"
        raise files.FileError(path, f"holds no clips of the split {part}, but {_list(counts)}{known}")
    del counts[part]
    return selected, f", those of {part}; left out: {_list(counts)}" if counts else ""


def _check_untrained(path: Path, counts: Counter[str], is_known: bool) -> None:
    """Refuse clips that a model is known to be trained on; tell where it may be."""
    if not counts["train"]:
        return
    if is_known:
        raise UsageError(
            f"{path}: of its clips {_list(counts)}; the model was trained on those of train: give --split "
            "test, or --split train"
        )
    line = f"{path}: of its clips {_list(counts)}; --split test leaves out what a model may be trained on"
    terminal.report(line)


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)


def _report_failures(reasons: Iterable[object]) -> int:
    """Print why recordings failed; return the exit status."""
    reasons = list(reasons)
    for reason in reasons:
        terminal.report(reason)
    return int(bool(reasons))
