"""Transcription of streams: the same scores and notes whole, in blocks and live; soon enough."""

import numpy as np
import pytest
import torch
from torch import nn

from audiocnn import create_backbone
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.waveform import Waveform
from audiocnn.inference.transcribe import StreamingTranscriber
from audiocnn.models.load import fuse_model
from audiocnn.models.notes import NotesModel
from tests.inference.streams import (
    CONTEXT,
    EAGER,
    FRAME_S,
    HOP,
    RATE,
    REACH_S,
    always,
    assert_same_notes,
    assert_same_scores,
    at_random,
    transcribe_chunks,
)


def test_whole_is_what_the_model_scores(model: NotesModel, music: np.ndarray, whole) -> None:
    with torch.inference_mode():
        scores = {
            name: score[0].numpy() for name, score in model.scores(torch.from_numpy(music)[None]).items()
        }
    assert_same_scores(whole[0], scores)
    assert whole[0]["onset"].shape == (88, 1 + len(music) // HOP)
    assert 100 < len(whole[1]) < 3000
    assert len({note.midi for note in whole[1]}) > 20
    assert len({note.velocity for note in whole[1]}) > 10


@pytest.mark.parametrize(
    ("block_s", "sizes"),
    [(1.3, always(777)), (7.77, at_random(1, 50_000)), (20.0, always(10**9)), (0.9, at_random(1, 6000))],
    ids=["live", "odd", "blocks", "short"],
)
def test_blocks_and_live_are_the_whole(
    model: NotesModel, music: np.ndarray, whole, block_s: float, sizes
) -> None:
    stream = StreamingTranscriber(model, block_s=block_s, keep_scores=True)
    notes = transcribe_chunks(stream, music, sizes)
    assert_same_scores(stream.scores, whole[0])
    assert_same_notes(notes, whole[1])


@pytest.mark.parametrize("n_samples", [1, 24, HOP - 1, HOP, 5 * HOP, 40 * HOP + 7])
def test_short_sounds(model: NotesModel, music: np.ndarray, n_samples: int) -> None:
    scores = {}
    for block_s in (None, 0.1, 20.0):
        stream = StreamingTranscriber(model, block_s=block_s, keep_scores=True)
        transcribe_chunks(stream, music[:n_samples], always(100))
        scores[block_s] = stream.scores
        assert scores[block_s]["frame"].shape == (88, 1 + n_samples // HOP)
    assert_same_scores(scores[0.1], scores[None])
    assert_same_scores(scores[20.0], scores[None])


def test_nothing_gives_nothing(model: NotesModel) -> None:
    stream = StreamingTranscriber(model, keep_scores=True)
    assert stream.push(np.zeros(0, np.float32)) == []
    assert stream.flush() == []
    assert stream.scores == {}
    assert stream.active_notes == []


def test_memory_stays_bounded(model: NotesModel, music: np.ndarray) -> None:
    """What is kept is a block, what the network needs around it, and one push."""
    stream = StreamingTranscriber(model, block_s=2.0)
    longest = 0
    for start in range(0, 60 * RATE, 1000):
        stream.push(music[start : start + 1000])
        longest = max(longest, len(stream._samples))
    assert longest <= 2 * RATE + 2 * (CONTEXT + 3) * HOP + 1000
    assert stream.scores == {}


def test_fused_net_gives_the_same_scores(model: NotesModel, music: np.ndarray) -> None:
    waveform = torch.from_numpy(music[: 10 * RATE])[None]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    quick = fuse_model(model)
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in quick.modules())
    with torch.inference_mode():
        for name, score in quick.scores(waveform).items():
            torch.testing.assert_close(score, model.scores(waveform)[name], rtol=0, atol=2e-6)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


MEL = LogMel(RATE, 512, 64, n_mels=40)
STRIDED = {"depths": (1, 1), "widths": (8, 12), "norm": "batch"}
NETWORKS = {
    "strided": (MEL, {"name": "resnet_small", **STRIDED}),
    "strided, 1-D": (MEL, {"name": "resnet_small", "dims": 1, "in_channels": 40, **STRIDED}),
    "waveform": (Waveform(RATE), {"name": "resnet_small", "dims": 1, "in_channels": 1, **STRIDED}),
    "sees everything": (MEL, {"name": "resnet_small", "squeeze": 4, **STRIDED}),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_with_strides(network: str, music: np.ndarray) -> None:
    """Networks with strides, over bins, channels or samples, give the same scores in chunks too."""
    torch.manual_seed(0)
    front_end, arguments = NETWORKS[network]
    model = NotesModel(front_end, create_backbone(**arguments)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.3)
    assert model.hop_length == front_end.hop_length * 8
    waveform = music[: 5 * RATE + 77]
    results = []
    for block_s, sizes in ((None, always(10**9)), (0.5, at_random(1, 6000)), (0.01, always(2001))):
        stream = StreamingTranscriber(model, block_s=block_s, keep_scores=True)
        transcribe_chunks(stream, waveform, sizes)
        results.append(stream.scores)
        assert (stream.latency_s == np.inf) == (network == "sees everything")
    with torch.inference_mode():
        scores = {k: s[0].numpy() for k, s in model.scores(torch.from_numpy(waveform)[None]).items()}
    assert scores["frame"].shape == (88, 1 + len(waveform) // model.hop_length)
    assert scores["frame"].std(axis=1).min() > 1e-5
    for others in results:
        assert_same_scores(others, scores)


# Soon enough


def test_latency(model: NotesModel) -> None:
    """Half a window, the frames that the network looks ahead, and the one that the decoder does."""
    assert StreamingTranscriber(model).latency_s == pytest.approx(REACH_S + (CONTEXT + 1) * FRAME_S)
    assert StreamingTranscriber(model, look_ahead_s=0.1).latency_s == pytest.approx(
        REACH_S + FRAME_S
    )  # 96 ms
    assert StreamingTranscriber(model, look_ahead_s=0.2).latency_s == pytest.approx(REACH_S + 4 * FRAME_S)
    assert StreamingTranscriber(model, look_ahead_s=0.192).latency_s == pytest.approx(0.192)
    assert StreamingTranscriber(model, look_ahead_s=99).latency_s == StreamingTranscriber(model).latency_s


def test_look_ahead_that_is_too_short(model: NotesModel) -> None:
    with pytest.raises(ValueError, match=r"look_ahead_s is 0.09, expected at least this model's 0.096"):
        StreamingTranscriber(model, look_ahead_s=0.09)


def test_low_latency_does_not_depend_on_the_arrays(model: NotesModel, music: np.ndarray) -> None:
    results = []
    for sizes in (always(HOP), at_random(1, 3000), always(10**6)):
        stream = StreamingTranscriber(model, EAGER, look_ahead_s=0.1, keep_scores=True)
        results.append((transcribe_chunks(stream, music[: 6 * RATE], sizes), stream.scores))
    assert len(results[0][0]) > 5
    for notes, scores in results[1:]:
        assert_same_scores(scores, results[0][1])
        assert_same_notes(notes, results[0][0])


def test_full_look_ahead_is_the_whole(model: NotesModel, music: np.ndarray, whole) -> None:
    stream = StreamingTranscriber(model, look_ahead_s=5.0, keep_scores=True)
    stream.push(music[: 6 * RATE])
    early = stream.scores
    n_frames = early["onset"].shape[1]
    assert n_frames == 6 * RATE // HOP - 2 - CONTEXT + 1
    assert_same_scores(early, {name: score[:, :n_frames] for name, score in whole[0].items()})


@pytest.mark.parametrize("look_ahead_s", [0.1, 0.3])
def test_notes_are_detected_in_time(model: NotesModel, music: np.ndarray, look_ahead_s: float) -> None:
    """In arrays of 10 ms, each onset is detected after the latency, plus or minus half a frame."""
    stream, detected_s = StreamingTranscriber(model, EAGER, look_ahead_s=look_ahead_s), {}
    for start in range(0, 6 * RATE, 80):
        for note in stream.push(music[start : start + 80]) + stream.active_notes:
            detected_s.setdefault((note.onset_s, note.midi), (start + 80) / RATE)
    assert len(detected_s) > 5
    delays_s = [detected - onset_s for (onset_s, _), detected in detected_s.items()]
    assert max(delays_s) <= stream.latency_s + FRAME_S / 2 + 0.01
    assert min(delays_s) >= stream.latency_s - FRAME_S / 2 - 1e-6


def test_frames_depend_on_nothing_beyond_the_look_ahead(model: NotesModel, music: np.ndarray) -> None:
    stream = StreamingTranscriber(model, look_ahead_s=0.1, keep_scores=True)
    stream.push(music[: 2 * RATE])
    early = stream.scores
    assert early["onset"].shape[1] == 2 * RATE // HOP - 2 + 1
    stream.push(np.ones(RATE, np.float32))
    assert_same_scores(
        early, {name: score[:, : early[name].shape[1]] for name, score in stream.scores.items()}
    )
