"""The mix of channels: their mean, unless it cancels what they hold; the same in chunks of any size."""

import numpy as np
import pytest
import soundfile

from audiocnn import audio, files
from audiocnn.audio.channels import measure_cancelled

RATE = 22_050
WARNING = "the channels cancel each other; channel {} alone is taken"


def tones(seed: int = 0, duration_s: float = 3.0) -> np.ndarray:
    rng, times_s = np.random.default_rng(seed), np.arange(round(duration_s * RATE)) / RATE
    hz = rng.uniform(100, 3000, 20)
    return (0.02 * np.sin(2 * np.pi * (np.outer(hz, times_s) + rng.uniform(0, 1, (20, 1))))).sum(0)


A, B, ZERO = tones(0), tones(1), np.zeros(3 * RATE)
CANCELLING = {
    "antiphase": ([A, -A], 1, A),
    "nearly": ([0.9 * A, -A], 2, -A),
    "a constant offset": ([1.1 * A + 0.5, -A], 1, 1.1 * A + 0.5),
    "three channels": ([1.1 * A, -A, ZERO], 1, 1.1 * A),
    "one band": ([1.1 * A + 0.3 * B, 0.3 * B - A], 1, 1.1 * A + 0.3 * B),
    "six channels": ([ZERO, ZERO, -A, ZERO, 1.1 * A, ZERO], 5, 1.1 * A),
}
# Shares of the recording between which one of the channels has its polarity inverted.
PARTS = {
    "from the middle": (0.5, 1),
    "the middle third": (1 / 3, 2 / 3),
    "the end": (0.7, 1),
    "the start": (0, 0.4),
}
HARMLESS = {
    "equal": [A, A],
    "unlike": [A, B],
    "one silent": [A, ZERO],
    "all silent": [ZERO, ZERO],
    "mono in six": [ZERO, ZERO, A, ZERO, ZERO, ZERO],
    "half inverted": [A, -0.3 * A],
    "quadrature": [A, np.roll(A, 7)],
    "offset": [A + 0.5, A - 0.5],
}


def write(path, channels):
    soundfile.write(path, np.stack(channels, axis=1), RATE, subtype="FLOAT")
    return path


@pytest.mark.parametrize("name", PARTS)
def test_channels_that_cancel_in_a_part(tmp_path, name):
    left = np.concatenate([tones(seed) for seed in range(4)])
    right, (start, stop) = left.copy(), (round(share * len(left)) for share in PARTS[name])
    right[start:stop] *= -1
    with pytest.warns(
        files.FileWarning, match=r"the channels cancel each other; channel [12] alone is taken$"
    ):
        waveform = audio.load(write(tmp_path / "a.wav", [left, right]), RATE)
    np.testing.assert_allclose(np.abs(waveform), np.abs(left), atol=1e-6)


@pytest.mark.parametrize("name", CANCELLING)
def test_channels_that_cancel(tmp_path, name):
    channels, number, expected = CANCELLING[name]
    path = write(tmp_path / "a.wav", channels)
    with pytest.warns(files.FileWarning, match=rf"a\.wav: {WARNING.format(number)}$"):
        np.testing.assert_allclose(audio.load(path, RATE), expected, atol=1e-6)
    with pytest.warns(files.FileWarning):
        blocks = list(audio.read_blocks(path, RATE, 777))
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-6)
    with pytest.warns(files.FileWarning, match=f"^samples: {WARNING.format(number)}"):
        (samples, _) = audio.stream((np.stack(channels), RATE), RATE, 1000)
    np.testing.assert_allclose(samples, expected, atol=1e-6)


@pytest.mark.parametrize("name", HARMLESS)
def test_channels_that_do_not(tmp_path, name):
    path = write(tmp_path / "a.wav", HARMLESS[name])
    np.testing.assert_allclose(audio.load(path, RATE), np.mean(HARMLESS[name], axis=0), atol=1e-6)


def test_live_they_are_found_after_a_window():
    samples = np.stack([tones(duration_s=12), -tones(duration_s=12)]).astype(np.float32)
    mixes = []
    for sizes in (100, 7919, 12 * RATE):
        resampler = audio.Resampler(RATE, RATE, "standard input")
        with pytest.warns(files.FileWarning, match=r"^standard input: the channels .* taken from 2\.5 s on$"):
            mixes.append(
                np.concatenate(
                    [resampler.push(samples[:, i : i + sizes]) for i in range(0, 12 * RATE, sizes)]
                )
            )
    for mix in mixes:
        np.testing.assert_array_equal(mix[: 5 * RATE // 2], 0)
        np.testing.assert_array_equal(mix[5 * RATE // 2 :], samples[0, 5 * RATE // 2 :])


def test_later_in_a_file_they_are_found_too(tmp_path):
    """After the part by which the mix of a file is chosen."""
    n_before = 2**21
    long = np.resize(A, n_before + 12 * RATE).astype(np.float32)
    inverted = np.concatenate([long[:n_before], -long[n_before:]])
    path = write(tmp_path / "a.wav", [long, inverted])
    with pytest.warns(files.FileWarning, match=r"taken from \d+\.\d s on"):
        waveform = audio.load(path, RATE)
    assert np.abs(waveform[-RATE:]).max() > 0.05


@pytest.mark.parametrize("shape", [(2, 0), (2, 1), (1, 100), (2, 3000)])
def test_nothing_to_measure(shape):
    assert measure_cancelled(np.zeros(shape, np.float32)) == 0
    assert measure_cancelled(np.full(shape, np.nan, np.float32)) == 0
