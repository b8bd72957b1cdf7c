"""`audiocnn data list | info | check`: which data sets there are, and what is wrong with one."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audiocnn.cli import tables
from audiocnn.cli.arguments import UsageError, checked

if TYPE_CHECKING:
    from audiocnn.datasets.clips.inspection import Report

N_TOLD = 10  # of each kind of fault
# What `audiocnn data prepare` makes: name -> what for; the modules of these names are their cards.
PREPARED = {  # name -> (its module, what it is for)
    "maps": ("datasets.notes.maps", "notes"),
    "render": ("synthesis.render", "notes"),
    "speech": ("synthesis.speech", "notes"),
    "instruments": ("synthesis.instruments", "clips"),
}


def list_data() -> int:
    """Tells the data sets whose layout is known; `audiocnn data info NAME` tells all of one."""
    from audiocnn.datasets.clips.layouts import LAYOUTS

    rows = [(name, "clips", layout.what, layout.count) for name, layout in LAYOUTS.items()]
    rows += [(name, what_for, _card(name).partition("\n")[0], "") for name, (_, what_for) in PREPARED.items()]
    _print_table(("name", "for", "what", "count"), rows)
    return 0


def info(name: str) -> int:
    """Tells where a data set comes from, its licence, and how it is split.

    Args:
        name: as `audiocnn data list` tells it.
    """
    from audiocnn.datasets.clips.layouts import LAYOUTS

    if name in PREPARED:
        print(_card(name))
        return 0
    if name not in LAYOUTS:
        raise UsageError(f"name is {name!r}, expected one of {', '.join((*LAYOUTS, *PREPARED))}")
    for field in dataclasses.fields(LAYOUTS[name]):
        if field.name != "read":
            unit = " Hz" if field.name == "rate" else ""
            print(f"{field.name:10}{getattr(LAYOUTS[name], field.name)}{unit}")
    return 0


def check(
    path: Path,
    layout: str | None = None,
    by: Literal["group", "random"] = "group",
    seed: int = 0,
    workers: int = 2,
) -> int:
    """Reads all files of a data set of clips, and tells its counts and what is wrong with it.

    Exit status 1 where a file is broken, or where what is trained on is validated or tested on too: a group,
    a recording, or a near-duplicate, found by its sound.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), or a data set's folder.
        layout: what the folder is (see `audiocnn data list`), or mirdata:NAME; found out where not given.
        by: how clips without a split are split.
        seed: of that split.
        workers: processes that read.
    """
    from audiocnn.datasets.clips import inspection, layouts, splits

    try:
        with checked():
            clips = splits.split(layouts.read(path, layout), seed=seed, by=by, leaky=True)
    except ModuleNotFoundError as error:  # an extra
        raise UsageError(str(error)) from error
    report = inspection.inspect(clips, workers)
    _print_counts(report)
    _print_sounds(report)
    for what, faults in _faults(report).items():
        _print_faults(what, faults)
    return int(not report.sound)


def _faults(report: "Report") -> dict[str, list[str]]:
    def pairs(found: Iterable[tuple[str, str, float]]) -> list[str]:
        return [f"{one} and {other}: {share:.0%}" for one, other, share in found]

    return {
        "broken": list(report.broken.values()),
        "in train and elsewhere": report.leaks,
        "near-duplicates, one in train": pairs(report.across),
        "other near-duplicates": pairs(pair for pair in report.duplicates if pair not in report.across),
        "silent": report.silent,
        "clipped": report.clipped,
    }


def _print_counts(report: "Report") -> None:
    """A row for each label and for what has none; how many clips of each part have it."""
    from audiocnn.datasets.clips.sources import SPLITS

    names = sorted({label for clip in report.clips for label in clip.labels})
    kinds = {name: [clip for clip in report.clips if name in clip.labels] for name in names}
    kinds["(no label)"] = [clip for clip in report.clips if not clip.labels]
    kinds["all"] = report.clips
    counted = [
        (name, *(sum(c.split == part for c in clips) for part in SPLITS)) for name, clips in kinds.items()
    ]
    _print_table(("label", *SPLITS), [row for row in counted if any(row[1:])], right=True)


def _print_sounds(report: "Report") -> None:
    durations = sorted(sound.duration_s for sound in report.sounds.values())
    if durations:
        middle = durations[len(durations) // 2]
        rates = sorted({sound.sample_rate for sound in report.sounds.values()})
        print(f"\n{len(durations)} files, {sum(durations) / 3600:.2f} h:", end=" ")
        print(f"{durations[0]:.2f} to {durations[-1]:.2f} s, median {middle:.2f} s;", end=" ")
        print(f"{', '.join(map(str, rates))} Hz")


def _print_faults(what: str, faults: list[str]) -> None:
    print(f"{what}: {len(faults) or 'none'}")
    for fault in faults[:N_TOLD]:
        print(f"  {fault}")
    if len(faults) > N_TOLD:
        print(f"  and {len(faults) - N_TOLD} more")


def _card(name: str) -> str:
    """The docstring of a module of data sets."""
    from importlib import import_module

    return (import_module(f"audiocnn.{PREPARED[name][0]}").__doc__ or "").strip()


def _print_table(headings: tuple[str, ...], rows: list[tuple], right: bool = False) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if right and number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    tables.console().print(table)
