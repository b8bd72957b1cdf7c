"""Classification: the same in chunks of any size, at any length, in windows where they should be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import audiocnn
from audiocnn.inference.classify import StreamingClassifier
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError
from audiocnn.models.load import fuse_model, load
from audiocnn.models.notes import NotesModel

RATE = 16_000
N_WINDOW = RATE  # of the models of these tests


@pytest.fixture(scope="module")
def model(one_tone: Path) -> ClipModel:
    return load(one_tone, kind=ClipModel)


@pytest.fixture(scope="module")
def recording(tone) -> np.ndarray:
    """12.3 s: a low tone, a middle one, both, nothing."""
    parts = [tone("low", duration_s=4), tone("middle", duration_s=3.3), tone("low", "middle"), tone()]
    return np.concatenate([*parts, tone(duration_s=1)])


def logits(model: ClipModel, samples: np.ndarray, sizes: list[int]) -> tuple[list[int], np.ndarray]:
    """Starts and logits of the windows, from samples in chunks of these sizes, again and again."""
    stream, start, turn = StreamingClassifier(model), 0, 0
    while start < len(samples):
        size = sizes[turn % len(sizes)]
        stream.push(samples[start : start + size])
        start, turn = start + size, turn + 1
    stream.flush()
    return stream.starts, stream.logits


def test_whole_in_blocks_and_in_random_chunks(model: ClipModel, recording: np.ndarray) -> None:
    starts, whole = logits(model, recording, [len(recording)])
    assert starts == [*range(0, 11 * RATE + 1, RATE // 2), round(11.3 * RATE)]
    rng = np.random.default_rng(0)
    for sizes in ([4000], [160_000], [1, N_WINDOW - 1, 7], rng.integers(1, 30_000, 40).tolist()):
        got_starts, got = logits(model, recording, sizes)
        assert got_starts == starts
        np.testing.assert_allclose(got, whole, atol=1e-6 * np.abs(whole).max())


def test_the_windows_are_those_of_the_training(model: ClipModel, recording: np.ndarray) -> None:
    windows = model.split_windows(torch.from_numpy(recording))
    with torch.inference_mode():
        wanted = model(windows).numpy()
    _, got = logits(model, recording, [5000])
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)  # its norms are fused


@pytest.mark.parametrize(
    ("n_samples", "starts"),
    [
        (1, [0]),
        (319, [0]),
        (N_WINDOW - 1, [0]),
        (N_WINDOW, [0]),
        (N_WINDOW + 1, [0, 1]),
        (N_WINDOW * 3 // 2, [0, N_WINDOW // 2]),
        (N_WINDOW * 2 + 3, [0, N_WINDOW // 2, N_WINDOW, N_WINDOW + 3]),
    ],
)
def test_any_length(model: ClipModel, tone, n_samples: int, starts: list[int]) -> None:
    samples = tone("high", duration_s=3)[:n_samples]
    assert logits(model, samples, [777])[0] == starts
    result = audiocnn.classify((samples, RATE), model)
    assert result.duration_s == n_samples / RATE
    assert result.timeline.window_s == min(1.0, result.duration_s)
    np.testing.assert_allclose(result.timeline.starts_s, np.array(starts) / RATE)
    assert result.timeline.edges_s[-1] == pytest.approx(result.duration_s)
    assert result.timeline.probabilities.shape == (len(starts), 4)
    np.testing.assert_allclose(result.timeline.probabilities.sum(axis=1), 1)


@pytest.mark.parametrize("name", ["low", "middle", "high"])
def test_predicts_one_tone(one_tone: Path, tone, name: str) -> None:
    result = audiocnn.classify((tone(name), RATE), one_tone)
    assert [one.label for one in result.predictions] == [name]
    assert result.ranked_labels[0].probability > 0.99
    assert {one.label for one in result.ranked_labels} == {"low", "middle", "high"}
    assert (result.is_unknown, result.multi_label, result.models, result.source) == (
        False,
        False,
        ["one"],
        None,
    )


def test_what_is_no_label_is_unknown(one_tone: Path, many_tones: Path, tone) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    for samples in (tone(), noise):
        for model in (one_tone, many_tones):
            result = audiocnn.classify((samples, RATE), model)
            assert (result.is_unknown, result.predictions) == (True, [])
    assert audiocnn.classify((tone("low", "high"), RATE), one_tone).is_unknown


def test_predicts_several(many_tones: Path, tone) -> None:
    result = audiocnn.classify((tone("low", "high"), RATE), many_tones)
    assert {one.label for one in result.predictions} == {"low", "high"}
    assert result.ranked_labels[-1].label == "middle"
    assert result.timeline.outputs == ["low", "middle", "high"]


def test_segments(one_tone: Path, recording: np.ndarray) -> None:
    result = audiocnn.classify((recording, RATE), one_tone)
    labels = [[one.label for one in part.predictions] for part in result.segments]
    assert labels == [["low"], [], ["middle"], []]  # one window has as much of low as of middle
    assert [part.start_s for part in result.segments[:3]] == [0, 3.75, 4.25]
    assert result.segments[3].start_s == pytest.approx(7.3, abs=0.5)
    ends_s = [part.end_s for part in result.segments]
    assert ends_s == pytest.approx([*(part.start_s for part in result.segments[1:]), 12.3])


def test_another_rate_and_many_channels(one_tone: Path, tone) -> None:
    time_s = np.arange(2 * 44_100) / 44_100
    stereo = np.stack([0.1 * np.sin(2 * np.pi * 440 * time_s)] * 2)
    result = audiocnn.classify((stereo, 44_100), one_tone)
    assert [one.label for one in result.predictions] == ["middle"]
    assert result.duration_s == pytest.approx(2)


def test_files_and_progress(one_tone: Path, recording: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", recording, RATE, subtype="FLOAT")
    seconds: list[float] = []
    result = audiocnn.classify(tmp_path / "song.wav", one_tone, progress=seconds.append)
    assert seconds == pytest.approx([10, 12.3])
    assert result.source == tmp_path / "song.wav"
    np.testing.assert_allclose(
        result.probabilities, audiocnn.classify((recording, RATE), one_tone).probabilities, atol=1e-6
    )


def changed(model: ClipModel, change: Callable[[ClipModel], object]) -> ClipModel:
    other = fuse_model(model)  # a copy
    change(other)
    return other


def test_an_ensemble_is_the_mean(model: ClipModel, tone) -> None:
    hot = changed(model, lambda other: other.temperature.fill_(20.0))
    sound = (tone("low"), RATE)
    alone = [audiocnn.classify(sound, one).probabilities for one in (model, hot)]
    together = audiocnn.classify(sound, [model, hot])
    np.testing.assert_allclose(together.probabilities, np.mean(alone, axis=0), atol=1e-6)
    assert alone[1].max() < alone[0].max()
    assert together.models == ["one", "one"]


def test_models_that_differ_are_refused(model: ClipModel, many_tones: Path, tone) -> None:
    shorter = changed(model, lambda other: setattr(other, "window_s", 0.5))
    sound = (tone("low"), RATE)
    with pytest.raises(ValueError, match=r"window_s of one: 0\.5, expected 1\.0 as of one"):
        audiocnn.classify(sound, [model, shorter])
    with pytest.raises(ValueError, match="multi_label of many: True, expected False as of one"):
        audiocnn.classify(sound, [model, many_tones])
    with pytest.raises(ValueError, match="no model given"):
        audiocnn.classify(sound, [])


def test_a_model_of_the_wrong_kind(one_tone: Path) -> None:
    message = "one.safetensors: predicts labels, not notes; `audiocnn classify` uses it"
    with pytest.raises(ModelError, match=message):
        load(one_tone, kind=NotesModel)
    message = "notes-piano: predicts notes, not labels; `audiocnn transcribe` uses it"
    with pytest.raises(ModelError, match=message):
        load("notes-piano", kind=ClipModel)
