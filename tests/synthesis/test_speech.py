"""Spoken recordings: sound, no notes, the same for the same seed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from audiocnn import files
from audiocnn.datasets.notes import cache
from audiocnn.datasets.notes.cache import read_recordings
from audiocnn.synthesis import speech

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs the program espeak-ng")


def test_text_is_drawn() -> None:
    words = speech.draw_text(np.random.default_rng(0)).split()
    assert len(words) == speech.N_WORDS
    assert (
        speech.draw_text(np.random.default_rng(0)).split()
        == words
        != speech.draw_text(np.random.default_rng(1)).split()
    )


@needs_espeak
def test_prepare(tmp_path: Path) -> None:
    assert speech.prepare_speech(tmp_path, minutes=2) == 2
    assert speech.prepare_speech(tmp_path, minutes=2) == 0
    first, second = read_recordings(tmp_path / "train")
    assert first.notes.shape == second.notes.shape == (0, 4)
    assert first.sample_rate == cache.SAMPLE_RATE
    assert 20 < first.n_samples / first.sample_rate < 150
    sound = first.read(0, first.n_samples)
    assert 0.01 < np.sqrt(np.mean(sound**2)) < 0.5
    again = speech.speak(np.random.default_rng((0, 0))).clip(-1, 1)
    np.testing.assert_allclose(sound, again, atol=2 / 2**15)


def test_without_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(files.FileError, match="espeak-ng: not installed"):
        speech.prepare_speech(tmp_path)
