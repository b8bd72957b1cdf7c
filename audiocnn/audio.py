"""Sound in and out: an audio file or a stream of arrays -> one mono waveform at a known rate, and back.

First in the flow. A waveform is float32 `(samples,)`, the mean of the channels, full scale at ±1. Whole
files, blocks and streams go through the same streaming resampler, which gives the same samples however its
input is cut: n samples become ceil(n * out_rate / in_rate), the first one at time 0. soundfile reads what
libsndfile knows; m4a, aac and the sound of videos need torchcodec (`pip install 'audiocnn[video]'`).
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audiocnn import files

SOUND_SUFFIXES = {".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64"}
SOUND_SUFFIXES |= {".snd", ".w64", ".wav", ".wave"}
VIDEO_SUFFIXES = {".aac", ".avi", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4", ".webm", ".wma"}

N_READ = 65536  # samples, over all channels, read at a time; frames written: libvorbis crashes on a minute
RATES = range(1000, 1_000_001)  # Hz; beyond them a header is damaged and the resampler eats time and memory
LARGEST_SAMPLE = 1e12  # beyond the full scale of any integer format: damage, and its square would overflow

_STDERR = threading.Lock()


class AudioError(files.FileError):
    """Audio that cannot be read or written: one line, `path: reason`."""


class Resampler:
    """Mono samples at `out_rate` of a stream of arrays at `in_rate` (both in Hz), however it is cut.

    Output lags its input by up to 40 ms (44.1 or 48 kHz -> 16 kHz); `flush` gives what is left.
    """

    def __init__(self, in_rate: int, out_rate: int):
        self.in_rate, self.out_rate = in_rate, out_rate
        self._stream = soxr.ResampleStream(in_rate, out_rate, num_channels=1)
        self._n_in = self._n_out = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The resampled samples that are complete by now, float32.

        Shape: (samples,) or (channels, samples) -> (samples,).

        Raises:
            ValueError: integers instead of floats; a sample that is NaN, infinite or absurdly large.
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
        AudioError: the file is missing, unreadable, damaged, no audio, empty, or holds NaN or infinities.
    """
    return np.concatenate(list(_resampled(path, sample_rate)))


def load_channels(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """The whole sound as it is, float32 (channels, samples), and its sample rate in Hz.

    Raises:
        AudioError: as `load`.
    """
    pieces = list(_pieces(path))
    if not pieces:
        raise AudioError(path, "holds no samples")
    samples = np.concatenate([piece for _, piece in pieces], axis=1)
    if not (np.abs(samples) < LARGEST_SAMPLE).all():
        raise AudioError(path, "holds samples that are no numbers, expected numbers within ±1")
    return samples, pieces[0][0]


def read_blocks(
    path: str | os.PathLike, sample_rate: int, n_samples: int, overlap: int = 0
) -> Iterator[np.ndarray]:
    """The samples of `load`, `n_samples` at a time (the last block may be shorter), in bounded memory.

    Each block begins with the last `overlap` samples of the one before.

    Raises:
        AudioError: as `load`, when the reading comes to it.
    """
    if not 0 <= overlap < n_samples:
        raise ValueError(f"overlap is {overlap}, expected 0 to n_samples - 1 = {n_samples - 1}")
    held, n_held, n_shared = [], 0, 0
    for piece in _resampled(path, sample_rate):
        held.append(piece)
        n_held += len(piece)
        if n_held < n_samples:
            continue
        samples = np.concatenate(held)
        while len(samples) >= n_samples:
            yield samples[:n_samples].copy()  # the next block shares its end
            samples, n_shared = samples[n_samples - overlap :], overlap
        held, n_held = [samples], len(samples)
    if n_held > n_shared:
        yield np.concatenate(held)


def stream(
    sound: str | os.PathLike | tuple[np.ndarray, int], sample_rate: int, n_samples: int
) -> Iterable[np.ndarray]:
    """The samples of a file, as `read_blocks`, or of an array (samples,) or (channels, samples) with its rate."""
    if not isinstance(sound, tuple):
        return read_blocks(sound, sample_rate, n_samples)
    samples, rate = sound
    resampler = Resampler(rate, sample_rate)
    return [resampler.push(samples), resampler.flush()]


def read_duration_s(path: str | os.PathLike) -> float:
    """Length in seconds as the header tells it: reading a damaged file may find less."""
    if Path(path).suffix.lower() in VIDEO_SUFFIXES:
        return float(_open_video(path).metadata.duration_seconds or 0)
    with _open(path) as file:
        return file.frames / file.samplerate


def find_recordings(path: str | os.PathLike) -> list[Path]:
    """The audio files of a folder and the folders in it, sorted; a file is itself, whatever its name.

    Hidden files and folders are passed over.

    Raises:
        AudioError: there is no such path, or no audio in the folder.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise AudioError(path, "No such file or directory")
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SOUND_SUFFIXES | VIDEO_SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and file.is_file()
    )
    if not found:
        raise AudioError(path, "no audio in this folder (.wav, .flac, .mp3, .ogg, .m4a and the like)")
    return found


def save(path: str | os.PathLike, waveform: np.ndarray, sample_rate: int) -> None:
    """Writes (samples,) or (channels, samples) as `create` does."""
    frames = np.atleast_2d(waveform).T
    with create(path, sample_rate, frames.shape[1]) as file:
        for start in range(0, len(frames), N_READ):
            file.write(frames[start : start + N_READ])


@contextlib.contextmanager
def create(path: str | os.PathLike, sample_rate: int, n_channels: int) -> Iterator[soundfile.SoundFile]:
    """A sound file to write (samples, channels) to, piece by piece; it is at `path` when the block ends.

    The suffix names the format. Integer formats clip at ±1.

    Raises:
        AudioError: soundfile does not know the suffix, or its format does not take this rate.
        files.FileError: the system refuses.
    """
    kind = Path(path).suffix[1:].upper()
    if kind not in soundfile.available_formats():
        raise AudioError(path, f"cannot write {kind or 'without a suffix'}, expected wav, flac, ogg, mp3 ...")
    with files.write_atomically(path) as partial:
        try:
            with soundfile.SoundFile(partial, "w", sample_rate, n_channels) as file:
                yield file
        except soundfile.LibsndfileError as error:
            # libsndfile keeps the system's reason to itself: writing once more brings it up.
            with open(partial, "ab") as file:
                file.write(bytes(N_READ))
            raise AudioError(path, error.error_string) from error


def _mono(samples: np.ndarray) -> np.ndarray:
    """Mean of the channels: (samples,) or (channels, samples) -> float32 (samples,)."""
    samples = np.asarray(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"the samples are {samples.dtype}, expected floats within ±1")
    with np.errstate(over="ignore", invalid="ignore"):
        samples = samples.astype(np.float32, copy=False)
        return samples if samples.ndim == 1 else samples.mean(axis=0)


def _resampled(path: str | os.PathLike, sample_rate: int) -> Iterator[np.ndarray]:
    """Consecutive pieces of the file's waveform at `sample_rate` Hz, float32 (samples,)."""
    resampler = None
    for in_rate, samples in _pieces(path):
        resampler = resampler or Resampler(in_rate, sample_rate)
        try:
            yield resampler.push(samples)
        except ValueError as error:
            raise AudioError(path, error) from error
    if resampler is None:
        raise AudioError(path, "holds no samples")
    yield resampler.flush()


def _pieces(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """The file's own rate in Hz with each piece of it, float32 (channels, samples)."""
    return (_read_video if Path(path).suffix.lower() in VIDEO_SUFFIXES else _read)(path)


def _read(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """As `_pieces`, for what libsndfile decodes."""
    n_read = 0
    with _open(path) as file:
        n_frames = max(1, N_READ // file.channels)
        while True:
            try:
                with _muted():
                    frames = file.read(n_frames, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                time_s = n_read / file.samplerate
                raise AudioError(path, f"damaged after {time_s:.1f} s: {error.error_string}") from error
            if not len(frames):
                return
            yield file.samplerate, frames.T
            n_read += len(frames)


def _open(path: str | os.PathLike) -> soundfile.SoundFile:
    """The file opened by libsndfile, which goes by its content, not its suffix."""
    _check(path)
    try:
        with _muted():
            file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        # libsndfile's word for an mp3 without a single good frame is that it does not exist.
        why = "" if "does not exist" in error.error_string else f": {error.error_string}"
        raise AudioError(path, f"no audio that libsndfile can read{why}") from error
    except TypeError as error:  # its way of asking for what a .raw file does not tell
        raise AudioError(path, error) from error
    if file.samplerate not in RATES:
        file.close()
        raise AudioError(path, f"sample rate is {file.samplerate} Hz, expected {RATES[0]} to {RATES[-1]} Hz")
    return file


def _read_video(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """As `_pieces`, for what FFmpeg decodes."""
    decoder = _open_video(path)
    # Not the public get_samples_played_in_range: it decodes from the start again for every range.
    from torchcodec._core import get_next_frame  # pyright: ignore[reportMissingImports]

    while True:
        try:
            samples, _, _ = get_next_frame(decoder._decoder)
        except IndexError:
            return
        except RuntimeError as error:
            raise AudioError(path, "damaged: FFmpeg cannot decode the rest of it") from error
        yield decoder.metadata.sample_rate, samples.numpy()


def _open_video(path: str | os.PathLike):
    """torchcodec's decoder of the file's sound."""
    _check(path)
    try:
        from torchcodec.decoders import AudioDecoder  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchcodec is there but finds no FFmpeg
        raise AudioError(path, "needs FFmpeg and torchcodec: pip install 'audiocnn[video]'") from error
    try:
        return AudioDecoder(os.fspath(path))
    except (RuntimeError, ValueError) as error:
        raise AudioError(path, "no sound in it that FFmpeg can decode") from error


def _check(path: str | os.PathLike) -> None:
    """Raises what the system has against reading the file: its reasons are clearer than the decoders'."""
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                raise AudioError(path, "the file is empty")
    except OSError as error:
        raise AudioError(path, files.describe_error(error)) from error


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Drops what C code writes to the standard error: libmpg123 comments there on every damaged mp3."""
    with _STDERR:
        try:
            kept = os.dup(2)
        except OSError:  # the process has no standard error
            yield
            return
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
