"""Labels -> JSON, CSV, and a plot: over time under the spectrogram, or beside the image that has them."""

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
    from matplotlib.figure import Figure

SAMPLE_RATE = 16_000  # Hz
N_FFT = 2048
BINS_HZ = np.geomspace(50.0, SAMPLE_RATE / 2, 240)  # of the spectrogram, as far apart as pitches
COLUMNS = 1200  # of the spectrogram, at most
MIN_HOP_LENGTH = 160  # samples: 10 ms
DYNAMIC_RANGE_DB = 60
MAX_ROWS = 12  # labels in a plot: those with the highest probability at some time
MAX_IN_TITLE = 5  # predictions
N_BARS = 5  # classes of an image that are plotted


def write_json(classification: Any, path: str | os.PathLike) -> None:
    """Write every field: file, model, predictions, every label by probability, and of sound the timeline.

    Args:
        classification: as `inference.classify.Classification`, or of an image.
        path: file to write.
    """
    timeline, length, over_time = classification.timeline, {}, {}
    if timeline is not None:
        length = {"duration_s": round(classification.duration_s, 6)}
        over_time = {"timeline": _describe_timeline(timeline)}
    document = {
        "file": None if classification.source is None else files.printable(classification.source),
        "model": " + ".join(classification.models),
        **length,
        "unknown": classification.is_unknown,
        "predictions": [one.label for one in classification.predictions],
        "labels": [
            {"label": one.label, "probability": round(one.probability, 6)}
            for one in classification.ranked_labels
        ],
        **over_time,
    }
    with files.write_atomically(path) as partial:
        partial.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _describe_timeline(timeline: Any) -> dict[str, Any]:
    return {
        "start_s": [round(float(start), 6) for start in timeline.starts_s],
        "window_s": timeline.window_s,
        "probabilities": {
            name: [round(float(value), 6) for value in column]
            for name, column in zip(timeline.outputs, timeline.probabilities.T, strict=True)
        },
    }


def write_csv(classification: Any, path: str | os.PathLike) -> None:
    """Write a table: where each window begins and ends in seconds, and the probability of each label.

    Of an image a line for each class, with its probability, the most probable first.

    Args:
        classification: as `inference.classify.Classification`, or of an image.
        path: file to write.
    """
    timeline = classification.timeline
    with files.write_atomically(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        if timeline is None:
            table.writerow(["label", "probability"])
            table.writerows([one.label, f"{one.probability:.6f}"] for one in classification.ranked_labels)
            return
        table.writerow(["start_s", "end_s", *timeline.outputs])
        for start_s, row in zip(timeline.starts_s, timeline.probabilities, strict=True):
            times = (f"{start_s:.3f}", f"{start_s + timeline.window_s:.3f}")
            table.writerow([*times, *(f"{value:.4f}" for value in row)])


def write_plot(classification: Any, path: str | os.PathLike) -> None:
    """Write a plot: the spectrogram, and under it the probability of each label over time.

    Of an image: the image, and beside it the most probable classes.

    Args:
        classification: as `inference.classify.Classification`, or of an image.
        path: PNG file to write.

    Raises:
        files.FileError: the recording or image is not known or cannot be read again, or the file cannot be
            written.
    """
    if classification.source is None:
        raise files.FileError(path, "needs the recording or image, which this classification does not hold")
    if classification.timeline is None:
        plots.save_figure(_plot_image(classification), path)
        return
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


def _plot_image(classification: Any) -> "Figure":
    from audiocnn import images  # with PyTorch: 1 s

    pixels = images.read_image(classification.source).pixels
    ranked = classification.ranked_labels[:N_BARS][::-1]
    figure, (left, right) = plots.make_figure(10, 4, 1, 2)
    left.imshow(pixels.transpose(1, 2, 0))
    left.set_axis_off()
    left.set_title(files.printable(classification.source.name), loc="left", fontsize=11)
    percents = [100 * one.probability for one in ranked]
    bars = right.barh([one.label for one in ranked], percents, color=plots.COLOURS[0])
    right.bar_label(bars, [f"{percent:.1f} %" for percent in percents], padding=3)
    right.set(xlim=(0, 115), xticks=range(0, 101, 25), xlabel="probability (%)")
    plots.plot_grid(right)
    right.grid(axis="y", visible=False)
    return figure


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
