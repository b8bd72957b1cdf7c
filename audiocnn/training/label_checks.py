"""Check of the labels of clips: whether a task can learn them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audiocnn.ranges import ArgumentError

# Of the parts train and validation how many clips have which labels; none at all is UNKNOWN.
LabelCounts = Mapping[str, Mapping[tuple[str, ...], int]]
MULTI_LABEL_TASK = "audiocnn.training.clips.InstrumentTask"


def check_labels(counts: LabelCounts, labels: Sequence[str], multi_label: bool) -> list[str]:
    """Check that clips have what a task needs to learn labels.

    Args:
        counts: of the clips.
        labels: of the task.
        multi_label: whether a clip may have several.

    Returns:
        Lines about what is not as it could be.

    Raises:
        ArgumentError: clips have several labels for a task that is not multi-label, a label has no clip to
            train on, or all clips have the same labels.
    """
    train, validation = counts["train"], counts["validation"]
    n_train = sum(train.values())
    if not multi_label:
        _check_single(counts)
    if len(train) == 1:
        (only,) = train
        raise ArgumentError(
            f"all {n_train} clips to train on have the same label, {' and '.join(only) or 'none'}, expected "
            "at least two, or clips of none of the labels, in a folder named unknown"
        )
    if untrained := [label for label in labels if not _count(train, label)]:
        raise ArgumentError(
            f"of {n_train} clips to train on none has the label {', '.join(untrained)} (of those to validate "
            f"on {sum(_count(validation, label) for label in untrained)}), expected 1 or more of each: add "
            "some, or leave these labels out"
        )
    unseen = [label for label in labels if not _count(validation, label)]
    return [f"no clip to validate on has the label {', '.join(unseen)}"] if unseen else []


def _check_single(counts: LabelCounts) -> None:
    of_all = [(labels, n) for part in counts.values() for labels, n in part.items()]
    if n_several := sum(n for labels, n in of_all if len(labels) > 1):
        raise ArgumentError(describe_several(n_several, sum(n for _, n in of_all), "clips"))


def describe_several(n_several: int, n: int, what: str) -> str:
    """Describe that clips have several labels where a task predicts one.

    Args:
        n_several: how many have.
        n: of how many.
        what: these are.
    """
    return (
        f"{n_several} of {n} {what} have more than one label, expected one each; a multi-label task predicts "
        f"several: --model.class_path {MULTI_LABEL_TASK}"
    )


def _count(part: Mapping[tuple[str, ...], int], label: str) -> int:
    return sum(n for labels, n in part.items() if label in labels)
