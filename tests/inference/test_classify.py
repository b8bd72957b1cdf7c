"""Listening for labels: the same however the sound comes, at any length, in windows where they should be."""

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
from audiocnn.models.load import fused, load_clips, load_notes

RATE = 16_000
N_WINDOW = RATE  # of the models of these tests


@pytest.fixture(scope="module")
def model(one_tone: Path) -> ClipModel:
    return load_clips(one_tone)


@pytest.fixture(scope="module")
def piece(tone) -> np.ndarray:
    """12.3 s: a low tone, a middle one, both, nothing."""
    parts = [tone("low", duration_s=4), tone("middle", duration_s=3.3), tone("low", "middle"), tone()]
    return np.concatenate([*parts, tone(duration_s=1)])


def logits(model: ClipModel, samples: np.ndarray, sizes: list[int]) -> tuple[list[int], np.ndarray]:
    """Starts and logits of the windows, from samples in pieces of these sizes, again and again."""
    listener, start, turn = StreamingClassifier(model), 0, 0
    while start < len(samples):
        size = sizes[turn % len(sizes)]
        listener.push(samples[start : start + size])
        start, turn = start + size, turn + 1
    listener.flush()
    return listener.starts, listener.logits


def test_whole_in_blocks_and_in_random_pieces(model: ClipModel, piece: np.ndarray) -> None:
    starts, whole = logits(model, piece, [len(piece)])
    assert starts == [*range(0, 11 * RATE + 1, RATE // 2), round(11.3 * RATE)]
    rng = np.random.default_rng(0)
    for sizes in ([4000], [160_000], [1, N_WINDOW - 1, 7], rng.integers(1, 30_000, 40).tolist()):
        got_starts, got = logits(model, piece, sizes)
        assert got_starts == starts
        np.testing.assert_allclose(got, whole, atol=1e-6 * np.abs(whole).max())


def test_the_windows_are_those_of_the_training(model: ClipModel, piece: np.ndarray) -> None:
    windows = model.windows(torch.from_numpy(piece))
    with torch.inference_mode():
        wanted = model(windows).numpy()
    _, got = logits(model, piece, [5000])
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
    heard = audiocnn.classify((samples, RATE), model)
    assert heard.duration_s == n_samples / RATE
    assert heard.timeline.window_s == min(1.0, heard.duration_s)
    np.testing.assert_allclose(heard.timeline.starts_s, np.array(starts) / RATE)
    assert heard.timeline.edges_s[-1] == pytest.approx(heard.duration_s)
    assert heard.timeline.probabilities.shape == (len(starts), 4)
    np.testing.assert_allclose(heard.timeline.probabilities.sum(axis=1), 1)


@pytest.mark.parametrize("name", ["low", "middle", "high"])
def test_hears_one_tone(one_tone: Path, tone, name: str) -> None:
    heard = audiocnn.classify((tone(name), RATE), one_tone)
    assert [one.label for one in heard.heard] == [name]
    assert heard.labels[0].probability > 0.99
    assert {one.label for one in heard.labels} == {"low", "middle", "high"}
    assert (heard.unknown, heard.multi_label, heard.models, heard.source) == (False, False, ["one"], None)


def test_what_is_no_label_is_unknown(one_tone: Path, many_tones: Path, tone) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    for samples in (tone(), noise):
        for model in (one_tone, many_tones):
            heard = audiocnn.classify((samples, RATE), model)
            assert (heard.unknown, heard.heard) == (True, [])
    assert audiocnn.classify((tone("low", "high"), RATE), one_tone).unknown


def test_hears_several(many_tones: Path, tone) -> None:
    heard = audiocnn.classify((tone("low", "high"), RATE), many_tones)
    assert {one.label for one in heard.heard} == {"low", "high"}
    assert heard.labels[-1].label == "middle"
    assert heard.timeline.outputs == ["low", "middle", "high"]


def test_segments(one_tone: Path, piece: np.ndarray) -> None:
    heard = audiocnn.classify((piece, RATE), one_tone)
    said = [[one.label for one in part.heard] for part in heard.segments]
    assert said == [["low"], [], ["middle"], []]  # one window has as much of low as of middle
    assert [part.start_s for part in heard.segments[:3]] == [0, 3.75, 4.25]
    assert heard.segments[3].start_s == pytest.approx(7.3, abs=0.5)
    ends_s = [part.end_s for part in heard.segments]
    assert ends_s == pytest.approx([*(part.start_s for part in heard.segments[1:]), 12.3])


def test_another_rate_and_many_channels(one_tone: Path, tone) -> None:
    time_s = np.arange(2 * 44_100) / 44_100
    stereo = np.stack([0.1 * np.sin(2 * np.pi * 440 * time_s)] * 2)
    heard = audiocnn.classify((stereo, 44_100), one_tone)
    assert [one.label for one in heard.heard] == ["middle"]
    assert heard.duration_s == pytest.approx(2)


def test_files_and_progress(one_tone: Path, piece: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "piece.wav", piece, RATE, subtype="FLOAT")
    told: list[float] = []
    heard = audiocnn.classify(tmp_path / "piece.wav", one_tone, progress=told.append)
    assert told == pytest.approx([10, 12.3])
    assert heard.source == tmp_path / "piece.wav"
    np.testing.assert_allclose(heard.values, audiocnn.classify((piece, RATE), one_tone).values, atol=1e-6)


def changed(model: ClipModel, change: Callable[[ClipModel], object]) -> ClipModel:
    other = fused(model)  # a copy
    change(other)
    return other


def test_an_ensemble_is_the_mean(model: ClipModel, tone) -> None:
    cold = changed(model, lambda other: other.temperature.fill_(20.0))
    sound = (tone("low"), RATE)
    alone = [audiocnn.classify(sound, one).values for one in (model, cold)]
    together = audiocnn.classify(sound, [model, cold])
    np.testing.assert_allclose(together.values, np.mean(alone, axis=0), atol=1e-6)
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
    message = "one.safetensors: hears labels, not notes; `audiocnn classify` uses it"
    with pytest.raises(ModelError, match=message):
        load_notes(one_tone)
    message = "notes-piano: hears notes, not labels; `audiocnn transcribe` uses it"
    with pytest.raises(ModelError, match=message):
        load_clips("notes-piano")
