"""Channels -> one: their mean, without those that would cancel what others hold."""

from __future__ import annotations

import os

import numpy as np

from audiocnn import files
from audiocnn.audio.checks import MAX_SAMPLE

N_LOOK_AHEAD = 2**22  # samples of a recording, over all channels, by which its mix is chosen: 16 MB, 48 s
WINDOW_S = 2.5  # in which channels are compared, for they may cancel each other in a part only
N_FFT = 2048  # samples of a frame: 46 ms at 44.1 kHz
MAX_FRAMES = 32  # that are looked at, spread over what is given: 1 ms
# A bin is cancelled where the sum of the channels has less than a tenth of their energy; channels that have
# nothing to do with each other have all of it, equal ones more.
CANCELLED = 0.1
# Share of the energy in such bins. Of 27 recordings with four kinds of reverberation, another one on each
# side, it is 0.01 at most in 95 % and 0.24 in all; in windows of 2 s it is 0.43 where a tone is cancelled.
MAX_CANCELLED = 0.3


class Mixer:
    """Mix the channels of a recording, given in chunks of any size.

    It takes the mean; but where channels cancel each other, as one with its polarity inverted does, from
    there on without the quieter ones of them, and warns.

    Args:
        sample_rate: of the samples, in Hz.
        source: the file, or another name of the samples, for the warning.
    """

    def __init__(self, sample_rate: int, source: str | os.PathLike = "samples") -> None:
        self.source, self.n_window, self.sample_rate = source, round(WINDOW_S * sample_rate), sample_rate
        self._taken: np.ndarray | None = None  # the channels, where some are left out
        self._window: list[np.ndarray] = []
        self._n_mixed = self._n_known = 0  # samples; the latter have been looked at

    def look_ahead(self, samples: np.ndarray) -> None:
        """Choose the mix by the beginning of the recording, before any of it is mixed.

        Args:
            samples: the beginning, (channels, samples).
        """
        # Channels may cancel each other in a part of it only, which is half a window from one of these.
        starts = range(0, max(samples.shape[1] - self.n_window // 2, 1), self.n_window // 2)
        self._choose([samples[:, start : start + self.n_window] for start in starts])
        self._n_known = samples.shape[1] // self.n_window * self.n_window

    def _choose(self, windows: list[np.ndarray]) -> None:
        """Leave out what cancels other channels in one of these windows."""
        taken = before = np.arange(len(windows[0])) if self._taken is None else self._taken
        for window in windows:
            taken = taken[choose_channels(window[taken])]
        if len(taken) < len(before):
            self._taken = taken
            *others, last = (str(channel + 1) for channel in taken)
            names = f"channels {', '.join(others)} and {last} alone are taken"
            names = names if others else f"channel {last} alone is taken"
            since = f" from {self._n_mixed / self.sample_rate:.1f} s on" if self._n_mixed else ""
            files.warn(self.source, [f"the channels cancel each other; {names}{since}"])

    @np.errstate(over="ignore", invalid="ignore")  # of damaged samples, which the resampler refuses
    def push(self, samples: np.ndarray) -> np.ndarray:
        """Mix the next samples.

        Args:
            samples: (channels, samples).

        Returns:
            The mix, (samples,).
        """
        if len(samples) == 1:
            return samples[0]
        mixed = []
        while samples.shape[1]:
            n_missing = self.n_window - self._n_mixed % self.n_window
            part, samples = samples[:, :n_missing], samples[:, n_missing:]
            mixed.append((part if self._taken is None else part[self._taken]).mean(axis=0))
            if self._n_mixed >= self._n_known:
                self._window.append(part)
            self._n_mixed += part.shape[1]
            if self._window and self._n_mixed % self.n_window == 0:
                self._choose([np.concatenate(self._window, axis=1)])
                self._window = []
        return np.concatenate(mixed) if mixed else samples[0]


def choose_channels(samples: np.ndarray) -> np.ndarray:
    """Choose channels that do not cancel each other.

    Args:
        samples: (channels, samples); NaN and infinities count as silence.

    Returns:
        The numbers of the channels, sorted: of any two that cancel each other, the louder one; and of those
        that still do, all together, the loudest alone.
    """
    if len(samples) == 1:
        return np.arange(1)
    spectra = _transform(samples)
    loudest = np.argsort(-(np.abs(spectra) ** 2).sum(axis=(1, 2)), kind="stable")
    taken = loudest[:1]
    for channel in loudest[1:]:
        pairs = np.stack([spectra[taken], np.broadcast_to(spectra[channel], spectra[taken].shape)])
        if measure_cancelled(pairs).max() <= MAX_CANCELLED:
            taken = np.append(taken, channel)
    together = spectra[taken][:, None]
    return np.sort(taken if measure_cancelled(together)[0] <= MAX_CANCELLED else taken[:1])


def measure_cancelled(spectra: np.ndarray) -> np.ndarray:
    """Measure the share of the channels' energy that their sum lacks.

    Args:
        spectra: of mixes, (channels, mixes, frames, bins).

    Returns:
        Of each mix the share of the energy in bins that the sum cancels, (mixes,), 0 to 1; 0 of silence.
    """
    separate = (np.abs(spectra) ** 2).sum(axis=(0, 2))  # energies in each bin: of the channels,
    together = (np.abs(spectra.sum(axis=0)) ** 2).sum(axis=1)  # and of their sum
    lost = np.where(together < CANCELLED * separate, separate, 0).sum(axis=1)
    return lost / np.maximum(separate.sum(axis=1), np.finfo(np.float32).tiny)


def _transform(samples: np.ndarray) -> np.ndarray:
    """The spectra of some frames, (channels, frames, bins), without a constant offset."""
    if samples.shape[1] < N_FFT:
        samples = np.pad(samples, ((0, 0), (0, N_FFT - samples.shape[1])))
    starts = np.linspace(0, samples.shape[1] - N_FFT, min(samples.shape[1] // N_FFT, MAX_FRAMES)).astype(int)
    frames = np.stack([samples[:, start : start + N_FFT] for start in starts], axis=1)
    frames = np.where(np.abs(frames) < MAX_SAMPLE, frames, 0)  # NaN, too
    return np.fft.rfft(frames * np.hanning(N_FFT).astype(np.float32))[..., 2:]
