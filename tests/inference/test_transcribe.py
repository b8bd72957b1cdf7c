"""Transcription: the same scores and notes whole, in blocks and live; soon enough; from files and arrays."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import audiocnn
from audiocnn import audio, create_backbone, formats
from audiocnn.audio import AudioError
from audiocnn.backbones.harmonic import HarmonicUNet
from audiocnn.files import FileError
from audiocnn.frontends.cqt import Cqt
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.waveform import Waveform
from audiocnn.inference.transcribe import StreamingTranscriber, transcribe
from audiocnn.models.file import ModelError, write_model
from audiocnn.models.load import fuse_model, load
from audiocnn.models.notes import NotesModel
from audiocnn.notes import DecodingOptions, Note

RATE, HOP = 8000, 256
FRAME_S = HOP / RATE  # 32 ms
REACH_S = 2 * FRAME_S  # half of the front end's longest window, in whole frames
POOL = 3  # frames of the input to one of the network's middle
CONTEXT = (
    1 + (1 + 1) + POOL * (1 + 2 + 2 + 1 + 2) + (POOL - 1) + (1 + 1)
)  # frames to each side that one depends on
EAGER = DecodingOptions(onset_threshold=0.35, frame_threshold=0.5)  # finds more notes
NETWORK = {
    "channels": 8,
    "middle_channels": 12,
    "pool": POOL,
    "harmonics": (1, 2, 3),
    "before": (((12, 1), (1, 1)),),
    "middle": (((7, 1), (12, 2)), ((12, 2), (1, 1))),
    "after": (((1, 1), (12, 1)),),
}


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """Three minutes and a bit of tones and noise that come and go."""
    rng = np.random.default_rng(0)
    n_samples = 180 * RATE + 123
    times_s = np.arange(n_samples) / RATE
    waveform = 0.02 * rng.standard_normal(n_samples)
    for frequency in rng.uniform(60, 2000, 8):
        loudness = np.abs(np.sin(np.pi * times_s * rng.uniform(0.3, 3)))
        waveform += 0.1 * loudness**4 * np.sin(2 * np.pi * frequency * times_s)
    return waveform.astype(np.float32)


@pytest.fixture(scope="module")
def model(music: np.ndarray) -> NotesModel:
    """A net of random weights whose scores vary as a trained one's: a few of them pass the thresholds."""
    torch.manual_seed(1)  # one with which notes of many pitches are found
    front_end = Cqt(RATE, HOP, fmin=26.9755, n_bins=252, bins_per_octave=36, max_length=1022, floor=1e-4)
    decoding = DecodingOptions(onset_threshold=0.5, frame_threshold=0.5, offset_threshold=0.5)
    backbone = HarmonicUNet(**NETWORK)
    model = NotesModel(front_end, backbone, decoding).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    nn.init.normal_(model.backbone.pitch_bias, 0, 0.1)
    with torch.no_grad():
        logits = model(torch.from_numpy(music[: 10 * RATE])[None])[0].flatten(1)
        shares = torch.tensor([0.996, 0.8, 0.995, 0.5])  # of onset, frame, offset and velocity below one half
        for output, share in enumerate(shares):
            scale = 0.7 / logits[output].std()
            model.head.project.weight[output] *= scale
            model.head.project.bias[output] = -scale * (logits[output] + 4).quantile(share)
    return model


def sorted_notes(notes: list[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: (note.onset_s, note.midi))


def transcribe_chunks(stream: StreamingTranscriber, waveform: np.ndarray, sizes) -> list[Note]:
    """The notes of a waveform that comes in arrays of these sizes."""
    notes, start = [], 0
    while start < len(waveform):
        size = next(sizes)
        notes += stream.push(waveform[start : start + size])
        start += size
    return sorted_notes(notes + stream.flush())


def always(size: int):
    while True:
        yield size


def at_random(lowest: int, highest: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(lowest, highest))


def assert_same_scores(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    assert ours.keys() == theirs.keys() == {"onset", "frame", "offset", "velocity"}
    for name, score in ours.items():
        np.testing.assert_allclose(score, theirs[name], rtol=0, atol=1e-5)


def assert_same_notes(ours: list[Note], theirs: list[Note]) -> None:
    assert [(note.midi, note.velocity) for note in ours] == [(note.midi, note.velocity) for note in theirs]
    for name in ("onset_s", "offset_s", "confidence"):
        times = [getattr(note, name) for note in ours], [getattr(note, name) for note in theirs]
        np.testing.assert_allclose(*times, rtol=0, atol=1e-5 if name == "confidence" else 1e-6)


@pytest.fixture(scope="module")
def whole(model: NotesModel, music: np.ndarray) -> tuple[dict[str, np.ndarray], list[Note]]:
    """Scores and notes of all of the music at once."""
    stream = StreamingTranscriber(model, block_s=None, keep_scores=True)
    notes = transcribe_chunks(stream, music, always(len(music)))
    return stream.scores, notes


# The same in any chunks


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
        results.append((transcribe_chunks(stream, music[: 4 * RATE], sizes), stream.scores))
    assert len(results[0][0]) > 5
    for notes, scores in results[1:]:
        assert_same_scores(scores, results[0][1])
        assert_same_notes(notes, results[0][0])


def test_full_look_ahead_is_the_whole(model: NotesModel, music: np.ndarray, whole) -> None:
    stream = StreamingTranscriber(model, look_ahead_s=5.0, keep_scores=True)
    stream.push(music[: 4 * RATE])
    early = stream.scores
    n_frames = early["onset"].shape[1]
    assert n_frames == 4 * RATE // HOP - 2 - CONTEXT + 1
    assert_same_scores(early, {name: score[:, :n_frames] for name, score in whole[0].items()})


@pytest.mark.parametrize("look_ahead_s", [0.1, 0.3])
def test_notes_are_detected_in_time(model: NotesModel, music: np.ndarray, look_ahead_s: float) -> None:
    """In arrays of 10 ms, each onset is detected after the latency, plus or minus half a frame."""
    stream, detected_s = StreamingTranscriber(model, EAGER, look_ahead_s=look_ahead_s), {}
    for start in range(0, 4 * RATE, 80):
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


# Files and arrays


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
