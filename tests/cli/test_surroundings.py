"""What the system withholds: a current folder, room on the disk, memory, time to end a training."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from audiocnn.cli import VERBS
from audiocnn.formats import NOTE_FORMATS


@contextmanager
def full_disk(n_bytes: int = 1000) -> Iterator[None]:
    """No file can grow beyond this."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("verb", VERBS)
def test_no_current_folder(run, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir("gone")
    (tmp_path / "gone").rmdir()
    done = run(*verb.split(), "song.wav")
    assert (done.status, done.out) == (1, [])
    assert done.err == [".: no current folder: No such file or directory"]


@pytest.mark.parametrize("suffix", [".safetensors", pytest.param(".onnx", marks=pytest.mark.slow)])
def test_export_to_a_full_disk(run, suffix: str, tmp_path: Path, model: Path) -> None:
    out = tmp_path / f"model{suffix}"
    out.write_bytes(b"old")
    with full_disk():
        done = run("export", out, "--model", model)
    assert (done.status, done.err[-1]) == (1, f"{out}: File too large")
    assert os.listdir(tmp_path) == [out.name]
    assert out.read_bytes() == b"old"


@pytest.mark.parametrize("name", sorted(NOTE_FORMATS))
def test_transcribe_to_a_full_disk(run, name: str, music: Path, tmp_path_factory, model: Path) -> None:
    folder = tmp_path_factory.mktemp("out")
    with full_disk(30):
        done = run("transcribe", music, "--model", model, "--formats", name, "--output", folder)
    assert (done.status, done.out, len(done.err)) == (1, [], 1)
    assert "File too large" in done.err[0]
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert [path for path in folder.iterdir() if "partial" in path.name] == []


LITTLE_MEMORY = """
import resource, sys
from audiocnn.cli import main
from audiocnn.inference import transcribe
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 100_000_000,) * 2)
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_little_memory(tmp_path: Path, sound, model: Path) -> None:
    """The whole of a recording of five minutes at once."""
    soundfile.write(tmp_path / "song.wav", sound(duration_s=300), 16_000)
    words = ["transcribe", str(tmp_path), "--model", str(model), "--block-s", "300"]
    command = [sys.executable, "-c", LITTLE_MEMORY, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path / 'song.wav'}: not enough memory\n"
    assert os.listdir(tmp_path) == ["song.wav"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_training_that_is_ended(number: int, tmp_path: Path, program: list[str]) -> None:
    """While it trains, with processes that load data."""
    options = ["--trainer.max_epochs=9999", f"--trainer.default_root_dir={tmp_path}"]
    command = [*program, "fit", "--config", "digits", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        for _ in range(600):
            if [*tmp_path.rglob("last.ckpt")]:
                break
            time.sleep(0.1)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert err.splitlines()[-1] == {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}[number]
    assert "Traceback" not in err
    assert [*tmp_path.rglob("last.ckpt")] and not [*tmp_path.rglob("*partial*")]
