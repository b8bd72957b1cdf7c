"""Labels -> JSON, CSV, and a plot of their probabilities along time under the spectrogram."""

import csv
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from audiocnn import audio, files
from audiocnn.labels import format_predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLE_RATE = 16_000
N_FFT = 2048
LOWEST_HZ, N_ROWS = 50.0, 240  # of the spectrogram, whose rows are as far apart as pitches
TICKS_HZ = {100: "100 Hz", 200: "200", 500: "500", 1000: "1 kHz", 2000: "2", 5000: "5"}
TILT_DB = 2  # an octave: music has less at the top
COLUMNS = 1200  # of the spectrogram, at most
SHORTEST_HOP = 160  # samples: 10 ms
DYNAMIC_RANGE_DB = 60
N_SHOWN = 12  # labels in a plot, those that are likeliest at some time
N_TOLD = 5  # and in its title


def write_json(result: Any, path: str | os.PathLike) -> None:
    """Writes file, model, labels (the likeliest first), whether it is unknown, and the timeline."""
    timeline = result.timeline
    document = {
        "file": None if result.source is None else str(result.source),
        "model": " + ".join(result.models),
        "duration_s": round(result.duration_s, 6),
        "unknown": result.unknown,
        "heard": [one.label for one in result.heard],
        "labels": [{"label": one.label, "probability": round(one.probability, 6)} for one in result.labels],
        "timeline": {
            "start_s": [round(float(start), 6) for start in timeline.starts_s],
            "window_s": timeline.window_s,
            "probabilities": {
                name: [round(float(value), 6) for value in column]
                for name, column in zip(timeline.outputs, timeline.probabilities.T, strict=True)
            },
        },
    }
    with files.write_atomically(path) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def write_csv(result: Any, path: str | os.PathLike) -> None:
    """Writes a table: where each window begins and ends in seconds, and the probability of each label."""
    timeline = result.timeline
    with files.write_atomically(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["start_s", "end_s", *timeline.outputs])
        for start_s, row in zip(timeline.starts_s, timeline.probabilities, strict=True):
            times = (f"{start_s:.3f}", f"{start_s + timeline.window_s:.3f}")
            table.writerow([*times, *(f"{value:.4f}" for value in row)])


def write_png(result: Any, path: str | os.PathLike) -> None:
    """Writes a plot: the spectrogram, and under it how likely each label is along time.

    Raises:
        files.FileError: the recording is not known, or cannot be read again.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if result.source is None:
        raise files.FileError(path, "needs the recording, which this result does not hold")
    levels = spectrogram(result.source)
    timeline = result.timeline
    shown = np.argsort(-timeline.probabilities.max(axis=0), kind="stable")[:N_SHOWN]
    figure = Figure(figsize=(12, 3 + 0.28 * len(shown)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    heights = {"height_ratios": [2.4, 0.28 * len(shown)]}
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw=heights)
    above.set_title(title(result), loc="left", fontsize=11)
    above.imshow(
        levels,
        extent=(0, result.duration_s, 0, np.log2(SAMPLE_RATE / 2 / LOWEST_HZ)),
        origin="lower",
        aspect="auto",
        cmap="bone_r",
        vmin=-DYNAMIC_RANGE_DB,
        vmax=0,
    )
    above.set_yticks(np.log2(np.array(list(TICKS_HZ)) / LOWEST_HZ), TICKS_HZ.values(), fontsize=9)
    _draw(below, timeline, shown)
    with files.write_atomically(path) as partial:
        figure.savefig(partial)


def title(result: Any) -> str:
    """What is heard, in words: `song.mp3: jazz 81 %`."""
    return f"{result.source.name}: {format_predictions(result.heard[:N_TOLD])}"


def _draw(axes: "Axes", timeline: Any, shown: np.ndarray) -> None:
    """A row of colour for each label: the darker, the likelier. A window stands around its middle."""
    edges_s = timeline.edges_s
    axes.pcolormesh(
        edges_s,
        np.arange(len(shown) + 1),
        timeline.probabilities.T[shown][::-1],
        cmap="Blues",
        vmin=0,
        vmax=1,
    )
    names = [timeline.outputs[i] for i in shown][::-1]
    axes.set_yticks(np.arange(len(shown)) + 0.5, names, fontsize=9)
    axes.set_xlabel("seconds")
    axes.set_xlim(0, edges_s[-1])


def spectrogram(source: str | os.PathLike) -> np.ndarray:
    """Levels in decibels below the loudest, (rows, columns): a column is the loudest of its frames."""
    hop_length = max(SHORTEST_HOP, round(audio.read_duration_s(source) * SAMPLE_RATE / COLUMNS))
    n_block, overlap = max(hop_length, N_FFT), max(N_FFT - hop_length, 0)
    window, rows_hz = np.hanning(N_FFT), np.geomspace(LOWEST_HZ, SAMPLE_RATE / 2, N_ROWS)
    bins_hz = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    columns = []
    for block in audio.read_blocks(source, SAMPLE_RATE, n_block, overlap):
        frames = np.pad(block, (0, -len(block) % N_FFT)).reshape(-1, N_FFT)
        spectrum = np.abs(np.fft.rfft(frames * window)).max(axis=0)
        columns.append(np.interp(rows_hz, bins_hz, spectrum))
    levels = 20 * np.log10(np.stack(columns, axis=1) + 1e-6)
    levels += TILT_DB * np.log2(rows_hz / LOWEST_HZ)[:, None]
    return levels - levels.max()
