"""Streams of samples at one rate -> mono samples at another."""

import os

import numpy as np
import soxr

from audiocnn import files
from audiocnn.audio.channels import N_LOOK_AHEAD, Mixer
from audiocnn.audio.checks import MAX_SAMPLE, check_sample_rate

MAX_PEAK = 100.0  # 40 dB above the full scale: integers that became floats without being divided


class Resampler:
    """A stream of samples at one rate -> mono samples at another, the same in chunks of any size.

    The output lags its input by up to 40 ms (44.1 or 48 kHz -> 16 kHz); `flush` returns what is left.

    Args:
        in_sample_rate: sample rate of the stream in Hz.
        out_sample_rate: sample rate of the result in Hz.
        source: the file, or another name of the stream, for warnings.

    Raises:
        ValueError: a sample rate is not among `SAMPLE_RATES`.
    """

    def __init__(
        self, in_sample_rate: int, out_sample_rate: int, source: str | os.PathLike = "samples"
    ) -> None:
        check_sample_rate(in_sample_rate)
        check_sample_rate(out_sample_rate)
        self.in_sample_rate, self.out_sample_rate = int(in_sample_rate), int(out_sample_rate)
        self._stream = soxr.ResampleStream(in_sample_rate, out_sample_rate, num_channels=1)
        self._mixer = Mixer(in_sample_rate, source)
        self._n_in = self._n_out = 0
        self._source, self._peak = source, 0.0

    def look_ahead(self, samples: np.ndarray) -> None:
        """Choose how the channels are mixed by the beginning of the stream, before any of it is pushed.

        Args:
            samples: the beginning; of more than `N_LOOK_AHEAD` samples the rest is of no effect.
        """
        samples = _as_channels(samples)
        self._mixer.look_ahead(samples[:, : N_LOOK_AHEAD // max(len(samples), 1)])

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Add samples.

        Args:
            samples: the next ones, floats, (samples,) or (channels, samples); the mean of the channels is
                taken, without those that cancel others.

        Returns:
            The resampled samples that are complete by now, float32 (samples,).

        Raises:
            ValueError: integers instead of floats; a sample that is NaN, infinite or beyond `MAX_SAMPLE`.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mono = self._mixer.push(_as_channels(samples))
        bad = ~(np.abs(mono) < MAX_SAMPLE)
        if bad.any():
            first = int(bad.argmax())
            time_s = (self._n_in + first) / self.in_sample_rate
            raise ValueError(f"the sample at {time_s:.3f} s is {mono[first]:g}, expected a number within ±1")
        self._n_in += len(mono)
        self._peak = max(self._peak, float(np.abs(mono).max(initial=0)))
        resampled = self._stream.resample_chunk(mono)
        self._n_out += len(resampled)
        return resampled

    def flush(self) -> np.ndarray:
        """Return the last samples, float32 (samples,), and end the stream: none may be pushed afterwards."""
        if self._peak > MAX_PEAK:
            files.warn(self._source, [f"its samples reach {self._peak:g}, expected numbers within ±1"])
        n_left = -(-self._n_in * self.out_sample_rate // self.in_sample_rate) - self._n_out
        # soxr rounds the length down as often as up: silence after the end makes up what it drops.
        silence = np.zeros(-(-self.in_sample_rate // self.out_sample_rate), np.float32)
        return self._stream.resample_chunk(silence, last=True)[:n_left]


def _as_channels(samples: np.ndarray) -> np.ndarray:
    """Return samples as float32 (channels, samples)."""
    samples = np.asarray(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"the samples are {samples.dtype}, expected floats within ±1")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.atleast_2d(samples.astype(np.float32, copy=False))
