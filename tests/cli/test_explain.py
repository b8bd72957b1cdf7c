"""`audiocnn explain`: what is written where, what stays, and what is printed."""

import re
from pathlib import Path

import pytest
import soundfile

from audiocnn.cli import explain
from audiocnn.explain import page

RATE = 16_000


def test_one_name_for_the_page() -> None:
    assert explain.PAGE == page.NAME


def test_why_a_note_is_there(run, music: Path, model: Path) -> None:
    done = run("explain", music, "--model", model, "--note", 69, "--output", music / "out")
    written = music / "out" / "song.tones.explained" / "index.html"
    assert (done.status, done.err) == (0, [])
    assert re.fullmatch(rf"{music}/song.wav: note 69 at 0.[45]\d s, \d+ % -> {written}", done.out[0])
    named = set(re.findall(r'src="([^"]*)"', written.read_text()))
    assert named == {path.name for path in written.parent.iterdir()} - {"index.html"}
    assert {"note_69.png", "note_69.wav", "note_69.occlusion.wav", "kernels.png", "fields.png"} <= named
    excerpt, rate = soundfile.read(written.parent / "note_69.wav")
    assert rate == RATE
    assert len(excerpt) / RATE == pytest.approx(0.7, abs=0.4)


def test_the_note_at_a_time(run, music: Path, model: Path) -> None:
    done = run("explain", music / "song.wav", "--model", model, "--time", 3.2)
    assert re.search(r"song.wav: note 60 at 3.\d\d s", done.out[0])
    assert (music / "song.tones.explained" / "index.html").is_file()


def test_pages_that_exist_stay_without_overwrite(run, music: Path, model: Path) -> None:
    command = ("explain", music / "song.wav", "--model", model)
    written = music / "song.tones.explained" / "index.html"
    written.parent.mkdir()
    written.write_text("precious")
    done = run(*command)
    kept = f"{written.parent}: is there and was not written by audiocnn: kept (--overwrite replaces it)"
    assert (done.status, done.out, done.err) == (1, [], [kept])
    assert written.read_text() == "precious"
    assert run(*command, "--overwrite").status == 0
    assert written.read_text().startswith("<!doctype html>")


def test_a_bad_file_does_not_stop_the_others(run, music: Path, model: Path) -> None:
    (music / "bad.wav").write_text("la la la\n" * 1000)
    soundfile.write(music / "none.wav", [0.0] * RATE, RATE)
    done = run("explain", music, music / "missing.wav", "--model", model, "--output", music / "out")
    assert (done.status, len(done.out), len(done.err)) == (1, 1, 3)
    assert done.err[0] == f"{music}/missing.wav: No such file or directory"
    assert done.err[1].startswith(f"{music}/bad.wav: no audio that libsndfile or FFmpeg can read")
    assert done.err[2] == f"{music}/none.wav: no note is transcribed that could be explained"
    assert [path.name for path in (music / "out").glob("[!.]*")] == ["song.tones.explained"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--top", 0], "--top is 0, expected 1 or more"),
        (["--time", -1], "--time is -1.0, expected 0 or more"),
        (["--top", 2], "--top is given, expected none: tones transcribes notes"),
        (["--label", "jazz"], "--label is 'jazz', expected none: tones transcribes notes"),
        (["--layer", "attic"], "--layer is 'attic', expected one of backbone"),
        (["--device", "abacus"], "--device is 'abacus': "),
    ],
)
def test_wrong_arguments(run, music: Path, model: Path, arguments: list, reason: str) -> None:
    done = run("explain", music, "--model", model, *arguments)
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert done.err[0].startswith(f"audiocnn explain: {reason}")


def test_no_such_model(run, music: Path) -> None:
    done = run("explain", music, "--model", "genius")
    assert (done.status, done.out) == (1, [])
    assert done.err[0].startswith("genius: no such model, expected a file or one of ")


@pytest.mark.slow
def test_recordings_to_search_are_known_by_whatever_path(
    run, music: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(music)
    assert run("explain", "song.wav", "--model", model, "--among", ".").status == 0
    done = run("explain", "song.wav", "--model", model, "--among", music)
    assert (done.status, "already done" in done.out[0]) == (0, True)
