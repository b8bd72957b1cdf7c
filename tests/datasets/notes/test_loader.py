"""From a prepared cache to batches: labels stand where the sound is, and examples repeat with their seed."""

import shutil
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch

from audiocnn.augment import RandomRecording
from audiocnn.datasets.notes import cache
from audiocnn.datasets.notes.cache import Recording, read_recordings
from audiocnn.datasets.notes.loader import Excerpts, LoaderOptions, NotesDataModule
from audiocnn.datasets.notes.segments import Framing, SegmentOptions, Segments, change_speed
from audiocnn.files import FileError
from audiocnn.notes import Note, decode
from audiocnn.units import midi_to_hz

RATE, HOP = cache.SAMPLE_RATE, 512
AS_IT_IS = RandomRecording(impulse_response_p=0, equaliser_p=0, noise_p=0, saturation_p=0)


def song(seed: int, duration_s: float) -> tuple[np.ndarray, np.ndarray]:
    """One decaying tone after the other, half a second each, and their notes as rows."""
    rng = np.random.default_rng(seed)
    waveform, rows = np.zeros(round(duration_s * RATE), np.float32), []
    for start_s in np.arange(0.2, duration_s - 0.5, 0.5):
        onset = round((start_s + rng.uniform(0, 0.1)) * RATE)
        midi, velocity = int(rng.integers(48, 84)), int(rng.integers(40, 120))
        times_s = np.arange(round(0.35 * RATE)) / RATE
        tone = np.sin(2 * np.pi * float(midi_to_hz(midi)) * times_s) * np.exp(-8 * times_s)
        waveform[onset : onset + len(tone)] = velocity / 127 * tone
        rows.append((onset / RATE, onset / RATE + 0.35, midi, velocity))
    return waveform, np.array(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A cache of two training recordings and one to validate on."""
    folder = tmp_path_factory.mktemp("cache")
    for name, seed, duration_s in (("train/a", 0, 6.0), ("train/b", 1, 2.0), ("validation/c.d", 2, 3.0)):
        cache.write_recording(folder / name, *song(seed, duration_s))
    return folder


def segments(folder: Path, n_frames: int = 80, **arguments) -> Segments:
    options = SegmentOptions(n_frames=n_frames, n_segments=20, **{"augment": AS_IT_IS, **arguments})
    return Segments(read_recordings(folder / "train"), Framing(RATE, HOP), options)


def same(one: tuple, other: tuple) -> bool:
    return torch.equal(one[0], other[0]) and all(torch.equal(one[1][name], other[1][name]) for name in one[1])


def test_read_recordings(folder: Path) -> None:
    a, b = read_recordings(folder / "train")
    assert (a.path.name, a.sample_rate, a.n_samples) == ("a.wav", RATE, 6 * RATE)
    assert b.n_samples == 2 * RATE
    np.testing.assert_allclose(a.notes, song(0, 6.0)[1], atol=1e-6)
    (c,) = read_recordings(folder / "validation")
    assert c.path.name == "c.d.wav"


def test_recordings_are_silent_outside(folder: Path) -> None:
    recording, (waveform, _) = read_recordings(folder / "train")[0], song(0, 6.0)
    np.testing.assert_allclose(recording.read(1000, 5000), waveform[1000:6000], atol=1e-4)
    around = recording.read(-100, 6 * RATE + 300)
    assert not around[:100].any()
    assert not around[-200:].any()
    np.testing.assert_allclose(around[100:-200], waveform, atol=1e-4)
    assert not recording.read(7 * RATE, 10).any()


def test_items_repeat_and_differ(folder: Path) -> None:
    dataset = segments(folder, seed=3)
    first = dataset[0, 4]
    assert same(first, segments(folder, seed=3)[0, 4])
    assert not same(first, dataset[0, 5])
    assert not same(first, segments(folder, seed=4)[0, 4])
    assert not same(first, dataset[1, 4])
    assert same(first, dataset[0, 4])


def test_shapes(folder: Path) -> None:
    dataset = segments(folder, n_frames=50)
    waveform, targets = dataset[0, 0]
    assert len(dataset) == 20
    assert waveform.shape == (49 * HOP,)  # whose front end gives 50 frames
    assert waveform.dtype == torch.float32
    assert {name: target.shape for name, target in targets.items()} == dict.fromkeys(
        ("onset", "frame", "offset", "velocity", "bend"), (88, 50)
    )


@pytest.mark.parametrize(("transpose", "augment"), [(0, AS_IT_IS), (5, AS_IT_IS), (5, None)])
def test_labels_stand_where_the_sound_is(
    folder: Path, transpose: int, augment: RandomRecording | None
) -> None:
    """In each segment, at every labelled onset the sound rises, and has the labelled pitch, bend included."""
    dataset = segments(folder, transpose=transpose, transpose_p=1.0, detune_cents=40.0, augment=augment)
    n_notes = 0
    for index in range(6):
        waveform, targets = dataset[0, index]
        notes = decode({name: target.numpy() for name, target in targets.items()}, HOP / RATE)
        for note in notes:
            if note.onset_s > 0.15 and note.onset_s < 80 * HOP / RATE - 0.3:
                assert abs(rise_s(waveform.numpy(), note.onset_s) - note.onset_s) < 0.004
                pitch = pitch_of(waveform.numpy(), note.onset_s)
                assert pitch == pytest.approx(note.midi + note.bend[0], abs=0.1)
                n_notes += 1
    assert n_notes > 10


def rise_s(waveform: np.ndarray, onset_s: float) -> float:
    """When the sound first reaches a twentieth of its peak within 80 ms of a time."""
    start = round((onset_s - 0.08) * RATE)
    level = np.abs(waveform[start : start + round(0.16 * RATE)])
    return (start + np.flatnonzero(level > level[-800:].max() / 8)[0]) / RATE


def pitch_of(waveform: np.ndarray, onset_s: float) -> float:
    start = round((onset_s + 0.01) * RATE)
    tone = waveform[start : start + 4000]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 1 << 17))
    return float(librosa.hz_to_midi(spectrum.argmax() * RATE / (1 << 17)))


def test_transposition_is_within_its_limits(folder: Path) -> None:
    original = set(read_recordings(folder / "train")[0].notes[:, 2].astype(int))
    dataset = segments(folder, transpose=0, detune_cents=10.0)
    dataset.weights = np.array([1.0, 0.0])
    for index in range(5):
        targets = dataset[0, index][1]
        assert set((targets["frame"].any(dim=1)).nonzero().flatten().tolist()) <= {m - 21 for m in original}
        assert targets["bend"].abs().max() <= 0.1 + 0.08  # the speed is rounded by up to 8 cents


def test_longer_recordings_are_drawn_more_often(folder: Path) -> None:
    assert segments(folder).weights.tolist() == [0.75, 0.25]


def test_change_speed() -> None:
    """Played at 1.25 times the speed from second 2, the second that begins at 3 s comes after 0.8 s."""
    rows = np.array([(1.0, 1.9, 60, 50), (1.5, 2.5, 61, 60), (3.0, 4.0, 62, 70), (4.5, 5.0, 63, 80)])
    recording = Recording(Path("x.wav"), RATE, 6 * RATE, rows)
    notes = change_speed(recording, start_s=2.0, duration_s=2.0, speed=1.25, semitones=4, bend=-0.1)
    assert [(note.onset_s, note.offset_s) for note in notes] == [
        pytest.approx((-0.4, 0.4)),
        pytest.approx((0.8, 1.6)),
    ]
    assert [replace(note, onset_s=0.0, offset_s=1.0) for note in notes] == [
        Note(0.0, 1.0, 65, 60, 1.0, (-0.1,)),
        Note(0.0, 1.0, 66, 70, 1.0, (-0.1,)),
    ]


def test_excerpts(folder: Path) -> None:
    recordings = read_recordings(folder / "train")
    excerpt, whole = Excerpts(recordings, 3.0)[0], Excerpts(recordings, 3.0)[1]
    assert len(excerpt[0]) == 3 * RATE
    np.testing.assert_array_equal(excerpt[0].numpy(), recordings[0].read(0, 3 * RATE))
    assert (excerpt[1][:, 0] < 3).all()
    assert len(excerpt[1]) == (recordings[0].notes[:, 0] < 3).sum()
    assert len(whole[0]) == 2 * RATE  # the recording is no longer
    np.testing.assert_array_equal(whole[1].numpy(), recordings[1].notes)


def test_batches(folder: Path) -> None:
    data = NotesDataModule(
        [str(folder)],
        sample_rate=RATE,
        hop_length=HOP,
        validation_s=1.0,
        segments=SegmentOptions(n_frames=30, n_segments=6),
        loader=LoaderOptions(batch_size=3, workers=0),
    )
    data.setup()
    batches = list(data.train_dataloader())
    assert len(batches) == 2
    waveforms, targets = batches[0]
    assert waveforms.shape == (3, 29 * HOP)
    assert targets["onset"].shape == (3, 88, 30)
    ((waveform, rows),) = data.val_dataloader()
    assert waveform.shape == (1, RATE)
    assert rows.shape[0::2] == (1, 4)


def test_two_caches_and_another_validation(folder: Path) -> None:
    data = NotesDataModule([str(folder), str(folder)], [str(folder)], sample_rate=RATE, hop_length=HOP)
    data.setup()
    assert len(data.train_set.recordings) == 4
    assert len(data.val_set) == 1


def test_wrong_rate_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.wav: sample rate is 16000 Hz, expected 22050 Hz"):
        NotesDataModule([str(folder)], sample_rate=22050, hop_length=HOP).setup()


def test_folder_without_recordings(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "lonely.tsv").write_text("onset_s\toffset_s\tmidi\tvelocity\n")
    with pytest.raises(FileError, match=r"train: no recording, expected NAME.wav beside NAME.tsv"):
        NotesDataModule([str(tmp_path)]).setup()


DAMAGED = {
    "sound": ("a.wav", b"garbage", r"a\.wav: damaged: "),
    "no table": ("a.tsv", b"onset_s\n1\t2\tx\t4\n", r"a\.tsv: damaged: no table of onset_s, offset_s"),
    "bytes": ("a.tsv", b"\xff\xfe\n\xff", r"a\.tsv: damaged: no table"),
    "short": ("a.tsv", b"onset_s\n1\t2\n3\n", r"a\.tsv: damaged: no table"),
    "nan": ("a.tsv", b"onset_s\nnan\t2\t60\t64\n", r"a\.tsv: damaged: a note has no finite times"),
    "backwards": ("a.tsv", b"onset_s\n2\t1\t60\t64\n", r"a\.tsv: damaged: .* ends before it begins"),
    "pitch": ("a.tsv", b"onset_s\n1\t2\t300\t64\n", r"a\.tsv: damaged: a midi or velocity is no whole"),
    "velocity": ("a.tsv", b"onset_s\n1\t2\t60\t-1\n", r"a\.tsv: damaged: a midi or velocity is no whole"),
    "alone": ("c.tsv", b"onset_s\n", "1 recordings have one of NAME.wav and NAME.tsv alone, such as c"),
}


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (np.array([0, np.nan, np.inf, 0]), "2 of 4 samples are NaN or infinite"),
        (np.zeros((4, 2)), "has 4 samples and 2 channels, expected 1 or more and 1"),
        (np.zeros(0), "has 0 samples and 1 channels, expected 1 or more and 1"),
    ],
)
def test_sound_that_no_network_takes_is_named(
    folder: Path, tmp_path: Path, sound: np.ndarray, reason: str
) -> None:
    shutil.copytree(folder / "train", tmp_path / "train")
    soundfile.write(tmp_path / "train" / "a.wav", sound, 16_000, "FLOAT")
    with pytest.raises(FileError, match=rf"a\.wav: {reason}"):
        read_recordings(tmp_path / "train")


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_recordings_are_named(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder / "train", tmp_path / "train")
    file, content, message = DAMAGED[name]
    (tmp_path / "train" / file).write_bytes(content)
    with pytest.raises(FileError, match=message) as caught:
        read_recordings(tmp_path / "train")
    assert "\n" not in str(caught.value)
