"""Feature maps to logits to scores."""

import pytest
import torch

from audiocnn.models.heads import NotesHead

NAMES = ["onset", "frame", "offset", "velocity", "bend"]


@pytest.mark.parametrize("bend", [False, True])
@pytest.mark.parametrize("rows", [None, 3, 10])
def test_shapes(rows: int | None, bend: bool) -> None:
    head = NotesHead(6, rows, n_pitches=10, bend=bend)
    features = torch.rand(2, 6, 7) if rows is None else torch.rand(2, 6, rows, 7)
    logits = head(features)
    names = NAMES if bend else NAMES[:4]
    assert logits.shape == (2, len(names), 10, 7)
    scores = head.scores(logits)
    assert list(scores) == list(head.outputs) == names
    assert all(score.shape == (2, 10, 7) for score in scores.values())


def test_scores() -> None:
    """Probabilities for all but bend, which stays in semitones."""
    logits = torch.tensor([0.0, 2.0, -2.0, 4.0, -0.3]).reshape(1, 5, 1, 1)
    scores = {k: v.item() for k, v in NotesHead(1, n_rows=1, n_pitches=1, bend=True).scores(logits).items()}
    assert scores == pytest.approx(
        {"onset": 0.5, "frame": 0.8807971, "offset": 0.1192029, "velocity": 0.9820138, "bend": -0.3}
    )


@pytest.mark.parametrize("rows", [None, 2, 4])
def test_starts_with_few_notes_and_no_bend(rows: int | None) -> None:
    features = torch.zeros(1, 3, 5) if rows is None else torch.zeros(1, 3, rows, 5)
    head = NotesHead(3, rows, n_pitches=4, bend=True)
    scores = head.scores(head(features))
    for name in NAMES[:4]:
        torch.testing.assert_close(scores[name], torch.full((1, 4, 5), 0.01798621))
    assert not scores["bend"].any()


def test_every_pitch_reads_all_rows_of_maps_without_one_for_each() -> None:
    """The projection's inputs are row by row within each channel."""
    head = NotesHead(in_channels=2, n_rows=3, n_pitches=1)
    with torch.no_grad():
        head.project.weight.copy_(torch.arange(6.0)[None, :, None].expand(4, 6, 1))
        head.project.bias.zero_()
    features = torch.tensor([[1.0, 0, 0], [0, 0, 10]]).reshape(1, 2, 3, 1)
    assert head(features)[0, :, 0, 0].tolist() == [0 + 50] * 4


def test_outputs_of_maps_without_rows_lie_pitch_by_pitch() -> None:
    """Channel o * n_pitches + p of the projection is output o of pitch p."""
    head = NotesHead(in_channels=1, n_pitches=3)
    with torch.no_grad():
        head.project.weight.zero_()
        head.project.bias.copy_(torch.arange(12.0))
    assert head(torch.zeros(1, 1, 1))[0, :, :, 0].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
