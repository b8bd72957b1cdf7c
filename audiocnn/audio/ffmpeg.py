"""Sound by FFmpeg, in the package av: m4a, aac, the sound of videos, and what libsndfile cannot read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np

from audiocnn.audio.checks import N_READ, AudioError, audio_errors, check_sample_rate
from audiocnn.audio.libsndfile import Reading

ADVICE = "pip install 'audiocnn[video]' reads m4a, aac, the sound of videos and damaged files"
# FFmpeg follows play lists to other files and addresses: formats that hold their sound themselves, only.
FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,"
    "mpeg,mpegts,ogg,tta,w64,wav,wv"
)
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
MIN_GAP_S = 0.005  # time stamps of some formats are rounded to 1 ms
MAX_GAP_S = 3600.0  # a longer gap is a jump of the clock
# Samples before the sound that every encoder of AAC adds, where no header says how many there are.
PRIMING = {"aac": 1024}
MAX_DAMAGED = 10_000  # packets
GUESSED = {"aac", "mp3"}  # formats whose duration FFmpeg estimates from the size of the file


def is_installed() -> bool:
    """Whether FFmpeg is there."""
    return find_spec("av") is not None


def read_chunks(path: str | os.PathLike, reading: Reading, reason: str) -> Iterator[np.ndarray]:
    """Read a file from where `reading` has come to.

    The sound has its place in time: silence stands where it begins later than the video, and in gaps.

    Args:
        path: audio file or video.
        reading: is updated.
        reason: what libsndfile has against the file.

    Yields:
        Chunks, float32 (channels, samples).

    Raises:
        AudioError: FFmpeg is not there, or has nothing to read in the file.
    """
    n_skipped = reading.n_read
    position = 0
    for sample_rate, start, samples in _decode(path, reading, reason):
        reading.sample_rate = reading.sample_rate or sample_rate
        gap = start - position
        samples = samples[:, max(-start, 0) :] if position == 0 else samples
        if gap > MAX_GAP_S * sample_rate:
            reading.losses += (f"a jump of {gap / sample_rate:.0f} s in its time stamps is left out",)
        elif gap > MIN_GAP_S * sample_rate:
            samples = np.pad(samples, ((0, 0), (gap, 0)))
        position += samples.shape[1]
        new = samples[:, max(samples.shape[1] - max(position - n_skipped, 0), 0) :]
        for first in range(0, new.shape[1], N_READ):
            chunk = new[:, first : first + N_READ]
            reading.n_read += chunk.shape[1]
            yield chunk


def read_duration_s(path: str | os.PathLike, reason: str) -> float:
    """Read the length of a file from its header.

    Args:
        path: audio file or video.
        reason: what libsndfile has against the file.

    Returns:
        Seconds; 0 where it does not say.

    Raises:
        AudioError: as `read_chunks`.
    """
    with _open(path, reason) as (container, _):
        return (container.duration or 0) / 1e6


class _Seekable:
    """A file in which a seek to where a damaged header says, before its start, ends reading without an error.

    PyAV would print the error's traceback.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.read, self.tell = file, file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self.file.seek(offset, whence)
        except (OSError, ValueError):
            return -1


@contextlib.contextmanager
def _open(path: str | os.PathLike, reason: str) -> Iterator[tuple[Any, Any]]:
    """Open a file; yield the container and its sound."""
    if not is_installed():
        raise AudioError(path, f"{reason}; {ADVICE}")
    reason = reason.replace("libsndfile", "libsndfile or FFmpeg")
    import av
    from av.error import FFmpegError

    with open(path, "rb") as file:  # a path could name an address
        try:
            container = av.open(_Seekable(file), metadata_errors="ignore", options=OPTIONS)
        except (FFmpegError, ValueError) as error:
            raise AudioError(path, reason) from error
        with container:
            sound: Any = container.streams.best("audio")
            if sound is None or sound.codec_context is None:
                raise AudioError(path, "holds no sound" if container.streams.video else reason)
            with audio_errors(path):
                check_sample_rate(sound.sample_rate)
            yield container, sound


def _decode(path: str | os.PathLike, reading: Reading, reason: str) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the sample rate in Hz, where samples are by the clock, and samples (channels, samples)."""
    import av
    from av.error import FFmpegError

    with _open(path, reason) as (container, sound):
        rate, origin_s = sound.sample_rate, _find_origin_s(container, sound)
        reading.n_expected = max(reading.n_expected, round(_find_end_s(container, sound, origin_s) * rate))
        if sound.codec_context.name == "flac":  # others take what is not quite right for damaged
            sound.codec_context.options = {"err_detect": "crccheck+explode"}
        start, n_damaged, shape, resampler = 0, 0, None, None
        packets = container.demux(sound)
        while True:
            try:
                frames = next(packets).decode()
            except StopIteration:
                break
            except FFmpegError:  # the next packet may be whole, unless the file has ended
                n_damaged += 1
                if n_damaged == MAX_DAMAGED:
                    break
                continue
            for frame in frames:
                if frame.pts is not None:
                    start = round((float(frame.pts * frame.time_base) - origin_s) * rate)
                if shape != (shape := (frame.format.name, frame.layout.name, frame.sample_rate)):
                    resampler = av.AudioResampler(format="fltp", layout=sound.layout, rate=rate)
                assert resampler is not None
                for even in resampler.resample(frame):
                    yield rate, start, even.to_ndarray()
                    start += even.samples
        if n_damaged:
            reading.losses += (f"{n_damaged} damaged packets are left out",)


def _find_origin_s(container: Any, sound: Any) -> float:
    """Find the time stamp at which the recording begins: where its video does, or else its sound."""
    from av.stream import Disposition

    films = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    if films and films[0].start_time is not None:
        return float(films[0].start_time * films[0].time_base)
    return (container.start_time or 0) / 1e6 + PRIMING.get(container.format.name, 0) / sound.sample_rate


def _find_end_s(container: Any, sound: Any, origin_s: float) -> float:
    """Find when the sound ends by the file's header, in seconds from the origin; 0 where it does not say."""
    if container.format.name == "caf" and sound.codec_context.name.startswith("pcm"):
        return sound.frames / sound.sample_rate  # its duration is of what is there
    if sound.duration and container.format.name not in GUESSED:
        return float(((sound.start_time or 0) + sound.duration) * sound.time_base) - origin_s
    if container.format.name.startswith("matroska") and not container.streams.video:
        return (container.duration or 0) / 1e6
    return 0.0
