"""Labels -> JSON, CSV, and a plot of their probabilities over time under the spectrogram."""

import csv
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from audiocnn import audio, files, plots
from audiocnn.formats.spectrogram import compute_levels, compute_magnitudes, read_frames
from audiocnn.labels import format_predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLE_RATE = 16_000  # Hz
N_FFT = 2048
BINS_HZ = np.geomspace(50.0, SAMPLE_RATE / 2, 240)  # of the spectrogram, as far apart as pitches
COLUMNS = 1200  # of the spectrogram, at most
MIN_HOP_LENGTH = 160  # samples: 10 ms
DYNAMIC_RANGE_DB = 60
MAX_ROWS = 12  # labels in a plot: those with the highest probability at some time
MAX_IN_TITLE = 5  # predictions


def write_json(classification: Any, path: str | os.PathLike) -> None:
    """Write every field: file, model, predictions, every label by probability, and the timeline.

    Args:
        classification: as `inference.classify.Classification`.
        path: file to write.
    """
    timeline = classification.timeline
    document = {
        "file": None if classification.source is None else files.printable(classification.source),
        "model": " + ".join(classification.models),
        "duration_s": round(classification.duration_s, 6),
        "unknown": classification.is_unknown,
        "predictions": [one.label for one in classification.predictions],
        "labels": [
            {"label": one.label, "probability": round(one.probability, 6)}
            for one in classification.ranked_labels
        ],
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
        partial.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(classification: Any, path: str | os.PathLike) -> None:
    """Write a table: where each window begins and ends in seconds, and the probability of each label.

    Args:
        classification: as `inference.classify.Classification`.
        path: file to write.
    """
    timeline = classification.timeline
    with files.write_atomically(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["start_s", "end_s", *timeline.outputs])
        for start_s, row in zip(timeline.starts_s, timeline.probabilities, strict=True):
            times = (f"{start_s:.3f}", f"{start_s + timeline.window_s:.3f}")
            table.writerow([*times, *(f"{value:.4f}" for value in row)])


def write_plot(classification: Any, path: str | os.PathLike) -> None:
    """Write a plot: the spectrogram, and under it the probability of each label over time.

    Args:
        classification: as `inference.classify.Classification`.
        path: PNG file to write.

    Raises:
        files.FileError: the recording is not known or cannot be read again, or the file cannot be written.
    """
    if classification.source is None:
        raise files.FileError(path, "needs the recording, which this classification does not hold")
    levels, hop_length = compute_spectrogram(classification.source)
    frame_s, start_s = hop_length / SAMPLE_RATE, max(hop_length, N_FFT) / 2 / SAMPLE_RATE
    timeline = classification.timeline
    shown = np.argsort(-timeline.probabilities.max(axis=0), kind="stable")[:MAX_ROWS]
    heights = {"height_ratios": [2.4, 0.28 * len(shown)]}
    figure, (above, below) = plots.make_figure(
        12, 3 + 0.28 * len(shown), n_rows=2, sharex=True, gridspec_kw=heights
    )
    above.set_title(format_title(classification), loc="left", fontsize=11)
    plots.plot_spectrogram(above, levels, frame_s, start_s, bins_hz=BINS_HZ, vmin=-DYNAMIC_RANGE_DB, vmax=0)
    above.set_xlabel("")
    _plot_probabilities(below, timeline, shown)
    plots.save_figure(figure, path)


def format_title(classification: Any) -> str:
    """Format a plot's title: `song.mp3: jazz 81 %`.

    Args:
        classification: as `inference.classify.Classification`.
    """
    return f"{classification.source.name}: {format_predictions(classification.predictions[:MAX_IN_TITLE])}"


def _plot_probabilities(axes: "Axes", timeline: Any, shown: np.ndarray) -> None:
    """Draw a row for each label: the darker, the more probable. A window stands around its centre."""
    edges_s, rows = timeline.edges_s, timeline.probabilities.T[shown][::-1]
    axes.pcolormesh(edges_s, np.arange(len(shown) + 1), rows, cmap=plots.SHARES, vmin=0, vmax=1)
    axes.set_yticks(np.arange(len(shown)) + 0.5, [timeline.outputs[i] for i in shown][::-1], fontsize=9)
    axes.set_xlabel(plots.TIME_LABEL)
    axes.set_xlim(0, edges_s[-1])


def compute_spectrogram(source: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Compute the spectrogram of a recording in at most `COLUMNS` columns, each the highest of its frames.

    Args:
        source: an audio file.

    Returns:
        Levels in dB below the highest, (bins, columns), a bin for each of `BINS_HZ`, and the hop length in
        samples at `SAMPLE_RATE`. Column i spans `N_FFT` samples, or a hop if that is longer, from i hops on.

    Raises:
        audio.AudioError: the recording cannot be read.
    """
    hop_length = max(MIN_HOP_LENGTH, round(audio.read_duration_s(source) * SAMPLE_RATE / COLUMNS))
    n_column = max(hop_length, N_FFT)
    fft_hz = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    columns = []
    for block in read_frames(source, SAMPLE_RATE, n_column, hop_length, padding=(0, hop_length - 1)):
        frames = np.pad(block, ((0, 0), (0, -n_column % N_FFT))).reshape(len(block), -1, N_FFT)
        columns += [np.interp(BINS_HZ, fft_hz, one) for one in compute_magnitudes(frames).max(axis=1)]
    return compute_levels(np.stack(columns, axis=1), np.log2(BINS_HZ / BINS_HZ[0])), hop_length
