"""Patches: the waves, pitches and keys that were written are read back, and loops are held."""

from pathlib import Path

import numpy as np
import pytest

from audiocnn import files
from audiocnn.synthesis import gus_patches, sampler
from audiocnn.synthesis.gus_patches import HEADERS, LOOPS, N_WAVES, SAMPLE_RATE, TURNS, UNSIGNED, WAVE, WIDE
from tests.synthesis.test_sampler import pitch_of

RATE = 22_050
PERIOD = 50  # samples: 441 Hz
HELD = round(gus_patches.HELD_S * SAMPLE_RATE)


def patch(path: Path, *waves: tuple[bytes, int]) -> Path:
    """A patch of waves of (data, modes): one for each octave from 220 Hz on, looping over its last period."""
    header = bytearray(HEADERS)
    header[:22] = b"GF1PATCH110\0ID#000002\0"
    header[N_WAVES] = len(waves)
    content = bytes(header)
    for number, (data, modes) in enumerate(waves):
        width = 2 if modes & WIDE else 1
        keys = 220_000 * 2**number, 440_000 * 2**number, 441_000
        loop = len(data) - PERIOD * width, len(data)
        content += WAVE.pack(b"tone", 0, len(data), *loop, RATE, *keys, 0, 7, bytes(18), modes, 60, 1024, b"")
        content += data
    path.write_bytes(content)
    return path


def sine(n_periods: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * np.arange(n_periods * PERIOD) / PERIOD)


def encoded(waveform: np.ndarray, modes: int) -> bytes:
    bits = 16 if modes & WIDE else 8
    integers = np.round(waveform * (2 ** (bits - 1) - 1)).astype(int) + bool(modes & UNSIGNED) * 2 ** (
        bits - 1
    )
    return integers.astype(f"<{'u' if modes & UNSIGNED else 'i'}{bits // 8}").tobytes()


@pytest.mark.parametrize("modes", [WIDE, WIDE | UNSIGNED, 0, UNSIGNED])
def test_reads_every_width_and_sign(tmp_path: Path, modes: int) -> None:
    first, second = gus_patches.read_patch(
        patch(tmp_path / "a.pat", *[(encoded(sine(200), modes), modes)] * 2)
    )
    assert (first.keys, second.keys) == ((57, 69), (69, 81))
    assert first.pitch == pytest.approx(69 + 12 * np.log2(441 / 440))
    assert len(first.waveform) == pytest.approx(200 * PERIOD / RATE * SAMPLE_RATE, abs=2)
    assert np.abs(first.waveform).max() == pytest.approx(0.5, abs=0.02)
    assert pitch_of(first.waveform) == pytest.approx(first.pitch, abs=0.05)


def test_a_loop_holds_the_note(tmp_path: Path) -> None:
    [wave] = gus_patches.read_patch(patch(tmp_path / "a.pat", (encoded(sine(20), WIDE), WIDE | LOOPS)))
    assert len(wave.waveform) == pytest.approx(HELD, abs=2)
    middle = wave.waveform[HELD // 2 : -HELD // 4]
    assert pitch_of(middle) == pytest.approx(wave.pitch, abs=0.01)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_a_loop_that_turns_runs_to_and_fro(tmp_path: Path) -> None:
    rising = np.linspace(0, 0.5, PERIOD)
    [wave] = gus_patches.read_patch(patch(tmp_path / "a.pat", (encoded(rising, WIDE), WIDE | LOOPS | TURNS)))
    middle = wave.waveform[HELD // 2 : -HELD // 4]
    assert pitch_of(middle - middle.mean()) == pytest.approx(
        69 + 12 * np.log2(RATE / 2 / PERIOD / 440), abs=0.05
    )
    assert np.abs(np.diff(middle)).max() < 0.05  # where a plain loop would jump by 0.5


def test_a_bank_plays_a_patch(tmp_path: Path) -> None:
    bank = sampler.Bank(patch(tmp_path / "073_Flute.pat", (encoded(sine(20), WIDE), WIDE | LOOPS)))
    sound, notes = bank.play(np.array([[0.0, 1.0, 64, 127]]))
    assert pitch_of(sound[:SAMPLE_RATE]) == pytest.approx(64, abs=0.05)
    assert notes[0, 1] == 1.0


@pytest.mark.parametrize(
    ("content", "message"), [(b"RIFF....", "not a patch: begins with b'RIFF....', expected GF1PATCH1")]
)
def test_refuses_what_is_no_patch(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.pat").write_bytes(content)
    with pytest.raises(files.FileError, match=message):
        gus_patches.read_patch(tmp_path / "a.pat")


def test_refuses_a_patch_cut_short(tmp_path: Path) -> None:
    whole = patch(tmp_path / "a.pat", *[(encoded(sine(20), WIDE), WIDE)] * 2).read_bytes()
    (tmp_path / "a.pat").write_bytes(whole[: HEADERS + 100])
    with pytest.raises(
        files.FileError, match=f"the patch ends at byte {HEADERS + 100}, before its last wave"
    ):
        gus_patches.read_patch(tmp_path / "a.pat")
