"""Figures: where frames and frequencies lie, what ticks say, and files that are whole or absent."""

from pathlib import Path

import librosa
import matplotlib.image
import numpy as np
import pytest

from audiocnn import files, plots, units


def ticks(axes) -> dict[str, float]:
    """The positions of a vertical axis's ticks by their names."""
    return dict(zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True))


def test_a_figure_is_as_large_as_said_and_saved_whole(tmp_path: Path) -> None:
    figure, (above, below) = plots.make_figure(4, 3, n_rows=2, sharex=True)
    assert above.get_shared_x_axes().joined(above, below)
    below.plot([0, 1], [0, 1], color=plots.COLOURS[0])
    plots.plot_grid(below)
    plots.save_figure(figure, tmp_path / "deeper" / "plot.png")
    pixels = matplotlib.image.imread(tmp_path / "deeper" / "plot.png")
    assert pixels.shape[:2] == (300, 400)
    assert pixels[..., :3].min() < 0.3
    plots.save_figure(figure, tmp_path / "plot.svg")
    assert b"<svg" in (tmp_path / "plot.svg").read_bytes()


def test_a_figure_that_cannot_be_saved_leaves_nothing(tmp_path: Path) -> None:
    figure, _ = plots.make_figure(2, 2)
    (tmp_path / "file").write_text("here")
    with pytest.raises(files.FileError, match="is a file, not a folder"):
        plots.save_figure(figure, tmp_path / "file" / "plot.png")
    with pytest.raises(ValueError, match="tune"):
        plots.save_figure(figure, tmp_path / "plot.tune")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_frames_stand_around_their_centres() -> None:
    _, (axes,) = plots.make_figure(4, 3)
    image = plots.plot_spectrogram(axes, np.zeros((8, 10)), frame_s=0.5, start_s=2.0)
    assert tuple(image.get_extent()) == (1.75, 6.75, -0.5, 7.5)
    assert axes.get_xlabel() == "time (s)"


def test_ticks_in_hz_lie_where_the_bins_are() -> None:
    _, (axes,) = plots.make_figure(4, 3)
    bins_hz = librosa.mel_frequencies(n_mels=64, fmax=8000)
    plots.plot_spectrogram(axes, np.zeros((64, 10)), 0.01, bins_hz=bins_hz)
    found = ticks(axes)
    assert list(found) == ["100", "500", "1k", "2k", "5k"]  # 200 Hz would touch 100 Hz
    assert found["1k"] == pytest.approx(np.interp(1000, bins_hz, np.arange(64)))
    assert axes.get_ylabel() == "frequency (Hz)"


def test_ticks_as_notes_lie_where_the_notes_are() -> None:
    _, (axes,) = plots.make_figure(4, 3)
    bins_hz = librosa.cqt_frequencies(n_bins=84, fmin=librosa.note_to_hz("C1"), bins_per_octave=12)
    plots.plot_spectrogram(axes, np.zeros((84, 10)), 0.01, bins_hz=bins_hz, as_notes=True)
    found = ticks(axes)
    assert list(found) == [f"C{octave}" for octave in range(1, 8)]
    assert list(found.values()) == pytest.approx(range(0, 84, 12))
    assert axes.get_ylabel() == "pitch"


def test_pitches() -> None:
    _, (axes,) = plots.make_figure(4, 3)
    plots.label_pitches(axes, 20.5, 108.5)
    assert ticks(axes) == {f"C{octave}": 12 * (octave + 1) for octave in range(1, 9)}
    assert librosa.note_to_midi(list(ticks(axes))).tolist() == list(ticks(axes).values())
    assert axes.get_ylim() == (20.5, 108.5)


def test_a_waveform_begins_where_it_is_said_to() -> None:
    _, (axes,) = plots.make_figure(4, 3)
    plots.plot_waveform(axes, np.zeros(8000), 8000, start_s=3.0)
    assert axes.get_xlim() == (3, 4)


def test_a_tone_is_drawn_at_its_frequency(tmp_path: Path) -> None:
    """The darkest row of the saved figure is where the tick of the tone's frequency stands."""
    figure, (axes,) = plots.make_figure(4, 3)
    bins_hz = units.midi_to_hz(np.arange(36, 96))
    levels = np.zeros((60, 20))
    levels[36] = 1  # C5
    plots.plot_spectrogram(axes, levels, 0.1, bins_hz=bins_hz, as_notes=True)
    plots.save_figure(figure, tmp_path / "tone.png")
    pixels = matplotlib.image.imread(tmp_path / "tone.png")[..., :3].mean(axis=2)
    x, y = axes.transData.transform((1.0, ticks(axes)["C5"]))
    dark = np.flatnonzero(pixels[:200, round(x)] < 0.2)  # above the axis's name
    assert dark.mean() == pytest.approx(300 - y, abs=1)


@pytest.mark.parametrize("name", ["$\\frac$", "a $x_", "ピアノ", "\udcff\x1b[31m", "<b>&amp;"])
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_names_are_drawn_as_they_are(tmp_path: Path, name: str, suffix: str) -> None:
    """No formula, no character that a font or a file cannot hold, and no warning."""
    figure, (axes,) = plots.make_figure(3, 3)
    axes.set_title(f"{name}\ntwo lines")
    axes.set_yticks([0.5], [files.printable(name)])  # as labels are, by the time a model has them
    axes.plot([0, 1], label=name)
    axes.legend()
    plots.save_figure(figure, tmp_path / f"plot.{suffix}")
    assert (tmp_path / f"plot.{suffix}").stat().st_size > 1000
