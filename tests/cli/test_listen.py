"""`audiocnn listen`: raw sound in, notes out while it goes on."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audiocnn.cli import listen
from audiocnn.files import FileWarning
from audiocnn.inference.transcribe import StreamingTranscriber
from audiocnn.models.file import read_model
from audiocnn.notes import Note

RATE = 16_000


@pytest.fixture
def listen_to(run, monkeypatch: pytest.MonkeyPatch, model: Path):
    """Runs `audiocnn listen` on samples (samples, channels)."""

    def listen_to(samples: np.ndarray, *arguments: object) -> SimpleNamespace:
        pcm = io.BytesIO((samples * 32_767).astype("<i2").tobytes())
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pcm, isatty=lambda: False))
        return run("listen", "--model", model, *arguments)

    return listen_to


def test_listen(listen_to, sound, model: Path) -> None:
    done = listen_to(sound(rate=44_100))
    latency_s = StreamingTranscriber(read_model(model)).latency_s
    assert (done.status, done.err) == (0, [])
    assert done.out[0] == f"latency {latency_s:.3f} s, and up to 0.250 s until a block is full"
    events = [line.split() for line in done.out[1:]]
    begun = [event for event in events if event[1] == "on"]
    ended = [event for event in events if event[1] == "off"]
    assert events[:2] == [begun[0], ended[0]]
    assert sorted(pitch for _, _, pitch, _ in begun) == ["A4", "A5", "C4", "C5", "E5"]
    assert sorted(pitch for _, _, pitch in ended) == ["A4", "A5", "C4", "C5", "E5"]
    assert [float(time_s) for time_s, *_ in begun] == pytest.approx([0.5, 1.2, 1.2, 2.5, 3.2], abs=0.02)
    assert [float(time_s) for time_s, *_ in ended] == pytest.approx([1.0, 2.0, 2.0, 2.8, 3.6], abs=0.04)
    assert all(1 <= int(velocity) <= 127 for *_, velocity in begun)


def test_listen_with_less_look_ahead_and_more_channels(listen_to, sound) -> None:
    samples = np.stack([sound(rate=22_050), 0.5 * sound(rate=22_050)], axis=1)
    done = listen_to(samples, "--sample-rate", 22_050, "--channels", 2, "--look-ahead-s", 0.13)
    assert done.out[0] == "latency 0.128 s, and up to 0.032 s until a block is full"
    assert sum(" on " in line for line in done.out) == 5


def test_listen_in_a_range_of_pitches(listen_to, sound) -> None:
    done = listen_to(sound(), "--sample-rate", RATE, "--lowest-pitch", 75)
    assert [line.split()[2] for line in done.out[1:]] == ["E5", "E5", "A5", "A5"]


def test_low_latency(listen_to, sound) -> None:
    done = listen_to(sound(), "--sample-rate", RATE, "--low-latency")
    assert done.out[0] == "latency 0.096 s, and up to 0.032 s until a block is full"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--look-ahead-s", 1, "--low-latency"], "--look-ahead-s is 1.0, expected none with a low latency"),
        (["--look-ahead-s", 0.01], "--look-ahead-s is 0.01, expected at least this model's 0.096"),
        (["--channels", 0], "--channels is 0, expected a whole number from 1 to 1024"),
        (["--sample-rate", 1], "--sample-rate is 1, expected 1000 to 1000000"),
    ],
)
def test_listen_to_wrong_arguments(listen_to, arguments: list, reason: str, sound) -> None:
    done = listen_to(sound(), *arguments)
    assert (done.status, done.out) == (2, [])
    assert done.err == [f"audiocnn listen: {reason} (see audiocnn listen --help)"]


@pytest.mark.parametrize("n_bytes", [1, 3, 1000])
def test_samples_of_a_stream_that_is_cut_anywhere(n_bytes: int) -> None:
    samples = np.arange(-3000, 3000, dtype="<i2").reshape(-1, 2)
    stream = io.BytesIO(samples.tobytes() + b"cut")
    chunks = listen.read_pcm(SimpleNamespace(read1=lambda _: stream.read(n_bytes)), channels=2)
    with pytest.warns(
        FileWarning, match="^standard input: ends within a frame of 4 bytes, of which 3 are dropped$"
    ):
        got = np.concatenate(list(chunks), axis=1)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, samples.T / np.float32(32_768))


@pytest.mark.parametrize("content", [b"", b"x"])
def test_listen_to_nothing(run, monkeypatch: pytest.MonkeyPatch, model: Path, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False))
    done = run("listen", "--model", model)
    assert (done.status, len(done.out)) == (1, 1)
    assert done.err == ["standard input: holds no samples, expected raw 16-bit ones"]


def test_listen_to_what_cannot_be_read(
    run, monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    unreadable = open(os.open(tmp_path / "written", os.O_CREAT | os.O_WRONLY), "rb", buffering=0)  # noqa: SIM115
    with io.BufferedReader(unreadable) as stream:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream, isatty=lambda: False))
        done = run("listen", "--model", model)
    assert (done.status, done.err) == (1, ["standard input: Bad file descriptor"])


def test_format_events() -> None:
    printed: dict = {}
    short, long = Note(1.0, 1.1, 60), Note(1.0, 1.2, 64, velocity=90)
    assert listen.format_events([], [short, long], printed) == [
        "    1.000  on   C4    100",
        "    1.000  on   E4     90",
    ]
    assert listen.format_events([], [short, long], printed) == []
    # The short note never ended: the decoder dropped it.
    ended = Note(1.0, 1.5, 64, velocity=90)
    assert listen.format_events([ended], [], printed) == ["    1.100  off  C4", "    1.500  off  E4"]
    assert printed == {}
    both = listen.format_events([Note(2.0, 2.2, 69)], [], printed)
    assert both == ["    2.000  on   A4    100", "    2.200  off  A4"]


@pytest.mark.slow
def test_listen_tells_while_the_sound_goes_on_until_interrupted(
    sound, model: Path, program: list[str]
) -> None:
    command = [*program, "listen"]
    options = ["--model", str(model), "--sample-rate", str(RATE), "--look-ahead-s", "0.16"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *options], **pipes) as process:
        process.stdin.write((sound()[:RATE] * 32_767).astype("<i2").tobytes())
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"latency 0.160 s")
        assert process.stdout.readline().split()[1:3] == [b"on", b"A4"]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == b"interrupted\n"
