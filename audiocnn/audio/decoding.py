"""A file -> its samples, by whatever can read it: the content decides, not the suffix."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from audiocnn import files
from audiocnn.audio import ffmpeg, libsndfile, ogg
from audiocnn.audio.checks import AudioError, check_readable
from audiocnn.audio.libsndfile import Reading

TOLERANCE_S = 0.1  # that a file may lack of what its header says: encoders round to frames


def read_chunks(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """Read a file as it is, by libsndfile, and by FFmpeg what libsndfile cannot read.

    Args:
        path: audio file or video.

    Yields:
        Its sample rate in Hz with each chunk, float32 (channels, samples).

    Raises:
        AudioError: nothing can be read.

    Warns:
        files.PartWarning: a part of the file cannot be read.
        files.FileWarning: bytes in it are no sound.
    """
    check_readable(path)
    reading, reason, n_channels = Reading(losses=ogg.find_damage(path)), "holds no samples", None
    try:
        parts = libsndfile.find_parts(path)
        # What follows a missing page keeps its place in time with FFmpeg only.
        if not (reading.losses and len(parts) == 1 and ffmpeg.is_installed()):
            for samples in libsndfile.read_chunks(path, parts, reading):
                n_channels = len(samples)
                yield reading.sample_rate, samples
    except AudioError as error:
        reason = error.reason
    # FFmpeg, too, may stop at the end of the first of joined files, or repeat parts of them.
    if reading.n_read == 0 or (_is_short(reading) and reading.n_parts == 1 and ffmpeg.is_installed()):
        try:
            for samples in ffmpeg.read_chunks(path, reading, reason):
                reading.remarks = ()  # FFmpeg goes over the whole file
                n_channels = n_channels or len(samples)
                yield reading.sample_rate, _fit_channels(samples, n_channels)
        except AudioError as error:  # it may not know the format
            reason = error.reason
    if reading.n_read == 0:
        raise AudioError(path, reason)
    _report(path, reading)


def read_duration_s(path: str | os.PathLike) -> float:
    """Read the length of a recording from its header; a damaged file may hold less.

    Args:
        path: audio file.

    Returns:
        Seconds.

    Raises:
        AudioError: the file is missing, unreadable, no audio, or empty.
    """
    check_readable(path)
    duration_s, reason = 0.0, "holds no samples"
    try:
        for source in libsndfile.find_parts(path):
            with libsndfile.open_part(path, source) as file:
                duration_s += file.frames / file.samplerate
    except AudioError as error:
        reason = error.reason
    return duration_s or ffmpeg.read_duration_s(path, reason)


@np.errstate(over="ignore", invalid="ignore")
def _fit_channels(samples: np.ndarray, n_channels: int) -> np.ndarray:
    """Give samples (channels, samples) the channels that came before: damage can change their number."""
    if len(samples) == n_channels:
        return samples
    return np.repeat(samples.mean(axis=0, keepdims=True), n_channels, axis=0)


def _is_short(reading: Reading) -> bool:
    return reading.n_read < reading.n_expected - TOLERANCE_S * reading.sample_rate


def _report(path: str | os.PathLike, reading: Reading) -> None:
    """Warn of what of a file was not read."""
    if not _is_short(reading) and not reading.losses:
        files.warn(path, reading.remarks)
        return
    read_s, expected_s = reading.n_read / reading.sample_rate, reading.n_expected / reading.sample_rate
    advice = () if ffmpeg.is_installed() else (ffmpeg.ADVICE,)
    expected = f" of {expected_s:.1f}" if _is_short(reading) else ""
    remark = f"damaged or cut off: {read_s:.1f}{expected} s are read"
    files.warn(path, [remark, *reading.losses, *reading.remarks, *advice], files.PartWarning)
