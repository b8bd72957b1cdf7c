"""What is checked of sound at the border, and the error of a file that fails."""

import contextlib
import os
import reprlib
from collections.abc import Iterator
from numbers import Real

import numpy as np

from audiocnn import files

# In Hz; beyond them a header is damaged and the resampler eats time and memory.
SAMPLE_RATES = range(1000, 1_000_001)
MAX_SAMPLE = 1e12  # beyond the full scale of any integer format: damage, and its square would overflow
N_READ = 65536  # samples, over all channels, read at a time; frames written: libvorbis crashes on a minute


class AudioError(files.FileError):
    """Audio that cannot be read or written: one line, `path: reason`."""


def check_sample_rate(sample_rate: float) -> None:
    """Check the sample rate of a file, an array or a stream.

    Args:
        sample_rate: in Hz.

    Raises:
        ValueError: it is not among `SAMPLE_RATES`.
    """
    low, high = SAMPLE_RATES[0], SAMPLE_RATES[-1]
    if not isinstance(sample_rate, Real):
        raise ValueError(f"sample rate is {reprlib.repr(sample_rate)}, expected a number, {low} to {high} Hz")
    if not low <= sample_rate <= high:
        raise ValueError(f"sample rate is {sample_rate} Hz, expected {low} to {high} Hz")
    if sample_rate % 1:
        raise ValueError(f"sample rate is {sample_rate} Hz, expected a whole number")


def check_shape(samples: np.ndarray) -> None:
    """Check the shape of a whole recording in an array.

    Args:
        samples: the array.

    Raises:
        ValueError: it is neither (samples,) nor (channels, samples), or has more channels than samples, as an
            array that is (samples, channels) seems to have.
    """
    shape = samples.shape
    is_transposed = len(shape) == 2 and 0 < shape[1] < shape[0]
    if len(shape) not in (1, 2) or not all(shape[:-1]) or is_transposed:
        advice = "; transpose what is (samples, channels)" if is_transposed else ""
        raise ValueError(f"the samples are {shape}, expected (samples,) or (channels, samples){advice}")


def check_readable(path: str | os.PathLike) -> None:
    """Raise what the system has against reading a file: its reasons are clearer than the decoders'.

    Args:
        path: the file.

    Raises:
        AudioError: the file cannot be read, or is empty.
    """
    files.check_regular(path, AudioError)
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise AudioError(path, files.describe_error(error)) from error


@contextlib.contextmanager
def audio_errors(path: str | os.PathLike) -> Iterator[None]:
    """Make an AudioError of a ValueError: in this block the file's samples or their rate are to blame.

    Args:
        path: the file.
    """
    try:
        yield
    except ValueError as error:
        raise AudioError(path, error) from error
