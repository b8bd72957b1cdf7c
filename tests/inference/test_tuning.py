"""Tuning: estimated as librosa does, where there is one; notes are those that are played."""

from pathlib import Path

import numpy as np
import pytest
import soxr

import audiocnn
from audiocnn import audio, formats
from audiocnn.evaluate.notes import score_notes
from audiocnn.inference.transcribe import StreamingTranscriber, transcribe
from audiocnn.inference.tuning import estimate_tuning, find_sample_rate
from audiocnn.notes import Note
from tests.inference.streams import always, transcribe_chunks

RATE = 16_000
EXAMPLES = ["menuet_piano", "greensleeves_flute_guitar"]


def retuned(samples: np.ndarray, cents: float) -> np.ndarray:
    """Play samples faster, so that they sound so many cents higher."""
    return samples if cents == 0 else soxr.resample(samples, RATE * 2 ** (cents / 1200), RATE)


def scaled(notes: list[Note], factor: float) -> list[Note]:
    return [Note(one.onset_s * factor, one.offset_s * factor, one.midi, one.velocity) for one in notes]


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest, examples: Path) -> tuple[np.ndarray, Path]:
    path = examples / f"{request.param}.flac"
    return audio.load(path, RATE)[: 9 * RATE], path


@pytest.mark.parametrize("cents", [-50, -32, -15, 0, 15, 39, 44])
def test_of_recordings(example, cents: int) -> None:
    expected = pytest.approx(cents, abs=3) if cents else 0
    assert estimate_tuning(retuned(example[0], cents), RATE) == expected


@pytest.mark.slow  # numba's import
def test_as_librosa_estimates_it(example) -> None:
    import librosa

    samples = retuned(example[0], 23)
    theirs = 100 * librosa.estimate_tuning(y=samples, sr=RATE, n_fft=4096)
    assert estimate_tuning(samples, RATE) == pytest.approx(theirs, abs=4)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
@pytest.mark.parametrize("cents", [-40, 25])
def test_of_tones(rate: int, cents: int) -> None:
    times_s = np.arange(5 * rate) / rate
    hz = 440 * 2 ** ((np.array([-12, -5, -1, 3]) + cents / 100) / 12)
    tones = sum(np.sin(2 * np.pi * one * times_s) for one in hz)
    assert estimate_tuning(0.1 * tones.astype(np.float32), rate) == pytest.approx(cents, abs=1)


def glide(n: int) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 220 * 2 ** (np.arange(n) / n * 2) * np.arange(n) / RATE)


def vibrato(n: int) -> np.ndarray:
    """A semitone up and down, 5 times a second."""
    phase = np.cumsum(330 * 2 ** (np.sin(2 * np.pi * 5 * np.arange(n) / RATE) / 12))
    return sum(0.2 * np.sin(2 * np.pi * k * phase / RATE) for k in (1, 2, 3))


@pytest.mark.parametrize(
    "make",
    [
        np.zeros,
        lambda n: 0.1 * np.random.default_rng(0).standard_normal(n),
        lambda n: 0.5 * (np.arange(n) % 4000 == 0),  # clicks
        glide,
        vibrato,
        lambda n: 0.5 * np.ones(n),
    ],
    ids=["silence", "noise", "clicks", "glide", "vibrato", "dc"],
)
@pytest.mark.parametrize("n_samples", [0, 1, 1000, 10 * RATE])
def test_without_evidence_there_is_none(make, n_samples: int) -> None:
    assert estimate_tuning(make(n_samples).astype(np.float32), RATE) == 0


@pytest.mark.parametrize("cents", [39, -32, -50])
def test_notes_are_those_that_are_played(example, cents: int) -> None:
    samples, path = example
    model = "notes-piano" if "piano" in path.name else "notes"
    sounds = retuned(samples, cents)
    result = audiocnn.transcribe((sounds, RATE), model)
    assert result.tuning_cents == pytest.approx(cents, abs=3)
    assert result.duration_s == pytest.approx(len(sounds) / RATE, abs=1e-3)
    reference = [note for note in formats.read_notes(path.with_suffix(".mid")) if note.offset_s < 9]
    at_440 = score_notes(reference, audiocnn.transcribe((samples, RATE), model).notes)
    now = score_notes(reference, scaled(result.notes, 2 ** (cents / 1200)))
    for measure in ("note", "frame"):
        assert now[measure]["f1"] > at_440[measure]["f1"] - 0.03
    if model == "notes":  # it finds notes up to 40 cents off too
        return
    off = scaled(audiocnn.transcribe((sounds, RATE), model, tuning=0).notes, 2 ** (cents / 1200))
    assert score_notes(reference, off)["note"]["f1"] < now["note"]["f1"]


def test_given_it_is_the_same_in_blocks_and_live(example) -> None:
    samples = retuned(example[0][: 6 * RATE], 39)
    whole = transcribe((samples, RATE), tuning=39, block_s=None, keep_scores=True)
    in_blocks = transcribe((samples, RATE), tuning=39.0, block_s=1.0, keep_scores=True)
    stream = StreamingTranscriber(audiocnn.load("notes-piano"), tuning_cents=39, keep_scores=True)
    resampler = audio.Resampler(RATE, stream.sample_rate)
    at_rate = np.concatenate([resampler.push(samples), resampler.flush()])
    transcribe_chunks(stream, at_rate, always(1234))
    for name, scores in whole.scores.items():
        np.testing.assert_allclose(in_blocks.scores[name], scores, atol=1e-4)
        np.testing.assert_allclose(stream.scores[name], scores, atol=1e-4)
    assert whole.frame_s == stream.frame_s == pytest.approx(0.032 / 2 ** (39 / 1200), rel=1e-4)


def test_estimated_from_a_file_as_from_an_array(tmp_path: Path, example) -> None:
    samples = retuned(example[0][: 10 * RATE], 39)
    audio.save(tmp_path / "a.wav", samples, RATE)
    from_file = transcribe(tmp_path / "a.wav", block_s=2.0)
    from_array = transcribe((audio.load(tmp_path / "a.wav", RATE), RATE))
    assert from_file.tuning_cents == from_array.tuning_cents == pytest.approx(39, abs=3)
    assert [note.midi for note in from_file.notes] == [note.midi for note in from_array.notes]
    onsets = [[note.onset_s for note in one.notes] for one in (from_file, from_array)]
    np.testing.assert_allclose(*onsets, atol=1e-3)  # of the array, which was resampled twice


@pytest.mark.parametrize("cents", [-201, 1200, float("nan")])
def test_out_of_range(cents: float) -> None:
    with pytest.raises(ValueError, match=f"tuning is {cents} cents, expected -200 to 200"):
        find_sample_rate(RATE, cents)


def test_notes_sound_as_the_recording_is_tuned(tmp_path: Path, example) -> None:
    audio.save(tmp_path / "a.wav", retuned(example[0][: 4 * RATE], 39), RATE)
    transcribe(tmp_path / "a.wav", tuning=39).to_wav(tmp_path / "a.notes.wav")
    (_, notes), rate = audio.load_channels(tmp_path / "a.notes.wav")
    assert estimate_tuning(notes, rate) == pytest.approx(39, abs=3)
