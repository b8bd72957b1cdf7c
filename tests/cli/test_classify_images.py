"""`audiocnn classify` of images: one, a folder of them, and what is no image."""

from pathlib import Path

import numpy as np
import pytest

from audiocnn import images
from audiocnn.images import Image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Red and blue images, one of them in a folder of its own; an image that is none; a text."""
    (tmp_path / "sea").mkdir()
    for name, channel in (("rose.png", 0), ("sea/wave.jpg", 2)):
        pixels = np.zeros((3, 8, 12), np.float32)
        pixels[channel] = 1
        images.write_image(Image(pixels), tmp_path / name)
    (tmp_path / "torn.png").write_bytes((tmp_path / "rose.png").read_bytes()[:40])
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_a_folder(run, folder: Path, colours: Path) -> None:
    done = run("classify", folder, "--model", colours)
    assert done.status == 1
    assert done.out == [
        f"{folder}/rose.png: red 96 %, green 2 %, blue 2 %",
        f"{folder}/sea/wave.jpg: blue 96 %, red 2 %, green 2 %",
    ]
    assert done.err[0] == f"{folder}: 1 file is no image: skipped"
    assert done.err[1].startswith(f"{folder}/torn.png: damaged")


def test_files_beside_them(run, folder: Path, colours: Path) -> None:
    command = (
        "classify",
        folder / "rose.png",
        "--model",
        colours,
        "--top",
        1,
        "--formats",
        "json",
        "csv",
        "png",
    )
    done = run(*command)
    written = [f"{folder}/rose.colours.{kind}" for kind in ("json", "csv", "png")]
    assert (done.status, done.err) == (0, [])
    assert done.out == [f"{folder}/rose.png: red 96 % -> {' '.join(written)}"]
    assert all(Path(path).is_file() for path in written)
    assert "already done" in run(*command).out[0]


def test_two_models_of_the_same_labels(run, folder: Path, colours: Path, tmp_path: Path) -> None:
    (tmp_path / "again.safetensors").write_bytes(colours.read_bytes())
    done = run(
        *("classify", folder / "rose.png", "--model", colours, tmp_path / "again.safetensors"),
        *("--formats", "json"),
    )
    assert done.out == [
        f"{folder}/rose.png: red 96 %, green 2 %, blue 2 % -> {folder}/rose.colours+again.json"
    ]


def test_a_network_with_published_weights(run, folder: Path) -> None:
    done = run("classify", folder / "rose.png", "--model", "efficientnet_lite0", "--formats", "json")
    assert (done.status, done.err) == (0, [])
    assert done.out[0].endswith(f" -> {folder}/rose.efficientnet_lite0.json")
    assert run("classify", folder / "rose.png", "--model", "vgg").status == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--timeline"], "timeline is given, expected none: images have no time"),
        (["--top", 0], "top is 0, expected 1 or more"),
    ],
)
def test_wrong_arguments(run, folder: Path, colours: Path, arguments: list, reason: str) -> None:
    done = run("classify", folder, "--model", colours, *arguments)
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert reason in done.err[0]


def test_models_of_both_kinds(run, folder: Path, colours: Path, one_tone: Path) -> None:
    done = run("classify", folder, "--model", colours, one_tone)
    assert (done.status, done.out) == (2, [])
    assert f"models are {one_tone} of sound and {colours} of images, expected all of one kind" in done.err[0]
