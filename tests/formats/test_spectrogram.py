"""The frames of a plot's spectrogram are those of the whole recording; magnitudes are those of librosa."""

from pathlib import Path

import librosa
import numpy as np
import pytest

from audiocnn import audio
from audiocnn.formats import spectrogram

RATE = 8000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    audio.save(tmp_path / "noise.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 20_000), RATE)
    return tmp_path / "noise.wav"


@pytest.mark.parametrize(("frame_length", "hop_length"), [(512, 100), (512, 512), (3000, 3000), (700, 650)])
@pytest.mark.parametrize("padding", [(0, 0), (256, 255)])
@pytest.mark.parametrize("max_values", [1, 5000, 2**21])
def test_frames_are_those_of_the_whole(
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    frame_length: int,
    hop_length: int,
    padding: tuple[int, int],
    max_values: int,
) -> None:
    monkeypatch.setattr(spectrogram, "MAX_VALUES", max_values)
    blocks = list(spectrogram.read_frames(recording, RATE, frame_length, hop_length, padding))
    samples = np.pad(audio.load(recording, RATE), padding)
    expected = np.lib.stride_tricks.sliding_window_view(samples, frame_length)[::hop_length]
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    assert max(block.size for block in blocks) <= max(max_values + 2 * frame_length, 3 * frame_length)


def test_a_short_recording_is_one_frame(tmp_path: Path) -> None:
    audio.save(tmp_path / "short.wav", np.full(10, 0.5), RATE)
    (frames,) = spectrogram.read_frames(tmp_path / "short.wav", RATE, 512, 100)
    assert frames.shape == (1, 512)
    np.testing.assert_allclose(frames[0, :10], 0.5, atol=1e-4)
    assert not frames[0, 10:].any()


def test_magnitudes_are_those_of_librosa(recording: Path) -> None:
    samples = audio.load(recording, RATE)
    (frames,) = spectrogram.read_frames(recording, RATE, 512, 128)
    expected = librosa.stft(samples, n_fft=512, hop_length=128, window=np.hanning(512), center=False)
    found = spectrogram.compute_magnitudes(frames)
    np.testing.assert_allclose(found, np.abs(expected).T / 512, atol=1e-6)


def test_levels_are_below_the_highest_and_tilted() -> None:
    levels = spectrogram.compute_levels(np.array([[1.0, 0.1], [1.0, 0.0]]), np.array([0.0, 1.0]))
    assert levels.tolist() == pytest.approx(np.array([[-2, -22], [0, -180]]))
