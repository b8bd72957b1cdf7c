"""Rendering: what is asked for lies in the cache, the same for a seed, with songs and sounds kept apart."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from audiocnn import files, midi
from audiocnn.midi import Part
from audiocnn.synthesis import recipes, render, sampler

needs_fluidsynth = pytest.mark.skipif(not shutil.which("fluidsynth"), reason="fluidsynth is not installed")


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Forty songs of 6 s, four of them validation, and what is to be passed over."""
    folder = tmp_path / "songs"
    (folder / "versions").mkdir(parents=True)
    onsets = np.arange(0, 6, 0.5)
    notes = np.column_stack([onsets, onsets + 0.4, 60 + np.arange(12), np.full(12, 90)])
    for index in range(40):
        midi.write_parts([Part(notes)], folder / f"song{index}.mid")
    midi.write_parts([Part(notes)], folder / "versions" / "song1-v2.mid")
    return folder


def test_songs_are_found_once_and_split_by_name(songs: Path) -> None:
    found = render.find_songs(songs)
    assert len(found) == 40
    split = render.split_by_song(found)
    assert sorted(split["train"] + split["validation"]) == found
    assert [path.stem for path in split["validation"]] == ["song15", "song20", "song22", "song4"]


def test_refuses_a_folder_without_songs(tmp_path: Path) -> None:
    with pytest.raises(files.FileError, match="no MIDI files"):
        render.find_songs(tmp_path)


def test_refuses_to_render_without_soundfonts_or_program(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(files.FileError, match="fluidsynth: not installed"):
        render.prepare_render(songs, tmp_path / "out", soundfonts=[Path("a.sf2")])
    monkeypatch.setattr(render.shutil, "which", lambda name: name)
    with pytest.raises(ValueError, match="soundfonts is empty"):
        render.prepare_render(songs, tmp_path / "out")


BROKEN_SOUNDFONTS = {
    "missing": (None, "No such file"),
    "empty": (b"", "is no soundfont"),
    "garbage": (b"garbage" * 9, "is no soundfont"),
    "cut off": (b"RIFF\xff\xff\x00\x00sfbk" + bytes(99), "cut off"),
}


@needs_fluidsynth
@pytest.mark.parametrize("name", BROKEN_SOUNDFONTS)
def test_broken_soundfonts_are_named_before_the_work(
    songs: Path, soundfont: Path, tmp_path: Path, name: str
) -> None:
    content, reason = BROKEN_SOUNDFONTS[name]
    for path in (tmp_path / "one.sf2", tmp_path / "two.sf2"):
        if content is not None:
            path.write_bytes(content)
    with pytest.raises(files.FileError, match=rf"one\.sf2: {reason}.*; .*two\.sf2: {reason}"):
        fonts = [soundfont, tmp_path / "one.sf2", tmp_path / "two.sf2"]
        render.prepare_render(songs, tmp_path / "out", soundfonts=fonts)
    assert not (tmp_path / "out").exists()


def test_a_job_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    jobs = [
        partial(int, "x"),
        partial(os.mkdir, tmp_path / "one"),
        partial(os.mkdir, tmp_path / "no" / "folder"),
        partial(os.mkdir, tmp_path / "two"),
    ]
    reasons = render.run_jobs(jobs, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}
    assert sorted(reason.partition(":")[0] for reason in reasons) == ["FileNotFoundError", "ValueError"]


def test_a_full_disk_ends_the_work(tmp_path: Path) -> None:
    full = partial(shutil.copyfile, Path(__file__), "/dev/full")
    reasons = render.run_jobs([full] * 50, 1)
    assert len(reasons) == 50
    assert sum(reason == "not rendered: No space left on device" for reason in reasons) > 40


WORK = """
import os, time
from pathlib import Path
def work(path):
    Path(path).write_text(str(os.getpid())); time.sleep(99)
"""
RENDERING = """
import functools, work
from audiocnn.synthesis import render
if __name__ == "__main__":
    render.run_jobs([functools.partial(work.work, "number")], 1)
"""


def test_processes_end_with_one_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "rendering.py").write_text(RENDERING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    number = tmp_path / "number"
    with subprocess.Popen([sys.executable, "rendering.py"], cwd=tmp_path, env=environment) as process:
        while not (number.exists() and number.read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(number.read_text())).wait(timeout=30)


@needs_fluidsynth
@pytest.mark.slow
def test_prepares_a_cache_repeats_it_by_seed_and_resumes(
    songs: Path, soundfont: Path, tmp_path: Path
) -> None:
    hours = 2.2 * render.EXCERPT_S / 3600
    settings = {"soundfonts": [soundfont], "hours": hours, "validation_hours": hours / 2, "seed": 7}
    assert render.prepare_render(songs, tmp_path / "a", **settings) == 3
    written = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").glob("*/*"))
    assert [path.suffix for path in written] == [".tsv", ".wav"] * 3
    assert [path.parts[0] for path in written] == ["train"] * 4 + ["validation"] * 2
    (tmp_path / "a" / written[0]).unlink()
    assert render.prepare_render(songs, tmp_path / "a", **settings) == 1
    assert render.prepare_render(songs, tmp_path / "b", **settings, workers=1) == 3
    for path in written:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    waveform, rate = soundfile.read(tmp_path / "a" / written[1])
    assert rate == 16_000
    assert -12.01 <= 20 * np.log10(np.abs(waveform).max()) <= -0.99


@needs_fluidsynth
def test_labels_are_what_is_heard(soundfont: Path) -> None:
    piano = Part(np.array([[0.0, 0.5, 60, 90], [1.0, 1.5, 60, 90.0]]), np.array([[0.2, 3.0]]))
    pizzicato = Part(np.array([[0.0, 3.0, 84, 90.0]]), program=45)
    beat = Part(np.array([[0.0, 0.1, 36, 90.0]]), is_drum=True)
    recipe = recipes.Recipe(soundfont, (piano, pizzicato, beat), (), None, (0.1, 1.0))
    waveform, notes = render.render_recipe(recipe)
    np.testing.assert_array_equal(notes[[0, 2]], [[0.0, 1.0, 60, 90], [1.0, 3.0, 60, 90]])
    assert notes[1, 2] == 84 and 0.05 <= notes[1, 1] < 1
    assert np.abs(waveform).max() == pytest.approx(1)


def test_sampled_parts_sound_without_fluidsynth(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "A4.wav", np.sin(0.1728 * np.arange(16_000)), 16_000)
    sampler.load_bank.cache_clear()
    part = Part(np.array([[0.25, 0.5, 69, 127.0]]), np.array([[0.3, 0.75]]))
    recipe = recipes.Recipe(Path("none.sf2"), (), ((tmp_path, part),), None, (0.1, 1.0))
    waveform, notes = render.render_recipe(recipe)
    np.testing.assert_array_equal(notes, [[0.25, 0.75, 69, 127]])
    assert len(waveform) == round(0.85 * 16_000)
    assert not waveform[:4000].any()
    assert np.abs(waveform[4000:4100]).max() == pytest.approx(1, abs=0.01)


def test_layers_are_mixed_at_one_level() -> None:
    total = render.mix_layers([np.array([0.0, 0.1], np.float32), np.array([4.0, 0.0, -2.0], np.float32)])
    np.testing.assert_array_equal(total, [1.0, 1.0, -0.5])
