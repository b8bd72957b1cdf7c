"""Channels -> one: their mean, unless it cancels what they hold."""

from __future__ import annotations

import os

import numpy as np

from audiocnn import files

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

    It takes the mean; but where the channels cancel each other, as one with its polarity inverted does, from
    there on the loudest of them alone, and warns.

    Args:
        sample_rate: of the samples, in Hz.
        source: the file, or another name of the samples, for the warning.
    """

    def __init__(self, sample_rate: int, source: str | os.PathLike = "samples") -> None:
        self.source, self.n_window, self.sample_rate = source, round(WINDOW_S * sample_rate), sample_rate
        self._channel: int | None = None  # that is taken alone
        self._window: list[np.ndarray] = []
        self._n_mixed = self._n_known = 0  # samples; the latter have been looked at

    def look_ahead(self, samples: np.ndarray) -> None:
        """Choose the mix by the beginning of the recording, before any of it is mixed.

        Args:
            samples: the beginning, (channels, samples).
        """
        # Channels may cancel each other in a part of it only, which is half a window from one of these.
        for start in range(0, max(samples.shape[1] - self.n_window // 2, 1), self.n_window // 2):
            self._choose(samples[:, start : start + self.n_window])
        self._n_known = samples.shape[1] // self.n_window * self.n_window

    def _choose(self, samples: np.ndarray) -> None:
        if len(samples) > 1 and self._channel is None and measure_cancelled(samples) > MAX_CANCELLED:
            self._channel = int((samples - samples.mean(axis=1, keepdims=True)).std(axis=1).argmax())
            since = f" from {self._n_mixed / self.sample_rate:.1f} s on" if self._n_mixed else ""
            remark = f"the channels cancel each other; channel {self._channel + 1} alone is taken{since}"
            files.warn(self.source, [remark])

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
            mixed.append(part.mean(axis=0) if self._channel is None else part[self._channel])
            if self._n_mixed >= self._n_known:
                self._window.append(part)
            self._n_mixed += part.shape[1]
            if self._window and self._n_mixed % self.n_window == 0:
                self._choose(np.concatenate(self._window, axis=1))
                self._window = []
        return np.concatenate(mixed) if mixed else samples[0]


def measure_cancelled(samples: np.ndarray) -> float:
    """Measure the share of the channels' energy that their sum lacks.

    Args:
        samples: (channels, samples); NaN and infinities count as silence.

    Returns:
        The share of the energy in bins of the spectrum that the sum cancels, 0 to 1; 0 of silence.
    """
    if samples.shape[1] < N_FFT:
        samples = np.pad(samples, ((0, 0), (0, N_FFT - samples.shape[1])))
    starts = np.linspace(0, samples.shape[1] - N_FFT, min(samples.shape[1] // N_FFT, MAX_FRAMES)).astype(int)
    frames = np.stack([samples[:, start : start + N_FFT] for start in starts], axis=1)
    frames = np.nan_to_num(frames, posinf=0, neginf=0)
    with np.errstate(over="ignore"):
        spectra = np.fft.rfft(frames * np.hanning(N_FFT).astype(np.float32))[..., 2:]  # no constant offset
        separate = (np.abs(spectra) ** 2).sum(axis=(0, 1))  # energies in each bin: of the channels,
        together = (np.abs(spectra.sum(axis=0)) ** 2).sum(axis=0)  # and of their sum
    total = separate.sum()
    return float(separate[together < CANCELLED * separate].sum() / total) if 0 < total < np.inf else 0.0
