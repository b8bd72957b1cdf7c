"""Sound files by libsndfile: what it reads, and how much more there is than it reads."""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import soundfile

from audiocnn import files
from audiocnn.audio import headers, mp3
from audiocnn.audio.checks import N_READ, AudioError, audio_errors, check_sample_rate

# What a file begins with, by its format: libsndfile stops where another one has been joined to the first.
HEADS = {
    "AU": re.compile(rb"\.snd\x00\x00(?s:.{6})\x00\x00\x00[\x01-\x1b]"),
    "CAF": re.compile(rb"caff\x00\x01\x00\x00desc\x00{7}\x20"),
    "W64": re.compile(rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"),
    "AIFF": re.compile(rb"FORM(?s:.{4})AIF[FC]"),
    "FLAC": re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"),
    "MP3": mp3.FIRST_FRAME,
    "OGG": re.compile(rb"OggS\x00\x02"),
    "RF64": re.compile(rb"RF64(?s:.{4})WAVE"),
    "WAV": re.compile(rb"RIFF(?s:.{4})WAVE"),
}
ANY_HEAD = re.compile(b"|".join(head.pattern for head in HEADS.values()))
COMPRESSED = {"FLAC", "MP3", "OGG"}  # small enough to be searched for the heads of all formats
MAGIC = {b"FORM": "AIFF", b"RIFF": "WAV"}  # of formats of which libsndfile refuses joined files
MIN_PART = 128  # bytes; a film's Ogg begins with several heads, 42 to 112 bytes each
CHECKED = {"FLAC", "HTK", "MP3", "OGG"}  # formats whose ends are found otherwise than by their header
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
        losses: what of the sound is missing, beside what `n_read` lacks, and why.
        remarks: what is left out that may be no sound, and why.
    """

    sample_rate: int = 0
    n_read: int = 0
    n_expected: int = 0
    n_parts: int = 0
    losses: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def read_chunks(path: str | os.PathLike, parts: list[Source], reading: Reading) -> Iterator[np.ndarray]:
    """Read a file, and those that are joined to it, as far as libsndfile can.

    Args:
        path: audio file.
        parts: the files that are joined in it, by `find_parts`.
        reading: is updated.

    Yields:
        Chunks, float32 (channels, samples).

    Raises:
        AudioError: libsndfile cannot open the file.
    """
    n_channels = 0
    for reading.n_parts, source in enumerate(parts, 1):
        try:
            file = open_part(path, source)
        except AudioError as error:
            if reading.n_parts == 1:
                raise
            reading.losses += (f"file {reading.n_parts} joined in it cannot be read: {error.reason}",)
            continue
        with file:
            _remark(file.format, source, reading)
            n_channels, rate = n_channels or file.channels, reading.sample_rate or file.samplerate
            reading.sample_rate = rate
            reading.n_expected += round(expect_samples(file, source) * rate / file.samplerate)
            if (file.channels, file.samplerate) != (n_channels, rate):
                remark = f"file {reading.n_parts} joined in it has another sample rate or channels"
                reading.losses += (remark,)
                continue
        yield from _read_part(path, source, reading)


def _read_part(path: str | os.PathLike, source: Source, reading: Reading) -> Iterator[np.ndarray]:
    """Read chunks up to the end or to damage, which leaves fewer samples than expected."""
    start = reading.n_read
    for n_read in (N_READ, N_NEAR_DAMAGE):  # a chunk with damage is lost whole
        with open_part(path, source) as file, contextlib.suppress(soundfile.LibsndfileError):
            if reading.n_read > start:  # some codecs cannot seek, not even to the start
                file.seek(reading.n_read - start)
            while True:
                with files.mute(stdout=False):
                    frames = file.read(max(1, n_read // file.channels), dtype="float32", always_2d=True)
                if not len(frames):
                    return
                reading.n_read += len(frames)
                yield frames.T
    reading.losses += (f"it is damaged at {reading.n_read / reading.sample_rate:.1f} s",)


def find_parts(path: str | os.PathLike) -> list[Source]:
    """Find the files of which a file was joined, such as two mp3.

    Args:
        path: audio file.

    Returns:
        The bytes of each; of a file that was not joined its path.

    Raises:
        AudioError: libsndfile cannot open the file.
    """
    kind = _find_format(path)
    head = ANY_HEAD if kind in COMPRESSED else HEADS.get(kind)
    if head is None:
        return [path]
    with mp3.map_bytes(path) as data:
        starts: list[int] = []
        for match in head.finditer(data):
            if not starts or match.start() - starts[-1] >= MIN_PART:
                starts.append(match.start())
        if starts and not HEADS[kind].match(data, starts[0]):  # of an mp3 that begins otherwise
            starts.insert(0, 0)
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
            file = soundfile.SoundFile(_bound(source))
    except soundfile.LibsndfileError as error:
        # libsndfile says of an mp3 without a single good frame that it does not exist.
        why = "" if "does not exist" in error.error_string else f": {error.error_string}"
        raise AudioError(path, f"no audio that libsndfile can read{why}") from error
    except TypeError as error:  # soundfile asks for what a .raw file does not hold
        raise AudioError(path, error) from error
    with audio_errors(path):
        check_sample_rate(file.samplerate)
    return file


class _Beginning(mmap.mmap):
    """The first bytes of a file; a seek to before or after them goes to their start or end."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: len(self)}[whence]
        super().seek(min(max(origin + offset, 0), len(self)))


def _bound(source: Source) -> Any:
    """What libsndfile is given to read: a file, or as much of it as its header calls sound."""
    with mp3.map_bytes(source) as data:
        stop = headers.find_stop(data)
    if isinstance(source, bytes):
        return io.BytesIO(source[:stop])
    if stop is None:
        return os.fsencode(source)  # a name may be no UTF-8
    with open(source, "rb") as file:
        return _Beginning(file.fileno(), stop, access=mmap.ACCESS_READ)


def _remark(kind: str, source: Source, reading: Reading) -> None:
    """Note what a file of a format holds beside the sound that is read."""
    with mp3.map_bytes(source) as data:
        layout = headers.read_layout(data)
    if layout is None and kind not in CHECKED:
        reading.remarks += (f"whether it is whole is not known for its format, {kind}",)
    if layout and any(span.stop > span.start for span in layout.spans[1:]):
        reading.losses += (f"of its {len(layout.spans)} stretches of sound the first is read",)
    if layout and layout.n_after > MIN_PART:
        remark = f"its last {layout.n_after} bytes belong to nothing in it and are not read"
        reading.remarks += (remark,)


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
    with mp3.map_bytes(source) as data:
        layout, n_bytes = headers.read_layout(data), len(data)
    if layout:
        span = layout.spans[0]
        return n_frames * (span.stop - span.start) // max(min(span.stop, n_bytes) - span.start, 1)
    return n_frames
