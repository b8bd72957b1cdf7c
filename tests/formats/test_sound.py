"""The notes as sound: tuning, timing, loudness, and the same in any blocks."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import audio, files, formats, units
from audiocnn.formats import sound
from audiocnn.notes import Note


@pytest.mark.parametrize("n_samples", [1, 48, 16_000])
def test_plot_and_sound_of_little(tmp_path: Path, n_samples: int) -> None:
    audio.save(tmp_path / "tiny.wav", np.zeros(n_samples, np.float32), 16_000)
    formats.write_piano_roll([Note(0.0, 0.5, 60)], tmp_path / "tiny.wav", tmp_path / "tiny.png")
    formats.write_wav([Note(0.0, 0.5, 60)], tmp_path / "tiny.wav", tmp_path / "tiny_notes.wav")
    assert audio.load(tmp_path / "tiny_notes.wav", 44_100).shape == (-(-n_samples * 44_100 // 16_000),)


def test_tone_is_in_tune_and_in_time() -> None:
    tone = sound.synthesise(Note(3.0, 4.0, 69, 127))
    assert len(tone) == 44_100 + round(0.05 * 44_100)
    peak = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 1 << 20)).argmax() * 44_100 / (1 << 20)
    assert peak == pytest.approx(440, abs=0.1)
    assert np.abs(tone[[0, -1]]).max() < 1e-4
    assert 0.5 < np.abs(tone).max() < 2.5


def test_tone_follows_its_bend() -> None:
    straight = sound.synthesise(Note(0.0, 1.0, 69, 100))
    np.testing.assert_allclose(sound.synthesise(Note(0.0, 1.0, 69, 100, 1.0, (0.0,))), straight, atol=1e-4)
    bent = sound.synthesise(Note(0.0, 1.0, 69, 100, 1.0, (1.0, 1.0)))
    peak = np.abs(np.fft.rfft(bent * np.hanning(len(bent)), 1 << 20)).argmax() * 44_100 / (1 << 20)
    assert peak == pytest.approx(float(units.midi_to_hz(70)), abs=0.1)


def test_sound_has_the_recording_left_and_the_notes_right(a4: Path, tmp_path: Path) -> None:
    notes = [Note(0.5, 1.0, 57, 60), Note(1.0, 1.9, 64, 100), Note(1.9, 30.0, 60), Note(5.0, 6.0, 60)]
    formats.write_wav(notes, a4, tmp_path / "mix.wav")
    mix, sample_rate = soundfile.read(tmp_path / "mix.wav", dtype="float32")
    assert (mix.shape, sample_rate) == ((88_200, 2), 44_100)
    np.testing.assert_allclose(mix[:, 0], audio.load(a4, 44_100), atol=1 / 32_000)
    assert not mix[:22_050, 1].any()
    assert mix[23_000:, 1].any()


def test_sound_is_as_loud_as_the_recording(a4: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    starts_s = rng.uniform(0, 1.7, 40)
    notes = [Note(s, s + 0.2, int(m), 80) for s, m in zip(starts_s, rng.integers(40, 90, 40), strict=True)]
    formats.write_wav(notes, a4, tmp_path / "mix.wav")
    left, right = np.sqrt((soundfile.read(tmp_path / "mix.wav")[0] ** 2).mean(axis=0))
    assert 20 * np.log10(right / left) == pytest.approx(0, abs=1)


def test_sound_is_the_same_in_any_blocks(a4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [Note(0.1 * i, 0.1 * i + 0.01 * i * i, 50 + i) for i in range(15)]
    formats.write_wav(notes, a4, tmp_path / "whole.wav")
    monkeypatch.setattr(sound, "N_BLOCK", 1_237)
    formats.write_wav(notes, a4, tmp_path / "blocks.wav")
    whole, blocks = (soundfile.read(tmp_path / name)[0] for name in ("whole.wav", "blocks.wav"))
    np.testing.assert_allclose(blocks, whole, atol=1 / 16_000)


def test_sound_never_replaces_the_recording(a4: Path) -> None:
    before = a4.read_bytes()
    with pytest.raises(files.FileError, match=r"a4\.wav: is the recording itself"):
        formats.write_wav([Note(0.0, 1.0, 60)], a4, a4)
    assert a4.read_bytes() == before


def test_clipped_samples_are_reported(tmp_path: Path) -> None:
    loud = np.array([0.5, 1.5, -2.0, 1.0] * 5000, np.float32)
    soundfile.write(tmp_path / "loud.wav", loud, 44_100, subtype="FLOAT")
    with pytest.warns(files.FileWarning, match=r"loud\.wav: 10000 samples are above full scale"):
        formats.write_wav([Note(0.0, 0.2, 60)], tmp_path / "loud.wav", tmp_path / "notes.wav")
    assert np.abs(soundfile.read(tmp_path / "notes.wav")[0]).max() <= 1
