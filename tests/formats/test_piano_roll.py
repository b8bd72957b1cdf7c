"""The plot, by what stands where in it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audiocnn import audio, formats
from audiocnn.formats import piano_roll
from audiocnn.notes import Note


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def test_plot_rows_are_pitches_and_columns_are_times(a4: Path) -> None:
    levels, hop_length = piano_roll.compute_spectrogram(a4)
    assert hop_length == 110
    assert levels.shape == (88 * 3, 201)
    assert levels.max() == 0
    middle_of_a4 = (69 - 21) * 3 + 1
    assert set(levels.argmax(axis=0)[60:195]) == {middle_of_a4}
    rise_s = np.argmax(levels[middle_of_a4] > -20) * hop_length / piano_roll.SAMPLE_RATE
    assert rise_s == pytest.approx(0.5, abs=0.15)  # the window at A4 is 0.37 s long


def test_plot_shows_notes_where_they_are(a4: Path, tmp_path: Path) -> None:
    for name, notes in (("with", [Note(0.5, 1.5, 90, 100)]), ("without", [])):
        formats.write_piano_roll(notes, a4, tmp_path / f"{name}.png")
    drawn, bare = pixels(tmp_path / "with.png"), pixels(tmp_path / "without.png")
    assert drawn.shape == bare.shape == (500, 1600, 3)
    rows, columns = np.nonzero(np.abs(drawn - bare).sum(axis=2))
    left, right = 30, 1510  # of the axes, about
    assert (columns.min() - left) / (right - left) == pytest.approx(0.25, abs=0.02)
    assert (columns.max() - left) / (right - left) == pytest.approx(0.75, abs=0.02)
    assert rows.max() - rows.min() < 10


def test_plot_of_an_hour_is_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piano_roll, "SYSTEM_S", 0.5)  # so that six seconds are too long
    monkeypatch.setattr(piano_roll, "N_SYSTEMS", 3)
    monkeypatch.setattr(piano_roll, "COLUMNS", 50)
    audio.save(tmp_path / "long.wav", np.zeros(6 * 16_000, np.float32), 16_000)
    levels, _ = piano_roll.compute_spectrogram(tmp_path / "long.wav")
    assert levels.shape[1] == 151
    formats.write_piano_roll([], tmp_path / "long.wav", tmp_path / "long.png")
    with Image.open(tmp_path / "long.png") as image:
        assert image.size == (1600, 1360)
