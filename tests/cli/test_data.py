"""audiocnn data list, info, check and prepare clips: what they print, and their exit status."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn.datasets.clips.layouts import LAYOUTS

RATE = 8_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder per class: 10 low tones and 10 high ones, of 0.3 s."""
    for label, hz in (("low", 500), ("high", 2000)):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for i in range(10):
            tone = 0.5 * np.sin(2 * np.pi * (hz + i) * np.arange(2400) / RATE)
            soundfile.write(tmp_path / "clips" / label / f"{i}.wav", tone, RATE)
    return tmp_path / "clips"


def test_list(run) -> None:
    done = run("data", "list")
    assert done.status == 0
    assert [line.split()[0] for line in done.out if line[:1].strip()] == [
        "name",
        *LAYOUTS,
        "maps",
        "render",
        "speech",
        "instruments",
        "mnist",
        "cifar10",
        "sentiment",
    ]


def test_info(run) -> None:
    done = run("data", "info", "irmas")
    assert done.status == 0
    assert "rate      44100 Hz" in done.out
    assert "licence   CC BY-NC-SA 3.0" in done.out
    assert run("data", "info", "maps").out[0].startswith("MAPS piano recordings")
    wrong = run("data", "info", "gtsan")
    assert wrong.status == 2
    assert "NAME is 'gtsan', expected one of gtzan, " in wrong.err[0]


def test_check_of_good_data(run, folder: Path) -> None:
    done = run("data", "check", folder, "--workers", "0")
    assert done.status == 0
    table = [line.split() for line in done.out]
    assert ["high", "6", "2", "2"] in table
    assert done.out[0] == f"{folder}: 20 clips of 20 files, 2 labels, read as folder"
    assert "split: train 12, validation 4, test 4" in done.out
    assert "20 files, 0.00 h: 0.30 to 0.30 s, median 0.30 s; 8000 Hz" in done.out
    assert done.out[-7:] == [
        "unreadable: none",
        "clips beyond their file's end: none",
        "in train and elsewhere: none",
        "near-duplicates, one in train: none",
        "other near-duplicates: none",
        "silent: none",
        "clipped: none",
    ]


def test_check_reports_what_is_unreadable(run, folder: Path) -> None:
    for i in range(12):
        (folder / "low" / f"broken{i}.wav").write_text("no sound")
    soundfile.write(folder / "low" / "silence.wav", np.zeros(RATE), RATE)
    done = run("data", "check", folder, "--workers", "0")
    assert done.status == 1
    assert "unreadable: 12" in done.out
    assert "  and 2 more" in done.out
    assert f"  {folder / 'low' / 'silence.wav'}" in done.out


def test_check_reports_leaks(run, folder: Path) -> None:
    manifest = folder / "clips.csv"
    lines = ["path,labels,split,group", "low/0.wav,low,train,Ann", "low/1.wav,low,test,Ann"]
    manifest.write_text("\n".join(lines))
    done = run("data", "check", manifest, "--workers", "0")
    assert done.status == 1
    assert "  group Ann" in done.out


@pytest.mark.parametrize("verb", ["check", "prepare clips"])
def test_without_mirdata(run, folder: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setitem(sys.modules, "mirdata", None)
    done = run("data", *verb.split(), folder, "--layout", "mirdata:irmas")
    assert done.status == 1
    assert "needs mirdata: pip install 'audiocnn[mirdata]'" in done.err[0]


def test_check_of_nothing(run, tmp_path: Path) -> None:
    done = run("data", "check", tmp_path / "nowhere")
    assert done.status == 1
    assert done.err == [f"{tmp_path / 'nowhere'}: No such file or directory"]
    assert run("data", "check", tmp_path, "--layout", "x").status == 2


def test_prepare_clips(run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "cache"
    done = run("data", "prepare", "clips", folder, "--out", out, "--sample-rate", "4000", "--workers", "0")
    assert done.status == 0
    assert done.out[-1] == f"20 recordings written to {out}"
    (pcm,) = out.glob("*.pcm")
    assert pcm.stat().st_size == 20 * 1200 * 2
    (folder / "low" / "broken.wav").write_text("no sound")
    done = run("data", "prepare", "clips", folder, "--out", out, "--workers", "0")
    assert done.status == 1
    assert done.err[0].startswith(f"{folder}: 1 files or clips cannot be read, the other 20")
