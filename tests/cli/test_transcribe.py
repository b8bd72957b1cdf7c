"""`audiocnn transcribe`: which files are transcribed, what is written where, and what stays."""

import inspect
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

import audiocnn
from audiocnn import formats
from audiocnn.cli import transcribe
from audiocnn.inference.transcribe import Transcription

RATE = 16_000


def names(folder: Path) -> list[str]:
    """List the files in a folder, without the records."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(path.as_posix() for path in found if ".audiocnn" not in path.parts)


def test_one_name_and_one_default_in_python_and_here(model: Path) -> None:
    here = inspect.signature(transcribe.transcribe).parameters
    for there in (audiocnn.transcribe, Transcription.to_midi):
        shared = set(here) & set(inspect.signature(there).parameters)
        assert shared >= ({"model", "block_s", "device"} if there is audiocnn.transcribe else {"tempo"})
        for name in shared - {"options"}:
            assert here[name].default == inspect.signature(there).parameters[name].default, name


def test_writes_the_notes_and_reports_it(run, music: Path, model: Path, assert_is_the_music) -> None:
    done = run("transcribe", music / "song.wav", "--model", model, "--formats", "csv")
    assert (done.status, done.err) == (0, [])
    assert done.out == [f"{music}/song.wav: 5 notes -> {music}/song.csv"]
    assert_is_the_music(formats.read_notes(music / "song.csv"))


def test_every_format(run, music: Path, model: Path, assert_is_the_music) -> None:
    original = (music / "song.wav").read_bytes()
    done = run("transcribe", music, "--model", model, "--formats", *formats.NOTE_FORMATS)
    assert (done.status, done.err) == (0, [])
    assert names(music) == sorted(
        ["song.wav", "song.notes.wav"] + [f"song.{name}" for name in formats.NOTE_FORMATS if name != "wav"]
    )
    assert (music / "song.wav").read_bytes() == original
    for name in ("mid", "csv", "json", "jams"):
        assert_is_the_music(formats.read_notes(music / f"song.{name}"))
    assert soundfile.info(music / "song.notes.wav").duration == pytest.approx(4.0)
    with np.load(music / "song.npz") as scores:
        assert scores["onset"].shape == (88, 126)
    # What this wrote is no recording to transcribe next time.
    assert run("transcribe", music, "--model", model).out == [
        f"{music}/song.wav: already done, see {music}/song.mid (--overwrite does it again)"
    ]


def test_files_that_exist_stay_without_overwrite(run, music: Path, model: Path, assert_is_the_music) -> None:
    (music / "song.mid").write_text("precious")
    command = ("transcribe", music / "song.wav", "--model", model, "--formats", "mid", "csv")
    kept = f"{music}/song.mid: is there and was not written by audiocnn: kept (--overwrite replaces it)"
    done = run(*command)
    assert (done.status, done.err) == (1, [kept])
    assert done.out == [f"{music}/song.wav: 5 notes -> {music}/song.csv"]
    again = run(*command)
    assert (again.status, again.err, again.out) == (1, [kept], [])
    assert (music / "song.mid").read_text() == "precious"
    assert run(*command, "--overwrite").status == 0
    assert_is_the_music(formats.read_notes(music / "song.mid"))


def test_folders_in_folders_out(run, tmp_path: Path, sound, model: Path) -> None:
    for name in ("in/a.wav", "in/live/b.flac", "in/live/.hidden/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, sound(), RATE)
    done = run("transcribe", tmp_path / "in", "--model", model, "--output", tmp_path / "out" / "notes")
    assert done.status == 0
    assert len(done.out) == 2
    assert names(tmp_path / "out") == ["notes/a.mid", "notes/live/b.mid"]


def test_two_recordings_of_one_name_in_a_folder(
    run, music: Path, sound, model: Path, assert_is_the_music
) -> None:
    soundfile.write(music / "song.flac", sound([(1, 2, 69)]), RATE)
    assert run("transcribe", music, "--model", model, "--formats", "csv").status == 0
    assert names(music) == ["song.flac", "song.flac.csv", "song.wav", "song.wav.csv"]
    assert len(formats.read_notes(music / "song.flac.csv")) == 1
    assert_is_the_music(formats.read_notes(music / "song.wav.csv"))


def test_two_recordings_for_one_place(run, music: Path, sound, model: Path, assert_is_the_music) -> None:
    (music / "other").mkdir()
    soundfile.write(music / "other" / "song.wav", sound([(1, 2, 69)]), RATE)
    files = [music / "song.wav", music / "other" / "song.wav"]
    done = run("transcribe", *files, "--model", model, "--formats", "csv", "--output", music / "out")
    assert (done.status, done.err) == (0, [])
    assert names(music / "out") == ["other/song.csv", "song.csv"]
    assert_is_the_music(formats.read_notes(music / "out" / "song.csv"))


def test_a_recording_named_twice_is_transcribed_once(run, music: Path, model: Path) -> None:
    done = run("transcribe", music, music / "song.wav", "--model", model)
    assert (done.status, len(done.out)) == (0, 1)


def test_decoding_options(run, music: Path, model: Path) -> None:
    command = ("transcribe", music, "--model", model, "--formats", "csv", "--overwrite")
    run(*command, "--lowest-pitch", 70, "--highest-pitch", 76)
    assert [note.midi for note in formats.read_notes(music / "song.csv")] == [76, 72]
    (line,) = run(*command, "--onset-threshold", 1.0).out
    assert line.startswith(
        f"{music}/song.wav: 0 notes -> {music}/song.csv (in place of the result with another "
    )
    run(*command, "--minimum-note-ms", 600)
    assert [note.midi for note in formats.read_notes(music / "song.csv")] == [76, 72]


def test_tempo_and_quantise(run, music: Path, model: Path, assert_is_the_music) -> None:
    command = ("transcribe", music, "--model", model, "--overwrite")
    run(*command, "--tempo", 100)
    assert_is_the_music(formats.read_notes(music / "song.mid"))
    assert pretty_midi.PrettyMIDI(str(music / "song.mid")).get_tempo_changes()[1] == pytest.approx([100])
    run(*command, "--tempo", 100, "--quantise")
    sixteenths = np.array([note.onset_s for note in formats.read_notes(music / "song.mid")]) / 0.15
    np.testing.assert_allclose(sixteenths, np.round(sixteenths), atol=1e-3)
    done = run(*command)
    assert "5 notes; tempo: 120, in doubt (--tempo sets it) -> " in done.out[0]
    _, tempi = pretty_midi.PrettyMIDI(str(music / "song.mid")).get_tempo_changes()
    assert tempi == pytest.approx(
        [formats.estimate_tempo(audiocnn.transcribe(music / "song.wav", model).notes)]
    )


def test_whole_and_in_blocks(run, music: Path, model: Path) -> None:
    tables = []
    for how in ([], ["--block-s", "null"], ["--block-s", 40]):
        run("transcribe", music, "--model", model, "--formats", "csv", "--overwrite", *how)
        tables.append((music / "song.csv").read_bytes())
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--formats", "mp3"], "--formats is 'mp3', expected one of mid, "),
        (["--tempo", "fast"], "--tempo is 'fast', expected a finite number"),
        (["--tempo", 0], "--tempo is 0.0, expected 4 to 1000"),
        (["--block-s", 0], "--block-s is 0.0, expected a finite number above 0, or null"),
        (["--block-s", ".inf"], "--block-s is inf, expected a finite number"),
        (["--onset-threshold", 2], "--onset-threshold is 2.0, expected more than 0 and at most 1"),
        (["--lowest-pitch", 90, "--highest-pitch", 80], "pitches are 90 to 80"),
        (["--formats", "csv", "--quantise"], "--quantise is given, expected none without the format mid"),
        (["--device", "abacus"], "--device is 'abacus': "),
        (["--quantize"], "unrecognized arguments: --quantize"),
    ],
)
def test_wrong_arguments(run, music: Path, arguments: list, reason: str, model: Path) -> None:
    done = run("transcribe", music, "--model", model, *arguments)
    assert (done.status, len(done.err)) == (2, 1)
    assert done.err[0].startswith(f"audiocnn transcribe: {reason}")
    assert names(music) == ["song.wav"]


def test_a_bar_where_there_is_a_terminal(
    run, music: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's word for: take this for a terminal
    done = run("transcribe", music, "--model", model)
    assert done.status == 0
    assert any("song.wav" in line and "100%" in line for line in done.err)


@pytest.mark.slow
def test_interrupted_transcribe_leaves_whole_files_only(
    tmp_path: Path, sound, model: Path, assert_is_the_music, program: list[str]
) -> None:
    for number in range(30):
        soundfile.write(tmp_path / f"{number:02}.wav", sound(duration_s=20), RATE)
    command = [*program, "transcribe"]
    options = [str(tmp_path), "--model", str(model), "--formats", "json", "png"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *options], **pipes) as process:
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == b"interrupted\n"
    written = [path for path in tmp_path.glob("*.*") if path.suffix in (".json", ".png")]
    assert 2 <= len(written) < 60
    assert [path.name for path in tmp_path.glob(".*")] == [".audiocnn"]
    for path in tmp_path.glob("*.json"):
        assert_is_the_music(formats.read_notes(path))
