"""Splits: shares by hand, groups whole, and what is refused unless it is asked for by name."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from audiocnn.datasets.clips.sources import Clip
from audiocnn.datasets.clips.splits import SplitOptions, find_leaks, split_clips


def split(given: list[Clip], **options) -> list[Clip]:
    return split_clips(given, SplitOptions(**options))


def clips(n: int, *labels: str, **fields) -> list[Clip]:
    return [Clip(Path(f"{'+'.join(labels)}{i}.wav"), labels, **fields) for i in range(n)]


def counts(parts: list[Clip]) -> dict[tuple, int]:
    return dict(Counter((clip.split, *clip.labels) for clip in parts))


def test_each_label_has_the_same_shares() -> None:
    given = [*clips(20, "a"), *clips(10, "b"), *clips(5, "c"), *clips(10)]
    parts = split(given, validation=0.2, test=0.2)
    assert counts(parts) == {
        ("train", "a"): 12, ("validation", "a"): 4, ("test", "a"): 4,
        ("train", "b"): 6, ("validation", "b"): 2, ("test", "b"): 2,
        ("train", "c"): 3, ("validation", "c"): 1, ("test", "c"): 1,
        ("train",): 6, ("validation",): 2, ("test",): 2,
    }  # fmt: skip
    assert [clip.path for clip in parts] == [clip.path for clip in given]


def test_the_seed_decides() -> None:
    given = clips(20, "a")
    assert split(given, seed=1) == split(given, seed=1)
    assert split(given, seed=1) != split(given, seed=2)
    assert {clip.split for clip in split(given, test=0)} == {"train", "validation"}


def test_groups_stay_whole() -> None:
    rng = np.random.default_rng(0)
    given = [
        Clip(Path(f"{label}{i}.wav"), (label,), group=f"{label}{rng.integers(12)}")
        for label in "ab"
        for i in range(100)
    ]
    parts = split(given, validation=0.2, test=0.1)
    sides = {
        group: {clip.split for clip in parts if clip.group == group} for group in {c.group for c in given}
    }
    assert all(len(side) == 1 for side in sides.values())
    shares = counts(parts)
    for label in "ab":
        assert shares["validation", label] == pytest.approx(20, abs=6)
        assert shares["test", label] == pytest.approx(10, abs=6)


def test_segments_of_a_file_stay_together() -> None:
    given = [Clip(Path(f"{i % 4}.wav"), ("a",), start_s=float(i)) for i in range(40)]
    parts = split(given, validation=0.25, test=0)
    assert counts(parts) == {("train", "a"): 30, ("validation", "a"): 10}
    assert not find_leaks(parts)


def test_several_labels() -> None:
    given = [*clips(40, "a", "b"), *clips(40, "b"), *clips(20, "a")]
    assert Counter(clip.split for clip in split(given, validation=0.1, test=0.1)) == {
        "train": 80,
        "validation": 10,
        "test": 10,
    }
    for label in "ab":
        n = Counter(clip.split for clip in split(given, validation=0.1, test=0.1) if label in clip.labels)
        total = sum(n.values())
        assert n["validation"] == pytest.approx(total / 10, abs=2)


def test_a_random_split_of_groups_is_refused() -> None:
    given = [Clip(Path(f"{i}.wav"), ("a",), group=f"artist {i % 7}") for i in range(28)]
    message = "by='random' would divide group artist 0, .* group artist 4 and 2 more; leaky=true allows it"
    with pytest.raises(ValueError, match=message):
        split(given, by="random")
    parts = split(given, by="random", leaky=True)
    assert find_leaks(parts)
    assert [clip.group for clip in parts] == [clip.group for clip in given]
    assert not find_leaks(split(clips(20, "a"), by="random"))  # nothing is known to belong together


def test_a_random_split_of_segments_is_refused() -> None:
    given = [Clip(Path("song.wav"), ("a",), start_s=float(i)) for i in range(10)]
    with pytest.raises(ValueError, match=r"by='random' would divide song\.wav; leaky=true"):
        split(given, by="random")


def test_a_given_split_is_kept() -> None:
    given = [*clips(3, "a", split="train"), *clips(2, "b", split="validation"), *clips(2, "c", split="test")]
    assert split(given) == given
    with pytest.raises(ValueError, match="come with a split, expected by='group'; leaky=true"):
        split(given, by="random")


def test_validation_is_cut_from_train_where_it_is_missing() -> None:
    given = [
        *[Clip(Path(f"{i}.wav"), ("a",), split="train", group=f"{i // 2}") for i in range(20)],
        *clips(5, "a", split="test"),
    ]
    parts = split(given, validation=0.2)
    assert counts(parts) == {("train", "a"): 16, ("validation", "a"): 4, ("test", "a"): 5}
    assert all(one.split == other.split for one, other in zip(parts[:20:2], parts[1:20:2], strict=True))
    assert [clip.split for clip in parts[20:]] == ["test"] * 5


def test_a_given_split_that_leaks_is_refused() -> None:
    given = [
        Clip(Path("1.wav"), ("a",), split="train", group="Ann"),
        Clip(Path("2.wav"), ("a",), split="test", group="Ann"),
        Clip(Path("3.wav"), ("a",), split="validation", end_s=1.0),
        Clip(Path("3.wav"), ("a",), split="train", start_s=1.0),
    ]
    assert find_leaks(given) == ["3.wav", "group Ann"]
    with pytest.raises(
        ValueError, match=r"train shares with validation or test 3\.wav, group Ann; split\.leaky=true"
    ):
        split(given)
    assert split(given, leaky=True) == given


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"validation and test are 0\.5 and 0\.5, expected shares, below 1"):
        split(clips(3, "a"), validation=0.5, test=0.5)
    with pytest.raises(ValueError, match="3 of 4 clips have no split, expected all or none"):
        split([*clips(3, "a"), *clips(1, "b", split="train")])
