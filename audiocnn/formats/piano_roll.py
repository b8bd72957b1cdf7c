"""Notes -> PNG: the piano roll over the spectrogram of the recording, with one axis of pitch for both.

The plot has systems one below the other, as sheet music has, and is of bounded size: the longer the
recording, the more time a system covers.
"""

import os
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from audiocnn import audio, plots, units
from audiocnn.formats.spectrogram import compute_levels, compute_magnitudes, read_frames
from audiocnn.notes import BEND_STEP_S, Note, check_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLE_RATE = 11_025  # Hz; half of it is above C8, 4186 Hz
LOWEST, HIGHEST = 20.5, 108.5  # MIDI numbers at the plot's edges: the piano's range, 27.5 to 4186 Hz
ROWS_PER_SEMITONE = 3
# Long windows separate low pitches, short ones show when high notes begin: (samples, from MIDI number).
WINDOWS = ((8192, LOWEST), (4096, 47.5), (2048, 71.5), (1024, 95.5))
N_FFT = WINDOWS[0][0]
SYSTEM_S, N_SYSTEMS = 30.0, 8  # a system covers this much, or more when there would be more systems than this
COLUMNS = 1000  # of the spectrogram, in a system
MIN_HOP_LENGTH = 110  # samples: 10 ms
DYNAMIC_RANGE_DB = (-50, 8)  # from white to black; levels end at 0, for black is left to the onsets of notes
VELOCITY_COLOURS = "plasma_r"


def write_piano_roll(notes: Iterable[Note], source: str | os.PathLike, path: str | os.PathLike) -> None:
    """Write a plot of a recording and its notes, coloured by velocity.

    Args:
        notes: in any order.
        source: the recording, an audio file.
        path: PNG file to write.

    Raises:
        ValueError: a note cannot be.
        files.FileError: the recording cannot be read, or the file not be written.
    """
    notes = check_notes(notes)
    levels, hop_length = compute_spectrogram(source)
    frame_s = hop_length / SAMPLE_RATE
    end_s = max(levels.shape[1] * frame_s, 0.1)
    n_systems = int(np.clip(np.ceil(end_s / SYSTEM_S), 1, N_SYSTEMS))
    figure, systems = plots.make_figure(16, 0.7 + 4.3 * n_systems, n_systems)
    for axes, (start_s, stop_s) in zip(systems, pairwise(np.linspace(0, end_s, n_systems + 1)), strict=True):
        first, last = int(start_s / frame_s), int(stop_s / frame_s) + 2
        _plot_levels(axes, levels[:, first:last], frame_s, first * frame_s)
        _plot_notes(axes, [note for note in notes if note.onset_s < stop_s and note.offset_s > start_s])
        axes.set_xlim(start_s, stop_s)
    systems[-1].set_xlabel(plots.TIME_LABEL)
    figure.colorbar(systems[-1].collections[0], ax=systems[0], label="velocity", pad=0.01, aspect=30)
    # A fast compression: the file is 8 % larger, and there 20 % sooner.
    plots.save_figure(figure, path, format="png", pil_kwargs={"compress_level": 1})


def _plot_levels(axes: "Axes", levels: np.ndarray, frame_s: float, start_s: float) -> None:
    low, high = DYNAMIC_RANGE_DB
    plots.plot_spectrogram(axes, levels, frame_s, start_s, edges=(LOWEST, HIGHEST), vmin=low, vmax=high)
    plots.label_pitches(axes, LOWEST, HIGHEST)
    axes.set_xlabel("")


def _plot_notes(axes: "Axes", notes: list[Note]) -> None:
    """Draw notes as rectangles a semitone high, and their onsets and bends as lines."""
    from matplotlib.collections import LineCollection, PolyCollection

    corners = [(note.onset_s, note.offset_s, note.midi - 0.5, note.midi + 0.5) for note in notes]
    boxes = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, x1, y0, y1 in corners]
    drawn = PolyCollection(boxes, cmap=VELOCITY_COLOURS, alpha=0.9, linewidth=0)
    drawn.set_array([note.velocity for note in notes])
    drawn.set_clim(1, 127)
    axes.add_collection(drawn, autolim=False)
    onsets = [[(x0, y0), (x0, y1)] for x0, _, y0, y1 in corners]
    axes.add_collection(LineCollection(onsets, colors="black", linewidth=1.2), autolim=False)
    bends = [
        [(note.onset_s + step * BEND_STEP_S, note.midi + value) for step, value in enumerate(note.bend)]
        for note in notes
        if note.bend
    ]
    axes.add_collection(LineCollection(bends, colors="white", linewidth=1), autolim=False)


def compute_spectrogram(source: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Compute the spectrogram that lies behind the notes, in rows as far apart as pitches.

    Args:
        source: the recording, an audio file.

    Returns:
        Levels in dB below the highest, (rows, frames), and the hop length in samples at `SAMPLE_RATE`.

    Raises:
        audio.AudioError: the recording cannot be read.
    """
    n_samples = audio.read_duration_s(source) * SAMPLE_RATE
    hop_length = int(np.clip(n_samples / (N_SYSTEMS * COLUMNS), MIN_HOP_LENGTH, N_FFT))
    bounds = pairwise((*WINDOWS, (0, HIGHEST)))
    filters = [_filters(n_window, low, high) for (n_window, low), (_, high) in bounds]
    columns = []
    for frames in read_frames(source, SAMPLE_RATE, N_FFT, hop_length, padding=(N_FFT // 2, N_FFT // 2)):
        bands = []
        for (n_window, _), weights in zip(WINDOWS, filters, strict=True):
            centre = frames[:, (N_FFT - n_window) // 2 :][:, :n_window]
            bands.append(weights @ compute_magnitudes(centre).T)
        columns.append(np.concatenate(bands))
    magnitudes = np.concatenate(columns, axis=1)
    octaves = np.linspace(0, (HIGHEST - LOWEST) / 12, len(magnitudes))
    return compute_levels(magnitudes, octaves), hop_length


def _filters(n_window: int, low: float, high: float) -> np.ndarray:
    """Return triangles that read the rows from `low` to `high` off a spectrum: (rows, bins).

    A row is as wide as its pitches, or one bin where bins are further apart.
    """
    rows = np.arange(low, high, 1 / ROWS_PER_SEMITONE) + 0.5 / ROWS_PER_SEMITONE
    centre_hz = units.midi_to_hz(rows)[:, None]
    width_hz = units.midi_to_hz(rows + 1 / ROWS_PER_SEMITONE)[:, None] - centre_hz
    hz = np.fft.rfftfreq(n_window, 1 / SAMPLE_RATE)
    weights = np.maximum(1 - np.abs(hz - centre_hz) / np.maximum(width_hz, hz[1]), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
