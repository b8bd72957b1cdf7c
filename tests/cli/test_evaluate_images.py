"""`audiocnn evaluate images`: the table, what cannot be read, and folders that are no classes."""

from pathlib import Path

import numpy as np
import pytest

from audiocnn import images
from audiocnn.images import Image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, channel in (("red/a", 0), ("red/b", 1), ("blue/a", 2)):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = np.zeros((3, 8, 8), np.float32)
        pixels[channel] = 1
        images.write_image(Image(pixels), path)
    return tmp_path


def test_the_table(run, folder: Path, colours: Path) -> None:
    done = run("evaluate", "images", folder, "--model", colours)
    assert (done.status, done.err) == (0, [])
    rows = [line.split() for line in done.out]
    assert rows == [
        ["class", "images", "top-1", "top-5"],
        ["blue", "1", "100.0", "100.0"],
        ["red", "2", "50.0", "100.0"],
        ["all", "3", "66.7", "100.0"],
    ]


def test_what_cannot_be_read(run, folder: Path, colours: Path) -> None:
    (folder / "red" / "c.png").write_text("no image")
    (folder / "red" / "notes.txt").touch()
    done = run("evaluate", "images", folder, "--model", colours)
    assert done.status == 1
    assert done.out[-1].split()[:2] == ["all", "3"]
    assert done.err[0] == f"{folder}/red: 1 file is no image: skipped"
    assert done.err[1].startswith(f"{folder}/red/c.png: no image")


def test_wrong_folders_and_models(run, folder: Path, colours: Path, one_tone: Path) -> None:
    (folder / "violet").mkdir()
    done = run("evaluate", "images", folder, "--model", colours)
    assert (done.status, len(done.err)) == (2, 1)
    assert "folders are violet, expected names of the model's classes: red, green, blue" in done.err[0]
    done = run("evaluate", "images", folder, "--model", one_tone)
    assert (done.status, len(done.err)) == (2, 1)
    assert "expected models of images with the same labels" in done.err[0]
