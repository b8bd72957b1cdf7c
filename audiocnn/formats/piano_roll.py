"""Notes -> PNG: the piano roll over the spectrogram of the recording, with one axis of pitch for both.

The plot has systems one below the other, as sheet music has, and is of bounded size: the longer the
recording, the more time a system covers. matplotlib is used without pyplot, so nothing of a caller's
figures is touched.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

from audiocnn import audio, files, units
from audiocnn.notes import BEND_STEP_S, Note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

SAMPLE_RATE = 11_025  # Hz; half of it is above C8, 4186 Hz
LOWEST, HIGHEST = 20.5, 108.5  # MIDI numbers at the plot's edges: the piano's range, 27.5 to 4186 Hz
ROWS_PER_SEMITONE = 3
# Long windows tell low pitches apart, short ones show when high notes start: (samples, from MIDI number).
WINDOWS = ((8192, LOWEST), (4096, 47.5), (2048, 71.5), (1024, 95.5))
N_FFT = WINDOWS[0][0]
SYSTEM_S, N_SYSTEMS = 30.0, 8  # a system covers this much, or more when there would be more systems than this
COLUMNS = 1000  # of the spectrogram, in a system
SHORTEST_HOP = 110  # samples: 10 ms
BLOCK_FRAMES = 256
DYNAMIC_RANGE_DB = 50
TILT_DB = 2  # an octave: music has less at the top


def write_png(notes: Iterable[Note], source: str | os.PathLike, path: str | os.PathLike) -> None:
    """Writes the plot of a recording and its notes: colour tells velocity."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    levels, hop_length = _spectrogram(source)
    end_s = max(levels.shape[1] * hop_length / SAMPLE_RATE, 0.1)
    n_systems = int(np.clip(np.ceil(end_s / SYSTEM_S), 1, N_SYSTEMS))
    figure = Figure(figsize=(16, 0.7 + 4.3 * n_systems), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    notes = list(notes)
    systems = figure.subplots(n_systems, squeeze=False)[:, 0]
    for axes, span_s in zip(systems, pairwise(np.linspace(0, end_s, n_systems + 1)), strict=True):
        first, last = (int(time_s * SAMPLE_RATE / hop_length) for time_s in span_s)
        edges_s = (np.array([first, last + 2]) - 0.5) * hop_length / SAMPLE_RATE
        axes.imshow(
            levels[:, first : last + 2],
            extent=(*edges_s, LOWEST, HIGHEST),
            origin="lower",
            aspect="auto",
            cmap="bone_r",
            vmin=-DYNAMIC_RANGE_DB,
            vmax=8,  # the darkest grey is left to the onsets of notes
        )
        drawn = _draw(axes, [one for one in notes if one.onset_s < span_s[1] and one.offset_s > span_s[0]])
        _dress(axes, span_s)
    systems[-1].set_xlabel("seconds")
    figure.colorbar(drawn, ax=systems[0], label="velocity", pad=0.01, aspect=30)
    with files.write_atomically(path) as partial:
        figure.savefig(partial, format="png", pil_kwargs={"compress_level": 1})  # 8 % larger, 20 % sooner


def _draw(axes: "Axes", notes: list[Note]) -> "PolyCollection":
    """Notes as rectangles, a semitone high, and their bends as lines."""
    from matplotlib.collections import LineCollection, PolyCollection

    corners = [
        [(x, note.midi + y) for x, y in zip((note.onset_s, note.offset_s), (-0.5, 0.5), strict=True)]
        for note in notes
    ]
    boxes = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for (x0, y0), (x1, y1) in corners]
    drawn = PolyCollection(boxes, cmap="plasma_r", alpha=0.9, linewidth=0)
    drawn.set_array([note.velocity for note in notes])
    drawn.set_clim(1, 127)
    axes.add_collection(drawn, autolim=False)
    starts = [box[:: len(box) - 1] for box in boxes]
    axes.add_collection(LineCollection(starts, colors="black", linewidth=1.2), autolim=False)
    bent = [
        [(note.onset_s + step * BEND_STEP_S, note.midi + value) for step, value in enumerate(note.bend)]
        for note in notes
        if note.bend
    ]
    axes.add_collection(LineCollection(bent, colors="white", linewidth=1), autolim=False)
    return drawn


def _dress(axes: "Axes", span_s: tuple[float, float]) -> None:
    axes.set(xlim=span_s, ylim=(LOWEST, HIGHEST))
    axes.set_yticks(range(24, 109, 12), [f"C{octave}" for octave in range(1, 9)])
    axes.grid(axis="y", color="black", alpha=0.15, linewidth=0.6)
    axes.tick_params(length=2)
    axes.spines[:].set_visible(False)


def _spectrogram(source: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Level in dB below the highest, (rows, frames), and the hop length from frame to frame in samples."""
    n_samples = audio.read_duration_s(source) * SAMPLE_RATE
    hop_length = int(np.clip(n_samples / (N_SYSTEMS * COLUMNS), SHORTEST_HOP, N_FFT))
    bounds = pairwise((*WINDOWS, (0, HIGHEST)))
    filters = [_filters(n_window, low, high) for (n_window, low), (_, high) in bounds]
    pieces = []
    for frames in _frames(source, hop_length):
        bands = []
        for (n_window, _), weights in zip(WINDOWS, filters, strict=True):
            window = (np.hanning(n_window) / n_window).astype(np.float32)
            inner = frames[:, (N_FFT - n_window) // 2 :][:, :n_window]
            bands.append(weights @ np.abs(np.fft.rfft(inner * window)).T)
        pieces.append(np.concatenate(bands))
    levels = 20 * np.log10(np.maximum(np.concatenate(pieces, axis=1), 1e-6))
    levels += TILT_DB * np.linspace(0, (HIGHEST - LOWEST) / 12, len(levels))[:, None]
    return levels - levels.max(), hop_length


def _frames(source: str | os.PathLike, hop_length: int) -> Iterator[np.ndarray]:
    """Frames centred on each hop_length-th sample, a block of them at a time: (frames, N_FFT)."""
    silence = np.zeros(N_FFT // 2, np.float32)
    kept = silence
    for block in chain(audio.read_blocks(source, SAMPLE_RATE, BLOCK_FRAMES * hop_length), [silence]):
        kept = np.concatenate([kept, block])
        if len(kept) >= N_FFT:
            frames = np.lib.stride_tricks.sliding_window_view(kept, N_FFT)[::hop_length]
            yield frames
            kept = kept[len(frames) * hop_length :]


def _filters(n_window: int, low: float, high: float) -> np.ndarray:
    """Triangles that read the rows from `low` to `high` off a spectrum: (rows, bins).

    A row is as wide as its pitches, or one bin where bins are further apart.
    """
    rows = np.arange(low, high, 1 / ROWS_PER_SEMITONE) + 0.5 / ROWS_PER_SEMITONE
    centre_hz = units.midi_to_hz(rows)[:, None]
    width_hz = units.midi_to_hz(rows + 1 / ROWS_PER_SEMITONE)[:, None] - centre_hz
    hz = np.fft.rfftfreq(n_window, 1 / SAMPLE_RATE)
    weights = np.maximum(1 - np.abs(hz - centre_hz) / np.maximum(width_hz, hz[1]), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
