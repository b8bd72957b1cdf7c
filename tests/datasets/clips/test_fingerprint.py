"""Near-duplicates: copies are found however they were changed, and other music is not taken for one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audiocnn import audio
from audiocnn.datasets.clips.fingerprint import SAMPLE_RATE, SIMILAR, compute_landmarks, find_duplicates

RATE = 22_050

# what is done to 12 s of music -> the least share of landmarks that stay
CHANGES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "quieter": (lambda sound: 0.05 * sound, 0.99),
    "turned over": (lambda sound: -sound, 0.99),
    "resampled": (lambda sound: soxr.resample(soxr.resample(sound, RATE, 9_000), 9_000, RATE), 0.5),
    "cut": (lambda sound: sound[5 * RATE + 1371 : 8 * RATE + 77], 0.3),
    "noisy": (lambda sound: sound + 0.003 * np.random.default_rng(0).standard_normal(len(sound)), 0.2),
}


@pytest.fixture(scope="module")
def music(examples: Path) -> np.ndarray:
    return audio.load(examples / "menuet_piano.flac", RATE)[: 12 * RATE]


def marks(sound: np.ndarray) -> np.ndarray:
    return compute_landmarks(soxr.resample(sound, RATE, SAMPLE_RATE))


def marks_of(path: Path) -> np.ndarray:
    return compute_landmarks(audio.load(path, SAMPLE_RATE))


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(music: np.ndarray, change: str) -> None:
    changed, least = CHANGES[change]
    (found,) = find_duplicates([marks(music), marks(changed(music))])
    assert found[:2] == (0, 1)
    assert least < found.similarity <= 1


@pytest.mark.parametrize("suffix", [".ogg", ".mp3"])
def test_encoded_copies_are_found(music: np.ndarray, tmp_path: Path, suffix: str) -> None:
    audio.save(tmp_path / "a.wav", music, RATE)
    audio.save(tmp_path / f"b{suffix}", 0.5 * music, RATE)
    ((one, other, similarity),) = find_duplicates(
        [marks_of(tmp_path / "a.wav"), marks_of(tmp_path / f"b{suffix}")]
    )
    assert (one, other) == (0, 1)
    assert similarity > 0.3


def test_other_music_is_not_taken_for_a_copy(examples: Path) -> None:
    paths = sorted(examples.glob("*.flac"))
    assert len(paths) >= 2
    assert find_duplicates([marks_of(path) for path in paths]) == []


def test_the_other_half_of_a_recording_is_no_copy(music: np.ndarray) -> None:
    assert find_duplicates([marks(music[: 6 * RATE]), marks(music[6 * RATE :])]) == []


def test_each_pair_once_the_most_similar_first(music: np.ndarray) -> None:
    found = find_duplicates([marks(music), marks(music[2 * RATE + 1371 : 7 * RATE]), marks(music)])
    assert found[0] == (0, 2, 1.0)
    assert sorted(pair[:2] for pair in found) == [(0, 1), (0, 2), (1, 2)]
    assert all(pair.similarity > SIMILAR for pair in found)


def test_landmarks_are_where_the_sound_is() -> None:
    """Two tones one after the other: each frame of a pair is that of its first tone's attack."""
    sound = np.zeros(3 * SAMPLE_RATE)
    for start_s, hz in ((0.5, 440), (1.25, 1000)):
        time_s = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
        start = round(start_s * SAMPLE_RATE)
        sound[start : start + len(time_s)] = np.sin(2 * np.pi * hz * time_s) * np.exp(-5 * time_s)
    found = compute_landmarks(sound)
    assert len(found) > 0
    assert found.dtype == np.int64
    seconds = found[:, 1] * 128 / SAMPLE_RATE
    assert ((seconds > 0.3) & (seconds < 1.75)).all()


def test_too_little_to_tell(tmp_path: Path) -> None:
    assert find_duplicates([]) == []
    assert compute_landmarks(np.zeros(100)).shape == (0, 2)
    assert len(compute_landmarks(np.zeros(SAMPLE_RATE))) == 0
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * np.sin(np.arange(2400) / 5), SAMPLE_RATE)
    assert find_duplicates([marks_of(tmp_path / f"{name}.wav") for name in "ab"]) == []
