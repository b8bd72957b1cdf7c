"""Audio files and streams <-> mono waveforms at a known sample rate.

First in the flow. A waveform is float32 `(samples,)`, the mean of the channels, full scale at ±1. Whole
files, blocks and streams go through the same streaming resampler, which gives the same samples however its
input is cut: n samples become ceil(n * out_sample_rate / in_sample_rate), the first one at time 0. soundfile
reads what libsndfile knows; m4a, aac and the sound of videos need torchcodec, which
`pip install 'audiocnn[video]'` brings.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audiocnn import files, inputs

SOUND_SUFFIXES = {".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64"}
SOUND_SUFFIXES |= {".snd", ".w64", ".wav", ".wave"}
VIDEO_SUFFIXES = {".aac", ".avi", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4", ".webm", ".wma"}

N_READ = 65536  # samples, over all channels, read at a time; frames written: libvorbis crashes on a minute
# In Hz; beyond them a header is damaged and the resampler eats time and memory.
SAMPLE_RATES = range(1000, 1_000_001)
MAX_SAMPLE = 1e12  # beyond the full scale of any integer format: damage, and its square would overflow


class AudioError(files.FileError):
    """Audio that cannot be read or written: one line, `path: reason`."""


class Resampler:
    """A stream of samples at one rate -> mono samples at another, the same in chunks of any size.

    The output lags its input by up to 40 ms (44.1 or 48 kHz -> 16 kHz); `flush` returns what is left.

    Args:
        in_sample_rate: sample rate of the stream in Hz.
        out_sample_rate: sample rate of the result in Hz.

    Raises:
        ValueError: a sample rate is not among `SAMPLE_RATES`.
    """

    def __init__(self, in_sample_rate: int, out_sample_rate: int):
        _check_sample_rate(in_sample_rate)
        _check_sample_rate(out_sample_rate)
        self.in_sample_rate, self.out_sample_rate = in_sample_rate, out_sample_rate
        self._stream = soxr.ResampleStream(in_sample_rate, out_sample_rate, num_channels=1)
        self._n_in = self._n_out = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Add samples.

        Args:
            samples: the next ones, floats, (samples,) or (channels, samples).

        Returns:
            The resampled samples that are complete by now, float32 (samples,).

        Raises:
            ValueError: integers instead of floats; a sample that is NaN, infinite or beyond `MAX_SAMPLE`.
        """
        mono = _mix_channels(samples)
        bad = ~(np.abs(mono) < MAX_SAMPLE)
        if bad.any():
            first = int(bad.argmax())
            time_s = (self._n_in + first) / self.in_sample_rate
            raise ValueError(f"the sample at {time_s:.3f} s is {mono[first]:g}, expected a number within ±1")
        self._n_in += len(mono)
        resampled = self._stream.resample_chunk(mono)
        self._n_out += len(resampled)
        return resampled

    def flush(self) -> np.ndarray:
        """Return the last samples, float32 (samples,), and end the stream: none may be pushed afterwards."""
        n_left = -(-self._n_in * self.out_sample_rate // self.in_sample_rate) - self._n_out
        # soxr rounds the length down as often as up: silence after the end makes up what it drops.
        silence = np.zeros(-(-self.in_sample_rate // self.out_sample_rate), np.float32)
        return self._stream.resample_chunk(silence, last=True)[:n_left]


def load(path: str | os.PathLike, sample_rate: int) -> np.ndarray:
    """Load a whole recording as a mono waveform.

    Args:
        path: audio file.
        sample_rate: in Hz, to which it is resampled.

    Returns:
        The waveform, float32 (samples,), at least one sample.

    Raises:
        AudioError: the file is missing, unreadable, damaged, no audio, empty, or holds NaN or infinities.
    """
    return np.concatenate(list(_read_resampled(path, sample_rate)))


def load_channels(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Load a whole recording with its channels and its sample rate as they are.

    Args:
        path: audio file.

    Returns:
        The samples, float32 (channels, samples), and their sample rate in Hz.

    Raises:
        AudioError: the file is missing, unreadable, damaged, no audio, empty, or holds NaN or infinities.
    """
    chunks = list(_read_chunks(path))
    if not chunks:
        raise AudioError(path, "holds no samples")
    samples = np.concatenate([chunk for _, chunk in chunks], axis=1)
    if not (np.abs(samples) < MAX_SAMPLE).all():
        raise AudioError(path, "holds NaN or infinite samples, expected numbers within ±1")
    return samples, chunks[0][0]


def read_blocks(
    path: str | os.PathLike, sample_rate: int, block_length: int, overlap: int = 0
) -> Iterator[np.ndarray]:
    """Read the waveform of `load` block by block, in bounded memory.

    Args:
        path: audio file.
        sample_rate: in Hz, to which it is resampled.
        block_length: samples of a block; the last one may be shorter.
        overlap: how many samples at the end of a block the next one begins with.

    Yields:
        Blocks, float32 (samples,).

    Raises:
        AudioError: as `load`, when the reading comes to it.
        ValueError: the overlap is as long as a block, or longer.
    """
    if not 0 <= overlap < block_length:
        raise ValueError(f"overlap is {overlap}, expected 0 to block_length - 1 = {block_length - 1}")
    kept, n_kept, n_shared = [], 0, 0
    for chunk in _read_resampled(path, sample_rate):
        kept.append(chunk)
        n_kept += len(chunk)
        if n_kept < block_length:
            continue
        samples = np.concatenate(kept)
        while len(samples) >= block_length:
            yield samples[:block_length].copy()  # the next block shares its end
            samples, n_shared = samples[block_length - overlap :], overlap
        kept, n_kept = [samples], len(samples)
    if n_kept > n_shared:
        yield np.concatenate(kept)


def stream(
    sound: str | os.PathLike | tuple[np.ndarray, int], sample_rate: int, block_length: int
) -> Iterable[np.ndarray]:
    """Stream the waveform of a file or an array.

    Args:
        sound: audio file; or samples, (samples,) or (channels, samples), and their sample rate in Hz.
        sample_rate: in Hz, to which it is resampled.
        block_length: samples of a chunk of a file; an array comes in one.

    Returns:
        Chunks of the waveform, float32 (samples,).

    Raises:
        AudioError: as `load`, when the reading comes to it.
        ValueError: as `Resampler` and its `push`, of an array.
    """
    if not isinstance(sound, tuple):
        return read_blocks(sound, sample_rate, block_length)
    samples, in_sample_rate = sound
    resampler = Resampler(in_sample_rate, sample_rate)
    return [resampler.push(samples), resampler.flush()]


def read_duration_s(path: str | os.PathLike) -> float:
    """Read the length of a recording from its header; a damaged file may hold less.

    Args:
        path: audio file.

    Returns:
        Seconds.

    Raises:
        AudioError: the file is missing, unreadable, no audio, or empty.
    """
    if Path(path).suffix.lower() in VIDEO_SUFFIXES:
        return float(_open_video(path).metadata.duration_seconds or 0)
    with _open(path) as file:
        return file.frames / file.samplerate


def find_recordings(path: str | os.PathLike) -> inputs.Found:
    """Find the audio files of a folder and the folders in it.

    Args:
        path: a folder; or a file, which is found whatever its name.

    Returns:
        The files, and what was passed over: files of other kinds, hidden ones, results of audiocnn, and what
        cannot be read.

    Raises:
        AudioError: there is no such path, or no audio in the folder.
    """
    return inputs.find_files(path, SOUND_SUFFIXES | VIDEO_SUFFIXES, "audio", AudioError)


def save(path: str | os.PathLike, waveform: np.ndarray, sample_rate: int) -> None:
    """Save a waveform to a file, in the format of its suffix.

    Args:
        path: file to write; it is there whole or not at all.
        waveform: (samples,) or (channels, samples); integer formats clip at ±1.
        sample_rate: in Hz.

    Raises:
        AudioError: soundfile does not know the suffix, or its format does not take this rate.
        files.FileError: the system refuses.
    """
    frames = np.atleast_2d(waveform).T
    with create(path, sample_rate, frames.shape[1]) as file:
        for start in range(0, len(frames), N_READ):
            file.write(frames[start : start + N_READ])


@contextlib.contextmanager
def create(path: str | os.PathLike, sample_rate: int, n_channels: int) -> Iterator[soundfile.SoundFile]:
    """Create an audio file to write to chunk by chunk, in the format of its suffix.

    Args:
        path: file to write; it is there, whole, when the `with` block ends.
        sample_rate: in Hz.
        n_channels: number of channels.

    Yields:
        The file, whose `write` takes (samples, channels); integer formats clip at ±1.

    Raises:
        AudioError: soundfile does not know the suffix, or its format does not take this rate.
        files.FileError: the system refuses.
    """
    check_suffix(Path(path))
    with files.write_atomically(path) as partial:
        try:
            with soundfile.SoundFile(os.fsencode(partial), "w", sample_rate, n_channels) as file:
                yield file
        except soundfile.LibsndfileError as error:
            # libsndfile keeps the system's reason to itself: writing once more brings it up.
            with open(partial, "ab") as file:
                file.write(bytes(N_READ))
            raise AudioError(path, error.error_string) from error


def check_suffix(path: Path) -> None:
    """Check that sound can be written to a file of this suffix.

    Args:
        path: file to write.

    Raises:
        AudioError: soundfile does not know the suffix.
    """
    kind = path.suffix[1:].upper()
    if kind not in soundfile.available_formats():
        raise AudioError(path, f"cannot write {kind or 'without a suffix'}, expected wav, flac, ogg, mp3 ...")


def _check_sample_rate(sample_rate: float) -> None:
    """Check the sample rate of a file, an array or a stream, in Hz."""
    low, high = SAMPLE_RATES[0], SAMPLE_RATES[-1]
    if not low <= sample_rate <= high:
        raise ValueError(f"sample rate is {sample_rate} Hz, expected {low} to {high} Hz")


def _mix_channels(samples: np.ndarray) -> np.ndarray:
    """Average the channels: (samples,) or (channels, samples) -> float32 (samples,)."""
    samples = np.asarray(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"the samples are {samples.dtype}, expected floats within ±1")
    with np.errstate(over="ignore", invalid="ignore"):
        samples = samples.astype(np.float32, copy=False)
        return samples if samples.ndim == 1 else samples.mean(axis=0)


def _read_resampled(path: str | os.PathLike, sample_rate: int) -> Iterator[np.ndarray]:
    """Read consecutive chunks of the file's waveform at `sample_rate` Hz, float32 (samples,)."""
    resampler = None
    for in_sample_rate, samples in _read_chunks(path):
        resampler = resampler or Resampler(in_sample_rate, sample_rate)
        with _audio_errors(path):
            resampled = resampler.push(samples)
        yield resampled
    if resampler is None:
        raise AudioError(path, "holds no samples")
    yield resampler.flush()


def _read_chunks(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """Read a file as it is: its sample rate in Hz with each chunk, float32 (channels, samples)."""
    return (_decode_video if Path(path).suffix.lower() in VIDEO_SUFFIXES else _decode)(path)


def _decode(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """Read chunks by libsndfile."""
    n_read = 0
    with _open(path) as file:
        n_frames = max(1, N_READ // file.channels)
        while True:
            try:
                with files.mute_stderr():
                    frames = file.read(n_frames, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                time_s = n_read / file.samplerate
                raise AudioError(path, f"damaged after {time_s:.1f} s: {error.error_string}") from error
            if not len(frames):
                return
            yield file.samplerate, frames.T
            n_read += len(frames)


def _open(path: str | os.PathLike) -> soundfile.SoundFile:
    """Open a file by libsndfile, which goes by its content, not its suffix."""
    _check_readable(path)
    try:
        with files.mute_stderr():
            file = soundfile.SoundFile(os.fsencode(path))  # not UTF-8, perhaps
    except soundfile.LibsndfileError as error:
        # libsndfile says of an mp3 without a single good frame that it does not exist.
        why = "" if "does not exist" in error.error_string else f": {error.error_string}"
        raise AudioError(path, f"no audio that libsndfile can read{why}") from error
    except TypeError as error:  # soundfile asks for what a .raw file does not hold
        raise AudioError(path, error) from error
    with _audio_errors(path):
        _check_sample_rate(file.samplerate)
    return file


def _decode_video(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """Read chunks by FFmpeg."""
    decoder = _open_video(path)
    # Not the public get_samples_played_in_range: it decodes from the start again for every range.
    from torchcodec._core import get_next_frame  # pyright: ignore[reportMissingImports], an extra

    while True:
        try:
            samples, _, _ = get_next_frame(decoder._decoder)
        except IndexError:
            return
        except RuntimeError as error:
            raise AudioError(path, "damaged: FFmpeg cannot decode the rest of it") from error
        yield decoder.metadata.sample_rate, samples.numpy()


def _open_video(path: str | os.PathLike):
    """Open the file's sound by torchcodec."""
    _check_readable(path)
    try:
        from torchcodec.decoders import AudioDecoder  # pyright: ignore[reportMissingImports], an extra
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchcodec is there but finds no FFmpeg
        raise AudioError(path, "needs FFmpeg and torchcodec: pip install 'audiocnn[video]'") from error
    try:
        decoder = AudioDecoder(os.fspath(path))
    except (RuntimeError, ValueError) as error:
        raise AudioError(path, "no sound in it that FFmpeg can decode") from error
    with _audio_errors(path):
        _check_sample_rate(decoder.metadata.sample_rate or 0)
    return decoder


def _check_readable(path: str | os.PathLike) -> None:
    """Raise what the system has against reading the file: its reasons are clearer than the decoders'."""
    files.check_regular(path, AudioError)
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise AudioError(path, files.describe_error(error)) from error


@contextlib.contextmanager
def _audio_errors(path: str | os.PathLike) -> Iterator[None]:
    """Make an AudioError of a ValueError: in this block the file's samples or their rate are to blame."""
    try:
        yield
    except ValueError as error:
        raise AudioError(path, error) from error
