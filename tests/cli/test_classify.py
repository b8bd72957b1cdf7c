"""`audiocnn classify`: what is printed, what is written where, and what stays."""

import csv
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import audiocnn
from audiocnn.cli import classify

RATE = 16_000


@pytest.fixture
def album(tmp_path: Path, tone) -> Path:
    """A folder with a low tone, then a high one; a middle tone; and silence in a folder of its own."""
    (tmp_path / "live").mkdir()
    both = np.concatenate([tone("low", duration_s=4), tone("high", duration_s=3)])
    for name, samples in (("both.wav", both), ("middle.flac", tone("middle")), ("live/none.wav", tone())):
        soundfile.write(tmp_path / name, samples, RATE)
    return tmp_path


def names(folder: Path) -> list[str]:
    """List the files in a folder, without the records."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(path.as_posix() for path in found if ".audiocnn" not in path.parts)


def test_one_name_and_one_default_in_python_and_here() -> None:
    here = inspect.signature(classify.classify).parameters
    there = inspect.signature(audiocnn.classify).parameters
    assert here["device"].default == there["device"].default
    assert here["model"].default == (there["model"].default, "instrument")  # asked for more here


def test_prints_the_labels(run, album: Path, one_tone: Path) -> None:
    done = run("classify", album, "--model", one_tone)
    assert (done.status, done.err) == (0, [])
    assert done.out == [
        f"{album}/both.wav: low 54 %, high 38 %",
        f"{album}/live/none.wav: unknown",
        f"{album}/middle.flac: middle 100 %",
    ]
    assert names(album) == ["both.wav", "live/none.wav", "middle.flac"]


def test_top(run, album: Path, one_tone: Path) -> None:
    done = run("classify", album / "both.wav", "--model", one_tone, "--top", 1)
    assert done.out == [f"{album}/both.wav: low 54 %"]


def test_timeline(run, album: Path, many_tones: Path) -> None:
    done = run("classify", album / "both.wav", "--model", many_tones, "--timeline")
    assert done.out[0].startswith(f"{album}/both.wav: ")
    assert [line.split()[:3] for line in done.out[1:]] == [
        ["0:00.0", "-", "0:03.8"],
        ["0:03.8", "-", "0:04.2"],
        ["0:04.2", "-", "0:07.0"],
    ]
    assert [line.split("  ")[-1] for line in done.out[1::2]] == ["low 100 %", "high 100 %"]


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0, "0:00.0"), (59.96, "1:00.0"), (83.24, "1:23.2"), (3723.4, "1:02:03.4")],
)
def test_format_time(time_s: float, text: str) -> None:
    assert classify.format_time(time_s) == text


def test_every_format(run, album: Path, one_tone: Path) -> None:
    done = run("classify", album / "both.wav", "--model", one_tone, "--formats", "json", "csv", "png")
    files = " ".join(f"{album}/both.one.{name}" for name in ("json", "csv", "png"))
    assert done.out == [f"{album}/both.wav: low 54 %, high 38 % -> {files}"]
    document = json.loads((album / "both.one.json").read_text())
    assert list(document) == ["file", "model", "duration_s", "unknown", "predictions", "labels", "timeline"]
    assert document["file"] == f"{album}/both.wav"
    assert (document["model"], document["unknown"], document["duration_s"]) == ("one", False, 7.0)
    assert document["predictions"] == ["low"]
    assert [row["label"] for row in document["labels"]] == ["low", "high", "middle"]
    assert [row["probability"] for row in document["labels"]] == pytest.approx([7 / 13, 5 / 13, 0], abs=1e-3)
    timeline = document["timeline"]
    assert timeline["start_s"] == [half / 2 for half in range(13)]
    assert timeline["window_s"] == 1
    assert list(timeline["probabilities"]) == ["low", "middle", "high", "unknown"]
    assert timeline["probabilities"]["low"][:7] == pytest.approx([1] * 7, abs=1e-3)
    with open(album / "both.one.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["start_s", "end_s", "low", "middle", "high", "unknown"]
    assert rows[0] == ["0.000", "1.000", "1.0000", "0.0000", "0.0000", "0.0000"]
    assert rows[-1] == ["6.000", "7.000", "0.0000", "0.0000", "1.0000", "0.0000"]


def test_files_that_exist_stay_without_overwrite(run, album: Path, one_tone: Path) -> None:
    (album / "both.one.json").write_text("precious")
    command = ("classify", album / "both.wav", "--model", one_tone, "--formats", "json", "csv")
    done = run(*command)
    kept = "both.one.json: is there and was not written by audiocnn: kept (--overwrite replaces it)"
    assert (done.status, done.err) == (1, [f"{album}/{kept}"])
    assert done.out == [f"{album}/both.wav: low 54 %, high 38 % -> {album}/both.one.csv"]
    assert (run(*command).status, run(*command).out) == (1, [])
    assert (album / "both.one.json").read_text() == "precious"
    assert run(*command, "--overwrite").status == 0
    assert json.loads((album / "both.one.json").read_text())["predictions"] == ["low"]


def test_folders_in_folders_out(run, album: Path, many_tones: Path) -> None:
    done = run("classify", album, "--model", many_tones, "--output", album / "out")
    assert done.status == 0
    assert names(album / "out") == ["both.many.json", "live/none.many.json", "middle.many.json"]


def test_models_with_the_same_labels_give_their_mean(
    run, album: Path, one_tone: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(one_tone.read_bytes())
    done = run("classify", album / "middle.flac", "--model", one_tone, other, "--formats", "json")
    written = album / "middle.one+other.json"
    assert done.out == [f"{album}/middle.flac: middle 100 % -> {written}"]
    assert json.loads(written.read_text())["model"] == "one + other"


def test_a_bad_file_does_not_stop_the_others(run, album: Path, one_tone: Path) -> None:
    (album / "bad.wav").write_text("la la la\n" * 1000)
    done = run("classify", album, "--model", one_tone, "--output", album / "out")
    assert (done.status, len(done.out), len(done.err)) == (1, 3, 1)
    assert done.err[0].startswith(f"{album}/bad.wav: no audio that libsndfile or FFmpeg can read")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--top", 0], "--top is 0, expected 1 or more"),
        (["--formats", "mid"], "--formats is 'mid', expected one of csv, json, png"),
        (["--device", "abacus"], "--device is 'abacus': "),
    ],
)
def test_wrong_arguments(run, album: Path, one_tone: Path, arguments: list, reason: str) -> None:
    done = run("classify", album, "--model", one_tone, *arguments)
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert done.err[0].startswith(f"audiocnn classify: {reason}")


def test_models_with_other_labels_give_a_result_each(run, album: Path, one_tone: Path, alto: Path) -> None:
    command = ("classify", album / "middle.flac", "--model", one_tone, alto, "--formats", "json")
    done = run(*command, "--timeline")
    files = [album / f"middle.{name}.json" for name in ("one", "alto")]
    assert done.out == [
        f"{album}/middle.flac: one: middle 100 %; alto: alto 100 % -> {files[0]} {files[1]}",
        "  one:    0:00.0 -    0:02.0  middle 100 %",
        "  alto:    0:00.0 -    0:02.0  alto 100 %",
    ]
    assert [json.loads(path.read_text())["predictions"] for path in files] == [["middle"], ["alto"]]
    files[1].unlink()
    assert run(*command).out == [f"{album}/middle.flac: alto: alto 100 % -> {files[1]}"]


def test_models_with_the_same_labels_and_other_windows(
    run, album: Path, one_tone: Path, many_tones: Path
) -> None:
    done = run("classify", album, "--model", one_tone, many_tones)
    assert (done.status, done.out) == (2, [])
    reason = "multi_label of many: True, expected False as of one"
    assert done.err == [f"audiocnn classify: {reason} (see audiocnn classify --help)"]


def test_a_model_of_notes(run, album: Path) -> None:
    done = run("classify", album, "--model", "notes-piano")
    assert (done.status, done.out) == (1, [])
    assert done.err == ["notes-piano: predicts notes, not labels; `audiocnn transcribe` uses it"]
