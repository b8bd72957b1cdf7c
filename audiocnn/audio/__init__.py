"""Audio files and streams <-> mono waveforms at a known sample rate.

First in the flow. A waveform is float32 `(samples,)`, the mean of the channels, full scale at ±1. Whole
files, blocks and streams go through the same streaming resampler, which gives the same samples however its
input is cut: n samples become ceil(n * out_sample_rate / in_sample_rate), the first one at time 0. How a file
is read is decided by its content, not its suffix: libsndfile, in the package soundfile, reads what it knows;
FFmpeg, which `pip install 'audiocnn[video]'` brings, reads m4a, aac, the sound of videos, and the rest of
what libsndfile reads in part. A warning says what cannot be read.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audiocnn import files, inputs
from audiocnn.audio.channels import N_LOOK_AHEAD
from audiocnn.audio.checks import MAX_SAMPLE, N_READ, SAMPLE_RATES, AudioError, audio_errors, check_shape
from audiocnn.audio.decoding import read_chunks, read_duration_s
from audiocnn.audio.resampler import Resampler

__all__ = [
    "N_READ",
    "SAMPLE_RATES",
    "SOUND_SUFFIXES",
    "VIDEO_SUFFIXES",
    "AudioError",
    "Resampler",
    "check_suffix",
    "create",
    "find_recordings",
    "load",
    "load_channels",
    "read_blocks",
    "read_duration_s",
    "save",
    "stream",
]

SOUND_SUFFIXES = {".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64"}
SOUND_SUFFIXES |= {".snd", ".w64", ".wav", ".wave"}
VIDEO_SUFFIXES = {".aac", ".avi", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4", ".webm", ".wma"}


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
    chunks = list(read_chunks(path))
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
        TypeError: it is neither a path nor samples with a sample rate.
        ValueError: as `check_shape`, `Resampler` and its `push`, of an array.
    """
    if isinstance(sound, str | os.PathLike):
        return read_blocks(sound, sample_rate, block_length)
    if not isinstance(sound, tuple) or len(sound) != 2:
        what = f"a tuple of {len(sound)}" if isinstance(sound, tuple) else type(sound).__name__
        raise TypeError(
            f"sound is {what}, expected a path, or samples and their sample rate: (samples, 16000)"
        )
    samples, in_sample_rate = np.asarray(sound[0]), sound[1]
    resampler = Resampler(in_sample_rate, sample_rate)
    check_shape(samples)
    resampler.look_ahead(samples)
    return [resampler.push(samples), resampler.flush()]


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
            name: Any = os.fsencode(partial)  # not UTF-8, perhaps
            with soundfile.SoundFile(name, "w", sample_rate, n_channels) as file:
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


def _read_resampled(path: str | os.PathLike, sample_rate: int) -> Iterator[np.ndarray]:
    """Read consecutive chunks of the file's waveform at `sample_rate` Hz, float32 (samples,)."""
    chunks = read_chunks(path)
    in_sample_rate, beginning = _read_beginning(chunks)
    resampler = Resampler(in_sample_rate, sample_rate, path)
    if len(beginning[0]) > 1:
        resampler.look_ahead(np.concatenate(beginning, axis=1))
    for samples in chain(beginning, (samples for _, samples in chunks)):
        with audio_errors(path):
            resampled = resampler.push(samples)
        yield resampled
    yield resampler.flush()


def _read_beginning(chunks: Iterator[tuple[int, np.ndarray]]) -> tuple[int, list[np.ndarray]]:
    """Read the chunks by which the mix of their channels is chosen: of one channel, the first.

    Returns:
        Their sample rate in Hz, and the chunks.
    """
    in_sample_rate, samples = next(chunks)
    beginning, n_samples = [samples], samples.size
    while len(samples) > 1 and n_samples < N_LOOK_AHEAD and (chunk := next(chunks, None)):
        beginning.append(chunk[1])
        n_samples += chunk[1].size
    return in_sample_rate, beginning
