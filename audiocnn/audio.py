"""Sound in and out: an audio file or a stream of arrays -> one mono waveform at a known rate, and back.

First in the flow. A waveform is float32 `(samples,)`, the mean of the channels, full scale at ±1. Whole files,
blocks and streams go through the same streaming resampler, which gives the same samples however its input is
cut: n samples become ceil(n * out_rate / in_rate), the first one at time 0. soundfile reads what libsndfile
knows; m4a, aac and video sound need torchcodec (`pip install audiocnn[video]`).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audiocnn import files

SOUND_SUFFIXES = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .rf64 .snd .w64 .wav .wave".split()
)
VIDEO_SUFFIXES = frozenset(".aac .avi .m4a .m4b .m4v .mka .mkv .mov .mp4 .webm .wma .wmv".split())

N_READ = 65536  # frames read or written at a time; libvorbis crashes on calls of a minute
LOWEST_RATE = 1000  # Hz; a header with less is damaged, and resampling from it would fill the memory
LARGEST_SAMPLE = 1e12  # beyond the scale of any integer format: damage, and squaring it would overflow


class AudioError(files.FileError):
    """Audio that cannot be read or written: one line, `path: reason`."""


class Resampler:
    """Mono samples at `out_rate` of a stream of arrays at `in_rate`, both in Hz, the same however it is cut.

    Output comes up to 40 ms after its input, and the rest with `flush`.
    """

    def __init__(self, in_rate: int, out_rate: int):
        self.in_rate, self.out_rate = in_rate, out_rate
        self._stream = soxr.ResampleStream(in_rate, out_rate, num_channels=1)
        self._n_in = self._n_out = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The resampled samples that are complete so far, float32: (samples,) or (channels, samples) -> (samples,).

        Raises:
            ValueError: integers, or a sample that is NaN, infinite or absurdly large; names its time.
        """
        mono = _mono(samples)
        bad = ~(np.abs(mono) < LARGEST_SAMPLE)
        if bad.any():
            first = int(bad.argmax())
            time_s = (self._n_in + first) / self.in_rate
            raise ValueError(f"the sample at {time_s:.3f} s is {mono[first]:g}, expected a number within ±1")
        self._n_in += len(mono)
        resampled = self._stream.resample_chunk(mono)
        self._n_out += len(resampled)
        return resampled

    def flush(self) -> np.ndarray:
        """The last samples, float32 (samples,); ends the stream."""
        n_left = -(-self._n_in * self.out_rate // self.in_rate) - self._n_out
        # soxr rounds the length down as often as up: silence after the end makes up what it drops.
        silence = np.zeros(-(-self.in_rate // self.out_rate), np.float32)
        return self._stream.resample_chunk(silence, last=True)[:n_left]


def load(path: str | os.PathLike, sample_rate: int) -> np.ndarray:
    """The whole waveform at `sample_rate` Hz, float32 (samples,), at least one sample.

    Raises:
        AudioError: the file is missing, unreadable, no audio, empty, or holds NaN or infinite samples.
    """
    return np.concatenate(list(_resampled(path, sample_rate)))


def blocks(
    path: str | os.PathLike, sample_rate: int, n_samples: int, overlap: int = 0
) -> Iterator[np.ndarray]:
    """The samples of `load`, `n_samples` at a time (the last block may be shorter), in bounded memory.

    Each block begins with the last `overlap` samples of the one before.

    Raises:
        AudioError: as `load`, when the reading comes to it.
    """
    if not 0 <= overlap < n_samples:
        raise ValueError(f"overlap is {overlap}, expected 0 to n_samples - 1 = {n_samples - 1}")
    kept = np.zeros(0, np.float32)
    n_seen = 0  # samples at the start of kept that a block has already given
    for samples in _resampled(path, sample_rate):
        kept = np.concatenate([kept, samples])
        while len(kept) >= n_samples:
            yield kept[:n_samples]
            kept, n_seen = kept[n_samples - overlap :], overlap
    if len(kept) > n_seen:
        yield kept


def duration_s(path: str | os.PathLike) -> float:
    """Length in seconds as the header tells it: reading a damaged file may find less."""
    if Path(path).suffix.lower() in VIDEO_SUFFIXES:
        return float(_video_decoder(path).metadata.duration_seconds or 0)
    with _open(path) as file:
        return file.frames / file.samplerate


def find(path: str | os.PathLike) -> list[Path]:
    """The audio files of a folder and the folders in it, sorted; a file is itself, whatever its name.

    Hidden files and folders are passed over.

    Raises:
        AudioError: there is no such path, or no audio in the folder.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise AudioError(path, "No such file or folder")
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SOUND_SUFFIXES | VIDEO_SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and file.is_file()
    )
    if not found:
        raise AudioError(
            path, "no audio in this folder (looked for .wav, .flac, .mp3, .ogg, .m4a and the like)"
        )
    return found


def save(path: str | os.PathLike, waveform: np.ndarray, sample_rate: int) -> None:
    """Writes a waveform (samples,) or (channels, samples) in the format that the suffix names; clips beyond ±1.

    Raises:
        AudioError: the format is unknown or does not take this rate or so many channels.
        files.FileError: the system refuses.
    """
    frames = np.atleast_2d(waveform).T
    with files.written(path) as partial:
        try:
            with soundfile.SoundFile(partial, "w", sample_rate, frames.shape[1]) as file:
                for start in range(0, len(frames), N_READ):
                    file.write(frames[start : start + N_READ])
        except soundfile.LibsndfileError as error:
            raise AudioError(path, error.error_string) from error


def _mono(samples: np.ndarray) -> np.ndarray:
    """Mean of the channels: (samples,) or (channels, samples) -> float32 (samples,)."""
    samples = np.asarray(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"the samples are {samples.dtype}, expected floating point numbers within ±1")
    with np.errstate(over="ignore", invalid="ignore"):
        samples = samples.astype(np.float32, copy=False)
        return samples if samples.ndim == 1 else samples.mean(axis=0)


def _resampled(path: str | os.PathLike, sample_rate: int) -> Iterator[np.ndarray]:
    """Consecutive pieces of the file's waveform at `sample_rate` Hz, float32 (samples,)."""
    resampler = None
    for in_rate, samples in _read(path):
        if resampler is None:
            resampler = Resampler(in_rate, sample_rate)
        try:
            yield resampler.push(samples)
        except ValueError as error:
            raise AudioError(path, error) from error
    if resampler is None:
        raise AudioError(path, "holds no samples")
    yield resampler.flush()


def _read(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """The file's own rate in Hz with each piece of it, (channels, samples)."""
    if Path(path).suffix.lower() in VIDEO_SUFFIXES:
        yield from _read_video(path)
        return
    with _open(path) as file:
        while len(frames := file.read(N_READ, dtype="float32", always_2d=True)):
            yield file.samplerate, frames.T


def _open(path: str | os.PathLike) -> soundfile.SoundFile:
    """The file opened with soundfile."""
    try:
        with open(path, "rb"):  # the system's reasons are clearer than libsndfile's "System error"
            file = soundfile.SoundFile(path)
    except OSError as error:
        raise AudioError(path, error.strerror) from error
    except soundfile.LibsndfileError as error:
        raise AudioError(path, error.error_string) from error
    if file.samplerate < LOWEST_RATE:
        file.close()
        raise AudioError(path, f"sample rate is {file.samplerate} Hz, expected at least {LOWEST_RATE} Hz")
    return file


def _read_video(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    raise AudioError(path, "reading this format needs torchcodec: pip install audiocnn[video]")
    yield


def _video_decoder(path: str | os.PathLike):
    raise AudioError(path, "reading this format needs torchcodec: pip install audiocnn[video]")
