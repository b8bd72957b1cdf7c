"""Recordings in arrays: every kind that is one is taken, and the others are refused by what they are."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from audiocnn import audio, files

RATE = 16_000
TONE = (0.2 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    "samples",
    [
        TONE,
        TONE.astype(float),
        TONE.astype(">f4"),
        TONE.tolist(),
        torch.tensor(TONE),
        TONE[None],
        [TONE, TONE],
    ],
    ids=["float32", "float64", "big endian", "list", "tensor", "a channel", "two channels"],
)
@pytest.mark.parametrize("rate", [RATE, float(RATE), np.int64(RATE)])
def test_arrays_that_are_recordings(samples, rate):
    np.testing.assert_allclose(np.concatenate(audio.stream((samples, rate), RATE, 100)), TONE, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.stack([TONE, TONE], axis=1), "(16000, 2), expected (samples,) or (channels, samples); transpose"),
        (TONE[None, None], "(1, 1, 16000), expected"),
        (np.zeros((0, 100)), "(0, 100), expected"),
        (TONE[0], "(), expected"),
        (np.int16(TONE * 9999), "int16, expected floats"),
        (TONE > 0, "bool, expected floats"),
    ],
    ids=["transposed", "three axes", "no channels", "a number", "integers", "booleans"],
)
def test_arrays_that_are_none(samples, reason):
    with pytest.raises(ValueError, match=re.escape(f"the samples are {reason}")):
        audio.stream((samples, RATE), RATE, 100)


@pytest.mark.parametrize("rate", [22_050.5, "16000", None, TONE, 0, -1, float("nan"), 10**7])
def test_rates_that_are_none(rate):
    with pytest.raises(ValueError, match=r"^sample rate is .*, expected "):
        audio.stream((TONE, rate), RATE, 100)


@pytest.mark.parametrize("sound", [TONE, [TONE, RATE], (TONE,), (TONE, RATE, 1), None, 5, b"a.wav"])
def test_what_is_neither_a_path_nor_an_array(sound):
    with pytest.raises(TypeError, match=r"^sound is .*, expected a path, or samples and their sample rate"):
        audio.stream(sound, RATE, 100)


def test_integers_that_became_floats_are_told(tmp_path: Path):
    with pytest.warns(
        files.FileWarning, match=r"^samples: its samples reach 6553\.6, expected numbers within"
    ):
        audio.stream((TONE * 32768, RATE), RATE, 100)
