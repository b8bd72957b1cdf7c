"""`audiocnn data list | info | check`: the supported data sets, and the faults of one."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audiocnn.cli import terminal
from audiocnn.cli.parser import UsageError, usage_errors

if TYPE_CHECKING:
    from audiocnn.datasets.clips.inspection import Report

MAX_SHOWN = 10  # of each kind of fault
# What `audiocnn data prepare` makes: name -> (its module, whose docstring is its card; what it is for).
PREPARED = {
    "maps": ("datasets.notes.maps", "notes"),
    "render": ("synthesis.render", "notes"),
    "speech": ("synthesis.speech", "notes"),
    "instruments": ("synthesis.instruments", "clips"),
    "mnist": ("datasets.images.mnist", "images"),
    "cifar10": ("datasets.images.cifar10", "images"),
    "sentiment": ("datasets.text.sentiment", "text"),
}


def list_data() -> int:
    """List the data sets whose layout is known; `audiocnn data info NAME` describes one."""
    from audiocnn.datasets.clips.layouts import list_layouts

    rows = [(name, "clips", layout.what, layout.count) for name, layout in list_layouts().items()]
    rows += [(name, what_for, _card(name).partition("\n")[0], "") for name, (_, what_for) in PREPARED.items()]
    headings = ("name", "for", "what", "count")
    terminal.create_console().print(terminal.create_table(headings, rows, n_left=len(headings)))
    return 0


def info(name: str) -> int:
    """Describe a data set: where it comes from, its licence, and how it is split.

    Args:
        name: one of `audiocnn data list`.

    Returns:
        The exit status.
    """
    from audiocnn.datasets.clips.layouts import list_layouts

    if name in PREPARED:
        print(_card(name))
        return 0
    layouts = list_layouts()
    if name not in layouts:
        raise UsageError(f"name is {name!r}, expected one of {', '.join((*layouts, *PREPARED))}")
    for field in dataclasses.fields(layouts[name]):
        if field.name not in ("read", "sign"):  # how its layout is found and read
            unit = " Hz" if field.name == "rate" else ""
            print(f"{field.name:10}{getattr(layouts[name], field.name)}{unit}")
    return 0


def check(
    path: Path,
    *,
    layout: str | None = None,
    by: Literal["group", "random"] = "group",
    seed: int = 0,
    workers: int = 2,
) -> int:
    """Read all files of a data set of clips, and report its counts and faults.

    The exit status is 1 where a file or clip cannot be read, or where training data leak into validation or
    test data: a group, a recording, or a near-duplicate, found by comparing the audio.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), or a data set's folder.
        layout: layout of the folder (see `audiocnn data list`), mirdata:NAME, or folder for a folder per
            class; by default detected.
        by: how clips without a split are split.
        seed: seed of that split.
        workers: number of processes that read files.

    Returns:
        The exit status.
    """
    from audiocnn.datasets.clips import finding, inspection, splits

    with usage_errors():
        found = finding.find_clips(path, layout)
        terminal.tell(found)
        report = inspection.inspect_clips(found.clips, splits.SplitOptions(seed=seed, by=by), workers)
    terminal.tell(f"split: {splits.describe_split(report.clips)}", "")
    _print_counts(report)
    _print_sounds(report)
    for what, faults in _faults(report).items():
        _print_faults(what, faults)
    return int(not report.is_usable)


def _faults(report: "Report") -> dict[str, list[str]]:
    def pairs(found: Iterable[tuple[str, str, float]]) -> list[str]:
        return [f"{one} and {other}: {share:.0%}" for one, other, share in found]

    return {
        "unreadable": list(report.broken.values()),
        "clips beyond their file's end": report.beyond,
        "in train and elsewhere": report.leaks,
        "near-duplicates, one in train": pairs(report.across),
        "other near-duplicates": pairs(pair for pair in report.duplicates if pair not in report.across),
        "silent": report.silent,
        "clipped": report.clipped,
    }


def _print_counts(report: "Report") -> None:
    """Print a row for each label and for what has none: how many clips of each split have it."""
    from audiocnn.datasets.clips.sources import SPLITS

    names = sorted({label for clip in report.clips for label in clip.labels})
    kinds = {name: [clip for clip in report.clips if name in clip.labels] for name in names}
    kinds["(no label)"] = [clip for clip in report.clips if not clip.labels]
    kinds["all"] = report.clips
    counted = [
        (name, *(sum(c.split == part for c in clips) for part in SPLITS)) for name, clips in kinds.items()
    ]
    rows = [row for row in counted if any(row[1:])]
    terminal.create_console().print(terminal.create_table(("label", *SPLITS), rows))


def _print_sounds(report: "Report") -> None:
    durations = sorted(facts.duration_s for facts in report.files.values())
    if durations:
        middle = durations[len(durations) // 2]
        rates = sorted({facts.sample_rate for facts in report.files.values()})
        print(f"\n{len(durations)} files, {sum(durations) / 3600:.2f} h:", end=" ")
        print(f"{durations[0]:.2f} to {durations[-1]:.2f} s, median {middle:.2f} s;", end=" ")
        print(f"{', '.join(map(str, rates))} Hz")


def _print_faults(what: str, faults: list[str]) -> None:
    print(f"{what}: {len(faults) or 'none'}")
    for fault in faults[:MAX_SHOWN]:
        terminal.tell(f"  {fault}")
    if len(faults) > MAX_SHOWN:
        print(f"  and {len(faults) - MAX_SHOWN} more")


def _card(name: str) -> str:
    """Return the docstring of the module of a data set."""
    from importlib import import_module

    return (import_module(f"audiocnn.{PREPARED[name][0]}").__doc__ or "").strip()
