"""Sound files by libsndfile: what it reads, and how much more there is than it reads."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import soundfile

from audiocnn import files
from audiocnn.audio import mp3
from audiocnn.audio.checks import N_READ, AudioError, audio_errors, check_sample_rate

# What a file begins with, by its format: libsndfile stops where another one has been joined to the first.
HEADS = {
    "AIFF": re.compile(rb"FORM(?s:.{4})AIF[FC]"),
    "FLAC": re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"),
    "MP3": mp3.FIRST_FRAME,
    "OGG": re.compile(rb"OggS\x00\x02"),
    "RF64": re.compile(rb"RF64(?s:.{4})WAVE"),
    "WAV": re.compile(rb"RIFF(?s:.{4})WAVE"),
}
MAGIC = {b"FORM": "AIFF", b"RIFF": "WAV"}  # of formats of which libsndfile refuses joined files
MIN_PART = 128  # bytes; a film's Ogg begins with several heads, 42 to 112 bytes each
# What libsndfile notes of a file that is shorter than its header says.
SHORTER = re.compile(r"(?:data|riff|SSND|Data Size) *: (\d+) \(should be (\d+)\)")
UNKNOWN_SIZE = 2**31 - 2**20  # bytes; writers that do not know the size claim this much or more
SHORTER_RF64 = re.compile(r"from 'ds64' chunk of (\d+)\.")
STRAY = re.compile(r"Unknown chunk marker .* at position (\d+)\. Exiting")
N_NEAR_DAMAGE = 1024  # samples, over all channels, read at a time where a chunk was damaged
MAX_FRAMES = 2**53  # more stands for an unknown length

Source = str | os.PathLike | bytes
"""The path of a file, or the bytes of a part of it."""


@dataclass
class Reading:
    """How far a file has been read; updated by `read_chunks`.

    Attributes:
        sample_rate: in Hz.
        n_read: samples of each channel.
        n_expected: samples of each channel that the file should hold, as far as that is known.
        n_parts: files that are joined in this one.
        remarks: what is left out, beside missing samples, and why.
    """

    sample_rate: int = 0
    n_read: int = 0
    n_expected: int = 0
    n_parts: int = 0
    remarks: tuple[str, ...] = ()


def read_chunks(path: str | os.PathLike, reading: Reading) -> Iterator[np.ndarray]:
    """Read a file, and those that are joined to it, as far as libsndfile can.

    Args:
        path: audio file.
        reading: is updated.

    Yields:
        Chunks, float32 (channels, samples).

    Raises:
        AudioError: libsndfile cannot open the file.
    """
    n_channels = 0
    for source in find_parts(path):
        reading.n_parts += 1
        with open_part(path, source) as file:
            n_channels, rate = n_channels or file.channels, reading.sample_rate or file.samplerate
            reading.sample_rate = rate
            reading.n_expected += round(expect_samples(file, source) * rate / file.samplerate)
            if stray := STRAY.search(file.extra_info):
                n_bytes = os.path.getsize(path) - int(stray[1])
                reading.remarks += (f"its last {n_bytes} bytes belong to nothing in it and are not read",)
            if (file.channels, file.samplerate) != (n_channels, rate):
                reading.remarks += (
                    f"file {reading.n_parts} joined in it has another sample rate or channels",
                )
                continue
        yield from _read_part(path, source, reading)


def _read_part(path: str | os.PathLike, source: Source, reading: Reading) -> Iterator[np.ndarray]:
    """Read chunks up to the end or to damage, which leaves fewer samples than expected."""
    start = reading.n_read
    for n_read in (N_READ, N_NEAR_DAMAGE):  # a chunk with damage is lost whole
        with open_part(path, source) as file, contextlib.suppress(soundfile.LibsndfileError):
            file.seek(reading.n_read - start)
            while True:
                with files.mute(stdout=False):
                    frames = file.read(max(1, n_read // file.channels), dtype="float32", always_2d=True)
                if not len(frames):
                    return
                reading.n_read += len(frames)
                yield frames.T


def find_parts(path: str | os.PathLike) -> list[Source]:
    """Find the files of which a file was joined, such as two mp3.

    Args:
        path: audio file.

    Returns:
        The bytes of each; of a file that was not joined its path.

    Raises:
        AudioError: libsndfile cannot open the file.
    """
    head = HEADS.get(_find_format(path))
    if head is None:
        return [path]
    with mp3.map_bytes(path) as data:
        starts: list[int] = []
        for match in head.finditer(data):
            if not starts or match.start() - starts[-1] >= MIN_PART:
                starts.append(match.start())
        if len(starts) < 2:
            return [path]
        bounds = [0, *starts[1:], len(data)]
        return [data[start:stop] for start, stop in pairwise(bounds)]


def _find_format(path: str | os.PathLike) -> str:
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic in MAGIC:
        return MAGIC[magic]
    with open_part(path, path) as file:
        return file.format


def open_part(path: str | os.PathLike, source: Source) -> soundfile.SoundFile:
    """Open a file, or one of those joined in it, by libsndfile, which goes by the content.

    Args:
        path: audio file, for errors.
        source: its path, or the bytes of a part of it.

    Returns:
        The open file.

    Raises:
        AudioError: libsndfile cannot.
    """
    try:
        with files.mute():
            opened: Any = io.BytesIO(source) if isinstance(source, bytes) else os.fsencode(source)
            file = soundfile.SoundFile(opened)  # a name may be no UTF-8
    except soundfile.LibsndfileError as error:
        # libsndfile says of an mp3 without a single good frame that it does not exist.
        why = "" if "does not exist" in error.error_string else f": {error.error_string}"
        raise AudioError(path, f"no audio that libsndfile can read{why}") from error
    except TypeError as error:  # soundfile asks for what a .raw file does not hold
        raise AudioError(path, error) from error
    with audio_errors(path):
        check_sample_rate(file.samplerate)
    return file


def expect_samples(file: soundfile.SoundFile, source: Source) -> int:
    """Return how many samples of each channel a file should hold: what its header says, or its frames.

    Args:
        file: the open file.
        source: its path or bytes.

    Returns:
        Samples; 0 where it is not known.
    """
    n_frames = file.frames if file.frames < MAX_FRAMES else 0
    if file.format == "MP3":  # without this frame libsndfile guesses
        with mp3.map_bytes(source) as data:
            n_counted = mp3.count_samples(data)
            return max(n_frames, n_counted) if mp3.FIRST_FRAME.search(data) else n_counted
    shorter = SHORTER.search(file.extra_info)
    if shorter and int(shorter[1]) < UNKNOWN_SIZE:
        return n_frames * int(shorter[1]) // max(int(shorter[2]), 1)
    if shorter := SHORTER_RF64.search(file.extra_info):
        return int(shorter[1])
    return n_frames
