"""Broken input of every kind we know: a correct result or one clear line, and the other files go on."""

import json
import os
import pickle
import resource
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

import audiocnn
from audiocnn import audio, formats
from audiocnn.cli import main

# A model of pure tones, made by hand in tests/cli/test_main.py.
MODEL = Path(__file__).parent / "golden" / "tones.safetensors"
A4 = 69


def tone(rate: int = 16_000) -> np.ndarray:
    """A second of silence, one of A4, one of silence."""
    time_s = np.arange(rate) / rate
    edges = np.clip(np.minimum(time_s, 1 - time_s) / 0.02, 0, 1)
    return np.concatenate([np.zeros(rate), 0.4 * edges * np.sin(2 * np.pi * 440 * time_s), np.zeros(rate)])


def write(path: Path, samples: np.ndarray, rate: int = 16_000, **how: str) -> None:
    soundfile.write(path, samples, rate, **how)


def with_sizes(path: Path, riff: int, data: int) -> None:
    """A WAV file whose header tells these sizes."""
    write(path, tone(), subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[4:8], content[40:44] = struct.pack("<I", riff), struct.pack("<I", data)
    path.write_bytes(content)


def cut(path: Path, share: float, **how: str) -> None:
    """The beginning of a file."""
    write(path, tone(44_100), 44_100, **how)
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])


def poisoned(path: Path, value: float) -> None:
    samples = tone()
    samples[8_000] = value
    write(path, samples, subtype="FLOAT")


def surround(path: Path) -> None:
    samples = np.stack([tone(96_000)] * 6, axis=1)
    samples[:, 3] = 0
    write(path, samples, 96_000, subtype="PCM_24")


# What is in the file -> how it is made, and the notes it gives (MIDI numbers) or the reason why not.
SOUNDS: dict[str, tuple[str, Callable[[Path], object], list[int] | str]] = {
    "empty": (".wav", lambda path: path.touch(), "is empty"),
    "text": (
        ".wav",
        lambda path: path.write_text("la la la\n" * 1000),
        "no audio that libsndfile or FFmpeg can read",
    ),
    "half an mp3": (".mp3", lambda path: cut(path, 0.5), [A4]),
    "start of an mp3": (
        ".mp3",
        lambda path: path.write_bytes(b"ID3\x04"),
        "no audio that libsndfile or FFmpeg can read",
    ),
    "half a flac": (".flac", lambda path: cut(path, 0.5), [A4]),
    "half an ogg": (".ogg", lambda path: cut(path, 0.6), "no audio that libsndfile or FFmpeg can read"),
    "sizes too large": (".wav", lambda path: with_sizes(path, 2**31, 2**31), [A4]),
    "size none": (".wav", lambda path: with_sizes(path, 36, 0), [A4]),
    "header alone": (".wav", lambda path: write(path, np.zeros(0)), "holds no samples"),
    "NaN": (".wav", lambda path: poisoned(path, np.nan), "the sample at 0.500 s is nan"),
    "infinity": (".wav", lambda path: poisoned(path, np.inf), "the sample at 0.500 s is inf"),
    "absurdity": (".wav", lambda path: poisoned(path, 1e30), "the sample at 0.500 s is 1e+30"),
    "one sample": (".wav", lambda path: write(path, np.full(1, 0.5)), []),
    "3 ms": (".wav", lambda path: write(path, tone()[16_000:16_048]), []),
    "8 bit at 8 kHz": (".wav", lambda path: write(path, tone(8000), 8000, subtype="PCM_U8"), [A4]),
    "24 bit 5.1 at 96 kHz": (".wav", surround, [A4]),
    "DC": (".wav", lambda path: write(path, np.full(48_000, 0.5)), []),
    "silence": (".wav", lambda path: write(path, np.zeros(48_000)), []),
    "rate of 1 Hz": (".wav", lambda path: write(path, tone(), 1), "sample rate is 1 Hz"),
    "folder": (".wav", lambda path: path.mkdir(), ""),
}
IN_PART = {"half an mp3", "half a flac"}  # there are notes, and a word of what is missing


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """Runs `audiocnn transcribe`; gives its exit status and its lines on the standard output and error."""

    def run(*arguments: object, model: object = MODEL, form: str = "csv") -> SimpleNamespace:
        status = main(["transcribe", *map(str, arguments), "--model", str(model), "--formats", form])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return SimpleNamespace(status=status, out=out.splitlines(), err=err.splitlines())

    return run


def names(folder: Path) -> set[str]:
    """Return the names in a folder, without that of the records."""
    return {path.name for path in folder.iterdir()} - {".audiocnn"}


def midi(path: Path) -> list[int]:
    return [note.midi for note in formats.read_notes(path)]


@pytest.mark.parametrize("kind", SOUNDS)
def test_sound(run, tmp_path: Path, kind: str) -> None:
    suffix, make, expected = SOUNDS[kind]
    bad, good = tmp_path / f"bad{suffix}", tmp_path / "good.wav"
    make(bad)
    write(good, tone())
    done = run(tmp_path)
    assert f"{good}: 1 notes -> {tmp_path}/good.csv" in done.out
    assert midi(tmp_path / "good.csv") == [A4]
    if isinstance(expected, list):
        told = [line.partition(" damaged or cut off: ")[0] for line in done.err]
        assert (told, done.status) == (([f"{bad}:"], 1) if kind in IN_PART else ([], 0))
        assert midi(tmp_path / "bad.csv") == expected
        assert names(tmp_path) == {bad.name, "good.wav", "good.csv", "bad.csv"}
    elif expected:
        assert done.status == 1
        (line,) = done.err
        assert line.startswith(f"{bad}: {expected}")
        assert names(tmp_path) == {bad.name, "good.wav", "good.csv"}


@pytest.mark.parametrize("kind", SOUNDS)
def test_sound_for_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], one_tone: Path, kind: str
) -> None:
    suffix, make, expected = SOUNDS[kind]
    bad, good = tmp_path / f"bad{suffix}", tmp_path / "good.wav"
    make(bad)
    write(good, tone()[16_000:32_000])
    status = main(["classify", str(tmp_path), "--model", str(one_tone), "--formats", "json"])
    out, err = capsys.readouterr()
    assert f"{good}: middle 100 % -> {tmp_path}/good.one.json" in out.splitlines()
    if isinstance(expected, list):
        told = [line.partition(" damaged or cut off: ")[0] for line in err.splitlines()]
        assert (told, status) == (([f"{bad}:"], 1) if kind in IN_PART else ([], 0))
        document = json.loads((tmp_path / "bad.one.json").read_text())
        assert "middle" in document["predictions"] or document["unknown"]
        assert bool(expected) == (max(document["timeline"]["probabilities"]["middle"]) > 0.9)
    elif expected:
        assert (status, err.splitlines()[0][: len(f"{bad}: {expected}")]) == (1, f"{bad}: {expected}")
        assert names(tmp_path) == {bad.name, "good.wav", "good.one.json"}


def test_clipped_square_waves_give_their_pitch(run, tmp_path: Path) -> None:
    write(tmp_path / "square.wav", np.clip(20 * tone(), -1, 1))
    assert run(tmp_path).status == 0
    assert A4 in midi(tmp_path / "square.csv")


def test_missing_file_and_folder_without_audio(run, tmp_path: Path) -> None:
    write(tmp_path / "good.wav", tone())
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "readme.txt").write_text("la")
    done = run(tmp_path / "missing.wav", tmp_path / "none", tmp_path / "good.wav")
    assert done.status == 1
    known = ", ".join(sorted(audio.SOUND_SUFFIXES | audio.VIDEO_SUFFIXES))
    assert done.err == [
        f"{tmp_path}/missing.wav: No such file or directory",
        f"{tmp_path}/none: no audio in this folder ({known})",
    ]
    assert midi(tmp_path / "good.csv") == [A4]


@pytest.fixture
def mortal() -> Iterator[Path]:
    """The folder of a user who may not do everything, with the model; root becomes such a user."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    is_root = os.geteuid() == 0
    shutil.copyfile(MODEL, folder / MODEL.name)  # the project's folder might be closed to others
    if is_root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)
    shutil.rmtree(folder)


def test_unreadable_file(run, mortal: Path) -> None:
    for name in ("bad.wav", "good.wav"):
        write(mortal / name, tone())
    (mortal / "bad.wav").chmod(0)
    done = run(mortal, model=mortal / MODEL.name)
    skipped = f"{mortal}: 1 file is no audio: skipped"  # the model
    assert (done.status, done.err) == (1, [skipped, f"{mortal}/bad.wav: Permission denied"])
    assert midi(mortal / "good.csv") == [A4]


def test_output_that_cannot_be_written(run, mortal: Path) -> None:
    write(mortal / "good.wav", tone())
    (mortal / "out").mkdir()
    (mortal / "out").chmod(0o500)
    done = run(mortal / "good.wav", "--output", mortal / "out" / "notes", model=mortal / MODEL.name)
    assert done.status == 1
    assert done.err == [f"{mortal}/out/notes/good.csv: {mortal}/out cannot be written to"]
    assert names(mortal / "out") == set()


def test_output_that_is_a_file(run, tmp_path: Path) -> None:
    write(tmp_path / "good.wav", tone())
    done = run(tmp_path / "good.wav", "--output", tmp_path / "good.wav" / "notes")
    assert done.status == 1
    assert done.err == [f"{tmp_path}/good.wav/notes/good.csv: {tmp_path}/good.wav is a file, not a folder"]


@pytest.mark.parametrize("name", formats.NOTE_FORMATS)
def test_disk_that_fills_up(run, tmp_path: Path, name: str) -> None:
    """The system refuses to write beyond a size, as a full disk does: every write is real."""
    for stem in ("one", "two"):
        write(tmp_path / f"{stem}.wav", tone())
    run(tmp_path / "one.wav", "--output", tmp_path / "first", form=name)  # imports, caches
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, before[1]))
    try:
        done = run(tmp_path / "one.wav", tmp_path / "two.wav", "--output", tmp_path / "out", form=name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    suffix = "notes.wav" if name == "wav" else name
    assert done.status == 1
    assert done.err == [f"{tmp_path}/out/{stem}.{suffix}: File too large" for stem in ("one", "two")]
    assert names(tmp_path / "out") == set()


def test_too_little_memory(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for stem in ("one", "two"):
        write(tmp_path / f"{stem}.wav", tone())
    transcribe = audiocnn.transcribe

    def greedy(source: Path, *arguments, **options):
        if source.stem == "one":
            torch.empty(2**60)
        return transcribe(source, *arguments, **options)

    monkeypatch.setattr(audiocnn, "transcribe", greedy, raising=False)
    done = run(tmp_path)
    assert done.status == 1
    (line,) = done.err
    assert line.startswith(f"{tmp_path}/one.wav: ")
    assert "memory" in line
    assert midi(tmp_path / "two.csv") == [A4]


# Models


def damaged(content: bytes) -> bytes:
    return content[: len(content) // 2]


def of_a_later_version(content: bytes) -> bytes:
    return content.replace(rb"{\"version\": 2,", rb"{\"version\": 9,")


class Code:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (None, "no such model, expected a file or one of efficientnet_lite0, genre, "),
        (damaged, "damaged, or no safetensors file"),
        (of_a_later_version, "is of version 9, expected version 2: update audiocnn"),
        (lambda _: pickle.dumps(Code()), "is a pickle, which could run code"),
        (lambda _: b"", "is empty"),
        (lambda _: b"la la la", "damaged, or no safetensors file"),
    ],
    ids=["missing", "damaged", "later", "pickle", "empty", "text"],
)
def test_model(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes] | None, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "good.wav", tone())
    model = tmp_path / "model.safetensors"
    if change:
        model.write_bytes(change(MODEL.read_bytes()))
    done = run(tmp_path, model=model)
    assert done.status == 1
    (line,) = done.err
    assert line.startswith(f"{model}: {reason}")
    assert names(tmp_path) <= {"good.wav", "model.safetensors"}


def test_no_model_of_this_name(run, tmp_path: Path) -> None:
    write(tmp_path / "good.wav", tone())
    done = run(tmp_path, model="notes-theremin")
    assert done.status == 1
    (line,) = done.err
    assert line.startswith("notes-theremin: no such model, expected a file or one of")


def test_a_model_that_begins_as_a_pickle_would(run, tmp_path: Path) -> None:
    """The first byte of a safetensors file is the length of its header, which may be a pickle's 0x80."""
    content = MODEL.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    padding = (0x80 - length) % 0x100
    header = struct.pack("<Q", length + padding) + content[8 : 8 + length] + b" " * padding
    (tmp_path / "model.safetensors").write_bytes(header + content[8 + length :])
    assert header[:1] == b"\x80"
    write(tmp_path / "good.wav", tone())
    assert run(tmp_path, model=tmp_path / "model.safetensors").status == 0
