"""The excerpts that are explained: which note, and options that do not fit a model."""

import pytest

from audiocnn.backbones import create_backbone
from audiocnn.explain.excerpts import ExplanationOptions, choose_note
from audiocnn.frontends.mel import LogMel
from audiocnn.models.clips import ClipModel
from audiocnn.models.notes import NotesModel
from audiocnn.notes import Note

RATE = 8000  # Hz
NOTES = [Note(0.5, 1.0, 60, 40), Note(1.5, 2.0, 60, 90), Note(2.0, 2.5, 64, 90, 0.5)]


@pytest.mark.parametrize(
    ("time_s", "midi", "expected"),
    [(None, None, 1), (None, 64, 2), (0.6, None, 0), (1.9, None, 2), (1.9, 60, 1), (None, 65, None)],
)
def test_choose_note(time_s: float | None, midi: int | None, expected: int | None) -> None:
    assert choose_note(NOTES, time_s, midi) == (None if expected is None else NOTES[expected])


def test_options_that_do_not_fit_the_model() -> None:
    model = ClipModel(LogMel(RATE, n_mels=32), create_backbone("resnet18"), ["a", "b"])
    with pytest.raises(ValueError, match="label is 'c', expected one of a, b, unknown"):
        ExplanationOptions(labels=["a", "c"]).check(model)
    with pytest.raises(ValueError, match="note is 60, expected none: model predicts labels"):
        ExplanationOptions(midi=60).check(model)
    with pytest.raises(ValueError, match="layer is 'middle', expected one of "):
        ExplanationOptions(layer="middle").check(model)
    with pytest.raises(ValueError, match="label is 'a', expected none: model transcribes notes"):
        notes_model = NotesModel(LogMel(RATE, n_mels=32), create_backbone("tcn", dims=2))
        ExplanationOptions(labels=["a"]).check(notes_model)
