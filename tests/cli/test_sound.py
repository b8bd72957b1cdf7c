"""What verbs say of sound that is read in part, whose channels cancel each other, or that is out of tune."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audiocnn import formats
from audiocnn.notes import Note

RATE = 16_000


@pytest.fixture
def verbs(model: Path, one_tone: Path) -> dict[str, tuple[object, ...]]:
    """Command lines of verbs that read sound, but for the file."""
    return {
        "transcribe": ("transcribe", "--model", model, "--formats", "csv", "wav", "png", "--overwrite"),
        "classify": ("classify", "--model", one_tone, "--formats", "png", "--overwrite"),
        "evaluate notes": ("evaluate", "notes", "--model", model),
    }


@pytest.mark.parametrize("verb", ["transcribe", "classify", "evaluate notes"])
def test_a_file_that_ends_too_early(run, verbs, verb: str, music: Path) -> None:
    """All that is there is used, one line says how much is not, and the status is 1."""
    path = music / "song.flac"
    samples, _ = soundfile.read(music / "song.wav")
    soundfile.write(path, samples + 0.001 * np.random.default_rng(0).standard_normal(len(samples)), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (music / "song.tsv").write_text("onset_s\toffset_s\tmidi\tvelocity\n0.5\t1.0\t69\t80\n")
    done = run(*verbs[verb], path)
    assert done.status == 1
    (line,) = done.err
    assert line.startswith(f"{path}: damaged or cut off: ")
    assert "of 4.0 s are read" in line
    assert any("song" in line for line in done.out)


@pytest.mark.parametrize("verb", ["transcribe", "classify"])
def test_channels_that_cancel(run, verbs, verb: str, music: Path) -> None:
    samples, _ = soundfile.read(music / "song.wav")
    expected = run(*verbs[verb], music / "song.wav").out[0].partition(" -> ")[0].partition(": ")[2]
    soundfile.write(music / "anti.wav", np.stack([samples, -samples], axis=1), RATE)
    done = run(*verbs[verb], music / "anti.wav")
    assert done.status == 0
    assert done.err == [f"{music}/anti.wav: the channels cancel each other; channel 1 alone is taken"]
    assert done.out[0].startswith(f"{music}/anti.wav: {expected}")


def test_a_tuning_that_is_given(run, music: Path, model: Path, assert_is_the_music) -> None:
    samples, _ = soundfile.read(music / "song.wav")
    ratio = 2 ** (-50 / 1200)
    soundfile.write(music / "low.wav", soxr.resample(samples, RATE * ratio, RATE), RATE)
    done = run("transcribe", music / "low.wav", "--model", model, "--formats", "csv", "--tuning", "-50")
    assert done.out == [f"{music}/low.wav: 5 notes; tuned 50 cents low -> {music}/low.csv"]
    notes = formats.read_notes(music / "low.csv")
    assert_is_the_music([Note(one.onset_s * ratio, one.offset_s * ratio, one.midi) for one in notes])


@pytest.mark.parametrize("verb", ["transcribe", "listen"])
def test_a_tuning_out_of_range(run, verb: str, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    done = run(verb, *([music] if verb == "transcribe" else []), "--tuning", "201")
    assert done.status == 2
    assert "tuning is 201" in done.err[-1]
