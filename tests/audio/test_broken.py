"""Sound that is broken in every way we know: a correct result, or one clear line with file and reason."""

import contextlib
import os
import warnings

import numpy as np
import pytest
import soundfile

from audiocnn import audio, files
from audiocnn.audio import ffmpeg

RATE = 44100


def sine(n_samples=30_000):
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(n_samples) / RATE)


def noise(n_samples):
    return np.random.default_rng(0).uniform(-0.9, 0.9, n_samples)


def write(path, samples, **how):
    soundfile.write(path, samples, RATE, **how)
    return path


def refused(path, reason):
    """The path is refused by everything that reads, in one line that names it and the reason."""
    for read in (lambda: audio.load(path, 16_000), lambda: list(audio.read_blocks(path, 16_000, 1000))):
        with pytest.raises(audio.AudioError) as caught:
            read()
        assert str(caught.value) == f"{path}: {reason}"


def wav_bytes(tmp_path, samples):
    return write(tmp_path / "whole.wav", samples, subtype="PCM_16").read_bytes()


def test_missing_file(tmp_path):
    refused(tmp_path / "a.wav", "No such file or directory")
    refused(tmp_path / "a.m4a", "No such file or directory")


def test_folder_named_like_a_file(tmp_path):
    (tmp_path / "a.wav").mkdir()
    refused(tmp_path / "a.wav", "is a folder, expected a file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    path = write(tmp_path / "a.wav", sine())
    path.chmod(0)
    refused(path, "Permission denied")


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a"])
def test_empty_file(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    refused(path, "is empty")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_text_renamed(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("this is no sound\n" * 1000)
    refused(path, "no audio that libsndfile or FFmpeg can read: Format not recognised.")


def test_text_renamed_to_mp3_says_nothing_else(tmp_path, capfd):
    path = tmp_path / "a.mp3"
    path.write_text("this is no sound\n" * 10_000)
    refused(path, "no audio that libsndfile or FFmpeg can read")
    assert capfd.readouterr() == ("", "")


def test_raw_file(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(1000))
    refused(path, "samplerate must be specified")


def test_header_without_samples(tmp_path):
    refused(write(tmp_path / "a.wav", np.zeros(0)), "holds no samples")


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_truncated_mp3_gives_what_is_there(tmp_path, share, capfd):
    path = write(tmp_path / "a.mp3", sine(10 * RATE))
    whole, data = audio.load(path, 16_000), path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.warns(files.PartWarning, match=r"damaged or cut off: [26]\.\d of 10\.0 s are read"):
        part = audio.load(path, 16_000)
    assert abs(len(part) / len(whole) - share) < 0.05
    np.testing.assert_allclose(part[:-3000], whole[: len(part) - 3000], atol=1e-6)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("with_ffmpeg", [True, False])
@pytest.mark.parametrize("suffix", [".flac", ".wav", ".aiff", ".au", ".w64", ".rf64"])
def test_truncated_files_give_what_is_there(tmp_path, monkeypatch, suffix, with_ffmpeg):
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: with_ffmpeg)
    path = write(tmp_path / f"a{suffix}", noise(3 * RATE))
    whole = audio.load(path, RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(files.PartWarning, match=r"damaged or cut off: 1\.[45] of 3\.0 s are read"):
        part = audio.load(path, RATE)
    np.testing.assert_allclose(part[: RATE - 5000], whole[: RATE - 5000], atol=2**-15)


@pytest.mark.parametrize("size", [10**8, 0xFFFFFFFF])
def test_header_that_promises_too_much(tmp_path, size):
    samples = noise(10_000)
    data = wav_bytes(tmp_path, samples)
    path = tmp_path / "a.wav"
    path.write_bytes(data[:40] + size.to_bytes(4, "little") + data[44:])
    is_unknown = size == 0xFFFFFFFF  # which stands for a stream whose length nobody knew
    with contextlib.nullcontext() if is_unknown else pytest.warns(files.PartWarning, match="are read"):
        np.testing.assert_allclose(audio.load(path, RATE), samples, atol=2**-15)
    assert audio.read_duration_s(path) == 10_000 / RATE


def test_header_of_a_recorder_that_was_killed(tmp_path, monkeypatch):
    samples = noise(10_000)
    data = wav_bytes(tmp_path, samples)
    path = tmp_path / "a.wav"
    path.write_bytes(data[:4] + bytes(4) + data[8:40] + bytes(4) + data[44:])
    np.testing.assert_allclose(audio.load(path, RATE), samples, atol=2**-15)
    assert audio.read_duration_s(path) == pytest.approx(10_000 / RATE, abs=1e-4)
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)
    refused(path, f"holds no samples; {ffmpeg.ADVICE}")


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (
            22,
            (0).to_bytes(2, "little"),
            "no audio that libsndfile or FFmpeg can read: Channel count is zero.",
        ),
        (24, (1).to_bytes(4, "little"), "sample rate is 1 Hz, expected 1000 to 1000000 Hz"),
        (24, (2**31 - 1).to_bytes(4, "little"), "sample rate is 2147483647 Hz, expected 1000 to 1000000 Hz"),
        (
            34,
            (99).to_bytes(2, "little"),
            "no audio that libsndfile or FFmpeg can read: File contains data in an unimplemented format.",
        ),
    ],
)
def test_header_without_sense(tmp_path, position, value, reason):
    data = wav_bytes(tmp_path, sine())
    path = tmp_path / "a.wav"
    path.write_bytes(data[:position] + value + data[position + len(value) :])
    refused(path, reason)


@pytest.mark.parametrize(
    ("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (1e30, "1e+30"), (1e300, "inf")]
)
def test_samples_that_are_no_numbers(tmp_path, value, shown):
    samples = np.stack([sine(), sine()], axis=1)
    samples[22_050:, :] = value
    path = write(tmp_path / "a.wav", samples, subtype="DOUBLE")
    refused(path, f"the sample at 0.500 s is {shown}, expected a number within ±1")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au"])
def test_random_damage_ends_in_samples_or_one_line(tmp_path, suffix, capfd):
    path, rng = write(tmp_path / f"a{suffix}", sine(8000)), np.random.default_rng(0)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(30):
        broken = data.copy()
        broken[rng.integers(0, len(data), 5)] = rng.integers(0, 256, 5)
        broken[rng.integers(0, 100, 2)] = rng.integers(0, 256, 2)
        path.write_bytes(broken[: rng.integers(1, len(data))].tobytes())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", files.FileWarning)
                assert np.isfinite(audio.load(path, 16_000)).all()
        except audio.AudioError as error:
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")
