"""The mix of channels: their mean, unless it cancels what they hold; the same in chunks of any size."""

import numpy as np
import pytest
import soundfile

from audiocnn import audio, files
from audiocnn.audio.channels import choose_channels

RATE = 22_050


def tones(seed: int = 0, duration_s: float = 3.0) -> np.ndarray:
    rng, times_s = np.random.default_rng(seed), np.arange(round(duration_s * RATE)) / RATE
    hz = rng.uniform(100, 3000, 20)
    return (0.02 * np.sin(2 * np.pi * (np.outer(hz, times_s) + rng.uniform(0, 1, (20, 1))))).sum(0)


A, B, C, ZERO = tones(0), tones(1), tones(2), np.zeros(3 * RATE)
# Channels, and the numbers of those whose mean is taken.
CANCELLING = {
    "antiphase": ([A, -A], [1]),
    "nearly": ([0.9 * A, -A], [2]),
    "a constant offset": ([1.1 * A + 0.5, -A], [1]),
    "one band": ([1.1 * A + 0.3 * B, 0.3 * B - A], [1]),
    "beside silence": ([1.1 * A, -A, ZERO], [1, 3]),
    "beside a louder one": ([A, -1.1 * A, 3 * B], [2, 3]),
    "beside a much louder one": ([10 * B, A, -A], [1, 2]),
    "two pairs": ([A, 3 * B, -A, -3.1 * B], [1, 4]),
    "two pairs and another one": ([-A, 1.1 * A, 3 * C, 2 * B, -2.2 * B], [2, 3, 5]),
    "six channels": ([ZERO, ZERO, -A, ZERO, 1.1 * A, ZERO], [1, 2, 4, 5, 6]),
    "three together": ([A, A, -2 * A], [3]),
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
    "eight unlike": [tones(seed) for seed in range(8)],
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
    channels, taken = CANCELLING[name]
    expected = np.mean([channels[number - 1] for number in taken], axis=0)
    *others, last = map(str, taken)
    named = f"channels {', '.join(others)} and {last} alone are" if others else f"channel {last} alone is"
    warning = f"the channels cancel each other; {named} taken$"
    path = write(tmp_path / "a.wav", channels)
    with pytest.warns(files.FileWarning, match=rf"a\.wav: {warning}"):
        np.testing.assert_allclose(audio.load(path, RATE), expected, atol=1e-6)
    with pytest.warns(files.FileWarning):
        blocks = list(audio.read_blocks(path, RATE, 777))
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-6)
    with pytest.warns(files.FileWarning, match=f"^samples: {warning}"):
        (samples, _) = audio.stream((np.stack(channels), RATE), RATE, 1000)
    np.testing.assert_allclose(samples, expected, atol=1e-6)


def test_pairs_that_cancel_one_after_the_other(tmp_path):
    """Each is found, and told once where the beginning of a file has both."""
    before = [np.concatenate([A, A]), np.concatenate([-0.9 * A, ZERO]), np.concatenate([B, B])]
    path = write(tmp_path / "a.wav", [*before, np.concatenate([0.1 * C, -0.9 * B])])
    with pytest.warns(files.FileWarning, match=r"other; channels 1 and 3 alone are taken$") as caught:
        waveform = audio.load(path, RATE)
    assert len(caught) == 1
    np.testing.assert_allclose(waveform, np.concatenate([A + B, A + B]) / 2, atol=1e-6)


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


@pytest.mark.parametrize("shape", [(2, 0), (2, 1), (1, 100), (2, 3000), (3, 3000)])
@pytest.mark.parametrize("value", [0, np.nan, np.inf])
def test_nothing_to_choose_by(shape, value):
    np.testing.assert_array_equal(choose_channels(np.full(shape, value, np.float32)), range(shape[0]))
