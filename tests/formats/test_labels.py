"""Labels as a plot: spectrogram and labels stand where they belong. (JSON and CSV: tests/cli.)"""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile

import audiocnn
from audiocnn import files
from audiocnn.formats import labels

RATE = 16_000


@pytest.fixture
def song(tmp_path: Path, tone) -> Path:
    """A low tone, then a high one: 3 s each."""
    samples = np.concatenate([tone("low", duration_s=3), tone("high", duration_s=3)])
    soundfile.write(tmp_path / "song.wav", samples, RATE)
    return tmp_path / "song.wav"


def test_spectrogram_has_tones_at_their_frequency_and_time(song: Path) -> None:
    levels, hop_length = labels.compute_spectrogram(song)
    assert hop_length == 160
    assert levels.shape[0] == len(labels.BINS_HZ)
    assert levels.shape[1] == pytest.approx(6 / 0.01, abs=15)
    assert levels.max() == 0
    for column, hz in ((100, 220), (450, 1760)):
        assert labels.BINS_HZ[levels[:, column].argmax()] == pytest.approx(hz, rel=0.03)


@pytest.mark.parametrize("n_samples", [1, 100, 5000])
def test_spectrogram_of_the_shortest(tmp_path: Path, n_samples: int) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(n_samples, 0.1), RATE)
    levels, _ = labels.compute_spectrogram(tmp_path / "short.wav")
    assert levels.shape[0] == len(labels.BINS_HZ)
    assert levels.shape[1] >= 1


def test_plot(song: Path, one_tone: Path, tmp_path: Path) -> None:
    result = audiocnn.classify(song, one_tone)
    result.to_png(tmp_path / "song.png")
    plot = matplotlib.image.imread(tmp_path / "song.png")[..., :3]
    height, width, _ = plot.shape
    assert (width, height) == (1200, round(100 * (3 + 0.28 * 4)))
    blue = (plot[..., 2] - plot[..., 0]) > 0.35  # a label that is sure
    rows, columns = np.nonzero(blue)
    assert rows.min() > 0.6 * height
    # Three labels are sure at some time, a row each: low, then unknown in one window, then high.
    top, row_height = rows.min(), (rows.max() - rows.min()) / 3
    found = [blue[round(top + (row + 0.5) * row_height)].nonzero()[0] for row in range(3)]
    low, unknown, high = sorted(found, key=np.min)
    assert low.max() < unknown.min() < unknown.max() < high.min()
    assert len(low) == pytest.approx(len(high), rel=0.05)
    middle = (columns.min() + columns.max()) / 2
    assert low.max() < middle < high.min()


def test_plot_needs_the_recording(one_tone: Path, tmp_path: Path, tone) -> None:
    result = audiocnn.classify((tone("low"), RATE), one_tone)
    with pytest.raises(files.FileError, match=r"x\.png: needs the recording"):
        result.to_png(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
    result.to_json(tmp_path / "x.json")
    result.to_csv(tmp_path / "x.csv")
