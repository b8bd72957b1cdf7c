"""What headers say of the sound: files that are cut off, that go on after their end, or hold two sounds."""

import contextlib
import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn import audio
from audiocnn.audio import ffmpeg

RATE = 8000
SAMPLES = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * RATE, 2))
STRAY = bytes(range(1, 256)) * 4
MEASURED = ["AIFF", "AU", "AVR", "CAF", "MPC2K", "NIST", "RF64", "SVX", "VOC", "W64", "WAV", "WAVEX"]
UNMEASURED = ["IRCAM", "MAT4", "MAT5", "PAF", "PVF", "SDS", "XI"]
# What the chunk of the sound begins with.
CHUNKS = {"AIFF": b"SSND", "CAF": b"data", "RF64": b"data", "VOC": b"\x09", "W64": b"data", "WAV": b"data"}
CHUNKS["SVX"] = b"BODY"
HEADS = {"AIFF": ">4sL", "CAF": ">4sQ", "RF64": "<4sL", "SVX": ">4sL", "W64": "<16sQ", "WAV": "<4sL"}


@pytest.fixture(params=[True, False], ids=["ffmpeg", "alone"])
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: request.param)


def count_channels(kind: str) -> int:
    return 1 if kind in {"SVX", "SDS", "XI", "WVE"} else 2


def encode(
    kind: str, samples: np.ndarray = SAMPLES, subtype: str = "PCM_16", endian: str | None = None
) -> bytes:
    file = io.BytesIO()
    samples = samples[:, : count_channels(kind)]
    soundfile.write(file, samples, RATE, format=kind, subtype=subtype, endian=endian)
    return file.getvalue()


def load(path: Path, data: bytes) -> tuple[np.ndarray, list[str]]:
    """Load a file of these bytes; return its samples, and the warnings without its path."""
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        waveform = audio.load(path, RATE)
    return waveform, [f"{one.category.__name__}{str(one.message)[len(str(path)) :]}" for one in caught]


@pytest.mark.usefixtures("_both")
@pytest.mark.parametrize("kind", MEASURED)
def test_a_file_is_measured(tmp_path: Path, kind: str):
    data = encode(kind)
    whole, remarks = load(tmp_path / "a", data)
    assert (len(whole), remarks) == (2 * RATE, [])
    longer, remarks = load(tmp_path / "a", data + STRAY)
    np.testing.assert_array_equal(longer, whole)
    assert remarks == ["FileWarning: its last 1020 bytes belong to nothing in it and are not read"]
    if kind == "CAF" and not ffmpeg.is_installed():  # which libsndfile refuses
        return
    part, (remark,) = load(tmp_path / "a", data[: -RATE * count_channels(kind)])
    assert remark.startswith("PartWarning: damaged or cut off: 1.5 of 2.0 s are read")
    np.testing.assert_array_equal(part[:RATE], whole[:RATE])


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize("kind", MEASURED)
def test_of_a_whole_file_nothing_is_told(tmp_path: Path, kind: str, endian: str):
    """Whatever the coding of its samples."""
    for subtype in soundfile.available_subtypes(kind):
        for channels in (1, 2):
            # Not every coding goes with every order of bytes and number of channels.
            with contextlib.suppress(soundfile.LibsndfileError, ValueError):
                data = encode(kind, SAMPLES[:, :channels], subtype, endian)
                soundfile.info(io.BytesIO(data))  # of VOC it does not read all that it writes
                waveform, remarks = load(tmp_path / "a", data)
                assert (len(waveform) / RATE, remarks) == (pytest.approx(2, abs=0.1), []), subtype


@pytest.mark.parametrize("n_bytes", [1000, 1001])
@pytest.mark.parametrize("kind", HEADS)
def test_chunks_after_the_sound_are_no_sound(tmp_path: Path, kind: str, n_bytes: int):
    head, n_counted = struct.Struct(HEADS[kind]), 24 * (kind == "W64")
    chunk = head.pack(b"note" * (head.size // 8), n_bytes + n_counted) + bytes(n_bytes)
    waveform, remarks = load(tmp_path / "a", encode(kind) + chunk)
    assert (len(waveform), remarks) == (2 * RATE, [])


@pytest.mark.parametrize("kind", UNMEASURED)
def test_a_file_that_does_not_say_how_long_it_is(tmp_path: Path, kind: str):
    subtype = "DPCM_16" if kind == "XI" else "PCM_16"
    _, remarks = load(tmp_path / "a", encode(kind, subtype=subtype))
    assert remarks == [f"FileWarning: whether it is whole is not known for its format, {kind}"]


@pytest.mark.usefixtures("_both")
@pytest.mark.parametrize("kind", CHUNKS)
def test_of_two_stretches_of_sound_the_first_is_read(tmp_path: Path, kind: str):
    data = encode(kind)
    start = data.rindex(CHUNKS[kind], 0, 5000)
    chunk = data[start:].removesuffix(b"\0" * (kind == "VOC"))
    waveform, remarks = load(tmp_path / "a", data[:start] + 2 * chunk)
    np.testing.assert_array_equal(waveform, load(tmp_path / "a", data)[0])
    (remark,) = remarks
    assert remark.startswith(
        "PartWarning: damaged or cut off: 2.0 s are read; of its 2 stretches of sound the"
    )
    assert audio.read_duration_s(tmp_path / "a") == 2


def test_headers_that_say_nothing_of_the_sound(tmp_path: Path) -> None:
    """What libsndfile reads all the same is read, and told."""
    sphere = encode("NIST").replace(b"sample_count", b"sample_xxxxx")
    aiff = encode("AIFF")
    aiff = aiff.replace(aiff[aiff.index(b"SSND") :][:8], b"SSND" + bytes(4))
    for kind, data in (("NIST", sphere), ("AIFF", aiff)):
        waveform, remarks = load(tmp_path / "a", data)
        assert len(waveform) == 2 * RATE
        assert remarks == [f"FileWarning: whether it is whole is not known for its format, {kind}"]


@pytest.mark.parametrize("extra", [b"data" + bytes(4), b"LIST" + bytes(4)])
def test_empty_chunks_are_no_loss(tmp_path: Path, extra: bytes) -> None:
    data = encode("WAV")
    for whole in (data + extra, data[:12] + extra + data[12:] if extra[:4] == b"LIST" else data):
        waveform, remarks = load(tmp_path / "a", whole)
        assert (len(waveform), remarks) == (2 * RATE, [])


def test_a_chunk_of_odd_length_that_is_not_filled_up(tmp_path: Path) -> None:
    """The byte after its name could be a letter, too."""
    data = encode("WAV", SAMPLES[:-1, :1], "PCM_U8")
    data = data[: data.index(b"data") + 8 + 2 * RATE - 1] + b"LIST" + struct.pack("<L", 0x130) + bytes(0x130)
    waveform, remarks = load(tmp_path / "a", data)
    assert (len(waveform), remarks) == (2 * RATE - 1, [])
