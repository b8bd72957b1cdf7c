"""Transcription of files and arrays: the same notes, options, models, files in every format."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import audiocnn
from audiocnn import audio, formats
from audiocnn.audio import AudioError
from audiocnn.files import FileError
from audiocnn.inference.transcribe import StreamingTranscriber, transcribe
from audiocnn.models.file import ModelError, write_model
from audiocnn.models.load import load
from audiocnn.models.notes import NotesModel
from tests.inference.streams import FRAME_S, HOP, RATE, assert_same_notes, assert_same_scores, sorted_notes


@pytest.fixture(scope="module")
def song(music: np.ndarray, tmp_path_factory) -> Path:
    """A stereo file of 45 s at another rate."""
    path = tmp_path_factory.mktemp("songs") / "song.flac"
    resampler = audio.Resampler(RATE, 22_050)
    mono = np.concatenate([resampler.push(music[: 45 * RATE]), resampler.flush()])
    audio.save(path, np.stack([mono, 0.5 * mono]), 22_050)
    return path


def test_file_is_its_array(model: NotesModel, song: Path) -> None:
    from_file = transcribe(song, model, keep_scores=True)
    assert len(from_file.notes) > 30
    assert from_file.source == song
    assert from_file.duration_s == pytest.approx(45, abs=1e-3)
    assert from_file.frame_s == FRAME_S
    assert from_file.notes == sorted_notes(from_file.notes)
    samples = audio.load(song, 22_050)
    from_array = transcribe((samples, 22_050), model, keep_scores=True)
    assert from_array.source is None
    assert_same_scores(from_array.scores, from_file.scores)
    assert_same_notes(from_array.notes, from_file.notes)
    assert_same_notes(
        transcribe((np.stack([2 * samples, 0 * samples]), 22_050), model).notes, from_file.notes
    )


def test_notes_do_not_depend_on_the_length_of_blocks(model: NotesModel, song: Path) -> None:
    in_blocks = transcribe(song, model)
    assert in_blocks.scores == {}
    assert_same_notes(transcribe(song, model, block_s=None).notes, in_blocks.notes)
    assert_same_notes(transcribe(str(song), model, block_s=1.0).notes, in_blocks.notes)


@pytest.mark.parametrize("block_s", [0, -1.0, np.inf, np.nan])
def test_blocks_need_a_length(model: NotesModel, block_s: float) -> None:
    with pytest.raises(
        ValueError, match=rf"^block_s is {block_s}, expected a finite number above 0, or None$"
    ):
        StreamingTranscriber(model, block_s=block_s)


def test_progress(model: NotesModel, song: Path) -> None:
    seconds = []
    transcription = transcribe(song, model, progress=seconds.append)
    assert seconds == sorted(seconds)
    assert len(seconds) > 1
    assert seconds[-1] == transcription.duration_s


def test_decoding_options(model: NotesModel, music: np.ndarray) -> None:
    sound = (music[: 20 * RATE], RATE)
    every = transcribe(sound, model).notes
    strict = transcribe(sound, model, onset_threshold=0.55, lowest_pitch=50).notes
    assert 0 < len(strict) < len(every)
    assert min(note.confidence for note in strict) >= 0.55
    assert min(note.midi for note in strict) >= 50
    decoding = replace(model.decoding, onset_threshold=0.55, lowest_pitch=70)
    assert transcribe(sound, model, decoding=decoding, lowest_pitch=50).notes == strict
    with pytest.raises(TypeError, match="unexpected keyword argument 'onset_treshold'"):
        transcribe(sound, model, onset_treshold=0.6)
    with pytest.raises(ValueError, match="onset_threshold is 0, expected more than 0 and at most 1"):
        transcribe(sound, model, onset_threshold=0)


@pytest.mark.parametrize(("n_samples", "n_frames"), [(0, 0), (1, 1), (24, 1), (HOP, 2)])
def test_next_to_no_sound(model: NotesModel, n_samples: int, n_frames: int) -> None:
    transcription = transcribe((np.zeros(n_samples, np.float32), RATE), model, keep_scores=True)
    assert transcription.duration_s == n_samples / RATE
    assert all(score.shape == (88, n_frames) for score in transcription.scores.values())
    assert bool(transcription.scores) == bool(n_frames)
    assert n_frames or transcription.notes == []


def test_missing_file(model: NotesModel, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"nowhere\.wav: No such file or directory"):
        transcribe(tmp_path / "nowhere.wav", model)


def test_models_by_name_and_path(model: NotesModel, music: np.ndarray, tmp_path: Path) -> None:
    path, sound = tmp_path / "mine.safetensors", (music[: 10 * RATE], RATE)
    write_model(model, path)
    expected = transcribe(sound, model).notes
    assert_same_notes(transcribe(sound, load(path)).notes, expected)
    assert_same_notes(audiocnn.transcribe(sound, str(path)).notes, expected)
    with pytest.raises(ModelError, match=r"notes-organ: no such model, expected a file or one of"):
        load("notes-organ")
    with pytest.raises(ModelError, match=r"none\.safetensors: no such model, expected a file"):
        load(tmp_path / "none.safetensors")


def test_written_in_every_format(model: NotesModel, song: Path, tmp_path: Path) -> None:
    transcription = transcribe(song, model, keep_scores=True)
    transcription.to_midi(tmp_path / "x.mid", tempo=90.0)
    transcription.to_csv(tmp_path / "x.csv")
    transcription.to_json(tmp_path / "x.json")
    transcription.to_jams(tmp_path / "x.jams")
    transcription.to_npz(tmp_path / "x.npz")
    for name in ("x.mid", "x.csv", "x.json", "x.jams"):
        notes = formats.read_notes(tmp_path / name)
        assert sorted(note.midi for note in notes) == sorted(note.midi for note in transcription.notes)
        onsets = [note.onset_s for note in sorted_notes(notes)]
        np.testing.assert_allclose(onsets, [note.onset_s for note in transcription.notes], atol=0.002)
    with np.load(tmp_path / "x.npz") as arrays:
        np.testing.assert_array_equal(arrays["onset"], transcription.scores["onset"])


def test_spectrograms_need_the_audio_file(model: NotesModel, tmp_path: Path) -> None:
    transcription = transcribe((np.zeros(RATE, np.float32), RATE), model)
    with pytest.raises(
        FileError, match=r"x\.png: needs the recording, which this transcription does not hold"
    ):
        transcription.to_png(tmp_path / "x.png")
    with pytest.raises(FileError, match=r"x\.wav: needs the recording"):
        transcription.to_wav(tmp_path / "x.wav")
