"""Clips that a task cannot learn from are refused with their counts."""

import logging
from types import SimpleNamespace

import pytest
import torch

from audiocnn import create_backbone
from audiocnn.frontends.mel import LogMel
from audiocnn.training.clips import ClipTask, GenreTask, InstrumentTask
from audiocnn.training.label_checks import LabelCounts, check_labels

LABELS = ["jazz", "rock"]
JAZZ, ROCK, BOTH, UNKNOWN = ("jazz",), ("rock",), ("jazz", "rock"), ()


def counts(train: dict, validation: dict) -> LabelCounts:
    return {"train": train, "validation": validation, "test": {}}


GOOD = {JAZZ: 3, ROCK: 2}
REFUSED = [
    (counts({**GOOD, BOTH: 4}, GOOD), r"4 of 14 clips have more than one label, .*InstrumentTask$"),
    (counts(GOOD, {BOTH: 1}), r"1 of 6 clips have more than one label, expected one each"),
    (counts({JAZZ: 5}, GOOD), "all 5 clips to train on have the same label, jazz, expected at least two"),
    (counts({JAZZ: 5, UNKNOWN: 2}, {ROCK: 3}), r"of 7 clips .* none has the label rock \(of those .* on 3\)"),
    (counts({UNKNOWN: 5}, GOOD), "all 5 clips to train on have the same label, none, expected"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_clips_that_cannot_be_learned_as_one_label_each(given: LabelCounts, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_labels(given, LABELS, multi_label=False)


def test_what_is_not_as_it_could_be_is_told() -> None:
    assert check_labels(counts(GOOD, GOOD), LABELS, multi_label=False) == []
    assert check_labels(counts({**GOOD, BOTH: 2}, {BOTH: 2}), LABELS, multi_label=True) == []
    assert check_labels(counts(GOOD, GOOD), LABELS, multi_label=True) == []
    told = check_labels(counts({**GOOD, UNKNOWN: 1}, {JAZZ: 1}), LABELS, multi_label=False)
    assert told == ["no clip to validate on has the label rock"]


def task(kind: type[ClipTask], given: LabelCounts | None) -> ClipTask:
    front_end = LogMel(8000, n_fft=256, hop_length=128, n_mels=32)
    made = kind(front_end, create_backbone("dilated", channels=8, dilations=(1,)), LABELS, window_s=0.5)
    made._trainer = SimpleNamespace(datamodule=SimpleNamespace(label_counts=given))
    return made


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_before_training(given: LabelCounts, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task(GenreTask, given).setup("fit")
    task(GenreTask, given).setup("validate")


def test_before_training_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lightning.pytorch.utilities.rank_zero"):
        task(InstrumentTask, counts(GOOD, {JAZZ: 1})).setup("fit")
    assert "no clip to validate on has the label rock" in caplog.text


def test_a_batch_of_unknown_clips_is_checked_as_it_comes() -> None:
    batch = torch.zeros(3, 4000), torch.tensor([[1.0, 0], [0, 0], [1, 1]])
    with pytest.raises(ValueError, match="1 of 3 clips of a batch have more than one label"):
        task(GenreTask, None).check_batch(batch)
    task(InstrumentTask, None).check_batch(batch)
    task(GenreTask, None).check_batch((batch[0], torch.tensor([[0.7, 0.3], [0, 0], [0.1, 0.2]])))
