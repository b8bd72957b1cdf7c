"""Parts to train on, validate and test with, such that no part has recordings of another.

Place in the flow: clips, with or without a split -> each with one. A split does not divide the
clips of a group (an artist, a recording), nor those of one file. It is drawn in the order of the files'
digests where the clips have them: it is the same wherever the files lie and whatever they are called.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from audiocnn.datasets.clips.sources import SPLITS, Clip
from audiocnn.ranges import ArgumentError, check_fields

N_NAMED = 5  # in a message


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How clips that come without a split are divided.

    Args:
        validation: share of the clips.
        test: share of the clips.
        by: "random" divides groups too, which `leaky` must allow.
        leaky: allow groups or files on both sides of the split, which makes scores too optimistic.
        seed: random seed.

    Raises:
        ArgumentError: the shares are negative, or leave nothing to train on.
    """

    validation: float = 0.15
    test: float = 0.15
    by: Literal["group", "random"] = "group"
    leaky: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.validation < 0 or self.test < 0 or self.validation + self.test >= 1:
            shares = f"{self.validation} and {self.test}"
            raise ArgumentError(f"validation and test are {shares}, expected shares, below 1 together")

    @property
    def shares(self) -> dict[str, float]:
        """The shares of validation and test."""
        return {"validation": self.validation, "test": self.test}


def split_clips(clips: list[Clip], options: SplitOptions = SplitOptions()) -> list[Clip]:
    """Divide clips into train, validation and test.

    A split that the clips come with is kept; where it has no validation, that is taken from its train.
    Otherwise the parts have the same share of each label, as nearly as whole groups allow.

    Args:
        clips: with or without a split.
        options: shares and seed.

    Returns:
        The clips, in their order, each with its split.

    Raises:
        ArgumentError: some clips have a split and others none; or a group or file would lie on both sides, or
            a given split be discarded, and `leaky` does not allow it.
    """
    if options.by == "random":
        return _divide_at_random(clips, options)
    parts = _divide_by_group(clips, options)
    if not options.leaky and (both := find_leaks(parts)):
        raise ArgumentError(f"train shares with validation or test {_list(both)}; split.leaky=true allows it")
    return parts


def _divide_by_group(clips: list[Clip], options: SplitOptions) -> list[Clip]:
    given = {clip.split for clip in clips}
    if None in given and len(given) > 1:
        n = sum(clip.split is None for clip in clips)
        raise ArgumentError(f"{n} of {len(clips)} clips have no split, expected all or none to have one")
    if given == {None}:
        return _divide(clips, options.shares, options.seed)
    if "validation" in given or "train" not in given:
        return clips
    held_out = {"validation": options.validation}
    train = iter(_divide([clip for clip in clips if clip.split == "train"], held_out, options.seed))
    return [next(train) if clip.split == "train" else clip for clip in clips]


def find_leaks(clips: list[Clip]) -> list[str]:
    """Find groups and files with clips both in train and in validation or test.

    Args:
        clips: with their split.

    Returns:
        The groups and files, sorted.
    """
    sides = defaultdict(set)
    for clip in clips:
        for name in filter(None, (clip.group and f"group {clip.group}", str(clip.path))):
            sides[name].add(clip.split == "train")
    return sorted(name for name, both in sides.items() if len(both) > 1)


def describe_split(clips: list[Clip]) -> str:
    """Describe a split in one line.

    Args:
        clips: with their split.

    Returns:
        The number of clips in each part, the labels that a part has no clip of, and the number of files that
        have a copy on the other side of the split.
    """
    labels = sorted({label for clip in clips for label in clip.labels})
    counts = Counter(clip.split for clip in clips)
    line = ", ".join(f"{part} {counts[part]}" for part in SPLITS)
    for part in SPLITS:
        present = {label for clip in clips if clip.split == part for label in clip.labels}
        if counts[part] and len(present) < len(labels):
            line += f"; no clip in {part} of {_list([label for label in labels if label not in present])}"
    trained = {clip.digest for clip in clips if clip.split == "train"} - {None}
    copies = {clip.path for clip in clips if clip.split != "train" and clip.digest in trained}
    return line + (f"; {len(copies)} files not in train are copies of files in it" if copies else "")


def _divide_at_random(clips: list[Clip], options: SplitOptions) -> list[Clip]:
    """Every clip on its own, whatever it belongs to."""
    if not options.leaky and any(clip.split for clip in clips):
        raise ArgumentError(
            "these clips come with a split, expected by='group'; leaky=true allows by='random'"
        )
    sizes = Counter(_unit(clip) for clip in clips)
    together = sorted(unit for unit, n in sizes.items() if n > 1)
    if not options.leaky and together:
        raise ArgumentError(f"by='random' would divide {_list(together)}; leaky=true allows it")
    alone = [replace(clip, group=str(number), split=None) for number, clip in enumerate(clips)]
    parts = _divide(alone, options.shares, options.seed)
    return [replace(clip, split=part.split) for clip, part in zip(clips, parts, strict=True)]


def _divide(clips: list[Clip], held_out: dict[str, float], seed: int) -> list[Clip]:
    """Each unit goes where its labels are needed most, the largest units first.

    Source: Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data", 2011. Differs:
    units of several clips; the order is by size, not by the rarest label.
    """
    labels = {
        label: column for column, label in enumerate(sorted({x for clip in clips for x in clip.labels}))
    }
    units: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(labels) + 1))
    for clip in clips:
        units[_unit(clip)][[labels[label] for label in clip.labels]] += 1
        units[_unit(clip)][-1] += 1  # the clips themselves, so that those without a label count
    shares = {"train": 1 - sum(held_out.values()), **held_out}
    shares = {part: share for part, share in shares.items() if share > 0}
    # (parts, labels): number that each part still lacks.
    wanted = np.outer(list(shares.values()), sum(units.values()))
    lacking = wanted.copy()
    digests = {_unit(clip): clip.digest or "" for clip in clips if clip.group is None}
    names = sorted(units, key=lambda unit: (digests.get(unit, ""), unit))
    names = [names[i] for i in np.random.RandomState(seed).permutation(len(names))]
    split_of = {}
    for name in sorted(names, key=lambda name: -units[name][-1]):
        counts = units[name]
        need = (lacking / wanted) @ counts
        part = max(range(len(shares)), key=lambda part: (round(need[part], 9), lacking[part, -1]))
        lacking[part] -= counts
        split_of[name] = list(shares)[part]
    return [replace(clip, split=split_of[_unit(clip)]) for clip in clips]


def _unit(clip: Clip) -> str:
    """The unit that is not divided: the group, where it is known, else the file."""
    return str(clip.path) if clip.group is None else f"group {clip.group}"


def _list(names: list[str]) -> str:
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more
