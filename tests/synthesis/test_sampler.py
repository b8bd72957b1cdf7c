"""Banks of recorded notes: which recording plays a note, at what pitch, when, how loud and how long."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import files
from audiocnn.synthesis import sampler
from audiocnn.synthesis.sampler import SAMPLE_RATE


def tone(midi: float, seconds: float) -> np.ndarray:
    return 0.5 * np.sin(
        2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * np.arange(round(seconds * 16_000)) / 16_000
    )


def pitch_of(sound: np.ndarray) -> float:
    """The MIDI number of the strongest partial."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 18))
    return 69 + 12 * np.log2(np.argmax(spectrum) * SAMPLE_RATE / (1 << 18) / 440)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bank of two recordings, C4 with silence before it and A4."""
    soundfile.write(tmp_path / "C4.wav", np.concatenate([np.zeros(800), tone(60, 2)]), 16_000)
    soundfile.write(tmp_path / "A4.wav", tone(69, 2), 16_000)
    soundfile.write(tmp_path / "room.wav", tone(40, 1), 16_000)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "midi"), [("A4", 69), ("c4", 60), ("Ds4", 63), ("D#4", 63), ("Eb4", 63), ("A0", 21), ("C-1", 0)]
)
def test_note_names(name: str, midi: int) -> None:
    assert sampler.note_to_midi(name) == midi


def test_refuses_what_is_no_note_name() -> None:
    with pytest.raises(ValueError, match="not a note name such as A4, Ds4 or Eb4: 'H2'"):
        sampler.note_to_midi("H2")


def test_a_folder_takes_the_files_named_by_note(folder: Path) -> None:
    assert {region.pitch for region in sampler.read_regions(folder)} == {60, 69}


def test_takes_are_the_recordings_as_they_are_with_rests_between(folder: Path) -> None:
    sound = sampler.Bank(folder).draw_recordings(60, np.random.default_rng(0))
    assert sound.shape == (60 * SAMPLE_RATE,)
    loud = np.abs(sound).reshape(-1, 80).max(axis=1) > 0.01  # 5 ms each
    begins, ends = (
        np.flatnonzero(np.diff(loud.astype(int)) == 1),
        np.flatnonzero(np.diff(loud.astype(int)) == -1),
    )
    takes = [sound[80 * begin : 80 * end] for begin, end in zip(begins, ends[ends > begins[0]], strict=False)]
    lengths_s = {round(pitch_of(take)): round(len(take) / SAMPLE_RATE) for take in takes}
    assert lengths_s == {40: 1, 60: 2, 69: 2}


def test_refuses_a_folder_without_notes(tmp_path: Path) -> None:
    with pytest.raises(files.FileError, match="no recordings of notes"):
        sampler.read_regions(tmp_path)


def test_sfz_regions_inherit_and_skip_what_is_not_there(folder: Path) -> None:
    (folder / "bank.sfz").write_text(
        "// <region> sample=C4.wav key=1\n"
        "<global> volume=-6 <group> lovel=64\n"
        "<region> sample=C4.wav lokey=58 hikey=b4 pitch_keycenter=c4 tune=20\n"
        "<region> sample=A4.wav key=69 volume=3\n"
        "<region> sample=missing.wav key=70\n"
        "<group> trigger=release\n"
        "<region> sample=A4.wav key=69\n"
    )
    assert sampler.read_regions(folder / "bank.sfz") == [
        sampler.Region(folder / "C4.wav", 59.8, (58, 71), (64, 127), -6.0),
        sampler.Region(folder / "A4.wav", 69, (69, 69), (64, 127), 3.0),
    ]


def test_the_nearest_recording_is_brought_to_the_pitch_and_begins_on_time(folder: Path) -> None:
    notes = np.array([[0.5, 1.0, 61, 127], [1.5, 2.0, 67, 127]])
    sound, heard = sampler.Bank(folder).play(notes, release_s=0.1)
    np.testing.assert_array_equal(heard, notes)
    for onset_s, _, midi, _ in notes:
        begin = round(onset_s * SAMPLE_RATE)
        assert not np.abs(sound[begin - 1000 : begin]).any()
        assert np.abs(sound[begin : begin + 80]).max() > 0.3
        assert pitch_of(sound[begin : begin + 8000]) == pytest.approx(midi, abs=0.02)


def test_velocity_sets_level_and_dullness(folder: Path) -> None:
    loud, soft = (
        sampler.Bank(folder).play(np.array([[0.0, 1.0, 69, velocity]]), dynamics=2)[0]
        for velocity in (127, 96)
    )
    np.testing.assert_allclose(soft, loud * (96 / 127) ** 2, rtol=1e-5)
    dull, _ = sampler.Bank(folder).play(np.array([[0.0, 1.0, 69, 20]]), dynamics=0)
    one_pole = 1 / np.sqrt(1 + (np.tan(np.pi * 440 / 16_000) / np.tan(np.pi * 1000 / 16_000)) ** 2)
    assert np.abs(dull[2000:10_000]).max() == pytest.approx(0.5 * one_pole, rel=0.01)


def test_a_note_ends_where_its_recording_does(folder: Path) -> None:
    sound, heard = sampler.Bank(folder).play(np.array([[0.25, 9.0, 69, 127]]))
    assert heard[0, 1] == pytest.approx(2.25, abs=0.001)
    assert len(sound) == round(heard[0, 1] * SAMPLE_RATE)


def test_release_falls_by_60_db() -> None:
    sound = sampler.release(np.ones(SAMPLE_RATE, np.float32), 0.25, 0.5)
    assert len(sound) == 12_000
    assert (sound[:4000] == 1).all()
    np.testing.assert_allclose(sound[[4000, 8000, 11_999]], [1, 10**-1.5, 1e-3], rtol=1e-3)


def test_trimming_cuts_silence_around_and_fades_out() -> None:
    sound = np.concatenate([np.zeros(500), np.ones(8000), np.full(900, 1e-4)]).astype(np.float32)
    cut = sampler.trim(sound)
    assert len(cut) == 8000
    assert (cut[:7200] == 1).all()
    assert cut[-1] == 0
    assert len(sampler.trim(np.zeros(100, np.float32))) == 0
