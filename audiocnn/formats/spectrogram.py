"""Recording -> the spectrogram of a plot, in bounded memory; the piano roll and the plot of labels share it.

A front end is part of a model and gives what its network needs; this gives what a plot has room for, however
long the recording is.
"""

import os
from collections.abc import Iterator
from itertools import chain

import numpy as np

from audiocnn import audio

MAX_VALUES = 2**21  # of the frames in memory at once: 8 MB
FLOOR = 1e-9  # lowest amplitude: -180 dB
TILT_DB = 2  # an octave: music has less energy in its highest octaves


def read_frames(
    source: str | os.PathLike,
    sample_rate: int,
    frame_length: int,
    hop_length: int,
    padding: tuple[int, int] = (0, 0),
) -> Iterator[np.ndarray]:
    """Read a recording as overlapping frames.

    Args:
        source: an audio file.
        sample_rate: in Hz, to which it is resampled.
        frame_length: samples of a frame.
        hop_length: samples from one frame to the next, at most frame_length.
        padding: samples of silence before the beginning and after the end.

    Yields:
        Consecutive frames (frames, frame_length), many at a time; at least one, which silence completes.

    Raises:
        audio.AudioError: the file cannot be read.
    """
    before, after = (np.zeros(n, np.float32) for n in padding)
    n_block = max(MAX_VALUES // frame_length, 1) * hop_length
    samples, is_empty = before, True
    for block in chain(audio.read_blocks(source, sample_rate, n_block), [after]):
        samples = np.concatenate([samples, block])
        if len(samples) >= frame_length:
            frames = np.lib.stride_tricks.sliding_window_view(samples, frame_length)[::hop_length]
            yield frames
            samples, is_empty = samples[len(frames) * hop_length :], False
    if is_empty:
        yield np.pad(samples, (0, frame_length - len(samples)))[None]


def compute_magnitudes(frames: np.ndarray) -> np.ndarray:
    """Compute the magnitude spectra of frames under a Hann window.

    Args:
        frames: (..., samples).

    Returns:
        (..., samples // 2 + 1), divided by the number of samples.
    """
    n_fft = frames.shape[-1]
    return np.abs(np.fft.rfft(frames * (np.hanning(n_fft) / n_fft).astype(np.float32)))


def compute_levels(magnitudes: np.ndarray, octaves: np.ndarray) -> np.ndarray:
    """Compute levels in dB below the highest, raised by `TILT_DB` an octave.

    Args:
        magnitudes: (bins, frames).
        octaves: how many octaves each bin lies above the lowest, (bins,).

    Returns:
        (bins, frames), 0 at most.
    """
    levels = 20 * np.log10(np.maximum(magnitudes, FLOOR)) + TILT_DB * octaves[:, None]
    return levels - levels.max()
