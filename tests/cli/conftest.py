"""What the tests of the command line share: running it, and music whose notes are known to the model."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from audiocnn.cli import main
from audiocnn.notes import Note

RATE = 16_000
MUSIC = [(0.5, 1.0, 69), (1.2, 2.0, 72), (1.2, 2.0, 76), (2.5, 2.8, 81), (3.2, 3.6, 60)]


@pytest.fixture(scope="session")
def model() -> Path:
    """A model of pure tones, which test_main.py makes."""
    return Path(__file__).parents[1] / "golden" / "tones.safetensors"


@pytest.fixture(scope="session")
def program() -> list[str]:
    """The command line as a process of its own, which heeds Ctrl-C and terminals that are closed.

    What a shell starts in its background ignores the one, what nohup starts the other, and so would what is
    started from there.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)
    return [sys.executable, "-c", "from audiocnn.__main__ import main; raise SystemExit(main())"]


@pytest.fixture(scope="session")
def played() -> list[tuple[float, float, int]]:
    """The notes of the music: onset, offset, MIDI number."""
    return MUSIC


@pytest.fixture(scope="session")
def sound() -> Callable[..., np.ndarray]:
    return _sound


def _sound(notes=MUSIC, duration_s: float = 4.0, rate: int = RATE) -> np.ndarray:
    """Pure tones that fade, (samples,)."""
    samples = np.zeros(round(duration_s * rate))
    for onset_s, offset_s, midi in notes:
        time_s = np.arange(round(onset_s * rate), round(offset_s * rate)) / rate - onset_s
        edges = np.clip(np.minimum(time_s / 0.01, (offset_s - onset_s - time_s) / 0.02), 0, 1)
        tone = np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time_s) * np.exp(-time_s)
        samples[round(onset_s * rate) :][: len(tone)] += 0.4 * edges * tone
    return samples


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with a song of five notes."""
    soundfile.write(tmp_path / "song.wav", _sound(), RATE)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Runs a command line; gives its exit status and its lines on the standard output and error."""

    def run(*arguments: object) -> SimpleNamespace:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as exit:
            status = exit.code
        out, err = capsys.readouterr()
        return SimpleNamespace(status=status, out=out.splitlines(), err=err.splitlines())

    return run


@pytest.fixture(scope="session")
def assert_is_the_music() -> Callable[[list[Note]], None]:
    return _assert_is_the_music


def _assert_is_the_music(notes: list[Note]) -> None:
    notes = sorted(notes, key=lambda note: (round(note.onset_s, 1), note.midi))
    assert [note.midi for note in notes] == [midi for *_, midi in MUSIC]
    assert [note.onset_s for note in notes] == pytest.approx([onset_s for onset_s, *_ in MUSIC], abs=0.02)
    assert [note.offset_s for note in notes] == pytest.approx([end_s for _, end_s, _ in MUSIC], abs=0.04)
