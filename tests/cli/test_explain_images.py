"""`audiocnn explain` of images: the page, and models and options that are for sound."""

from pathlib import Path

import numpy as np
import pytest

from audiocnn import images
from audiocnn.images import Image


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    images.write_image(Image(np.random.default_rng(0).random((3, 40, 40), np.float32)), tmp_path / "pet.png")
    return tmp_path / "pet.png"


@pytest.mark.slow
def test_a_page(run, photograph: Path) -> None:
    command = ("explain", photograph, "--model", "vgg", "--top", 1, "--among", photograph.parent)
    done = run(*command)
    page = photograph.parent / "pet.vgg.explained" / "index.html"
    assert (done.status, done.err) == (0, [])
    assert done.out[0].endswith(f" -> {page}")
    assert "Kernels of the first layer, as colours" in page.read_text()
    assert "already done" in run(*command).out[0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--time", 1], "--time is 1, expected none: vgg is for images"),
        (["--note", 60], "--note is 60, expected none: vgg predicts labels"),
        (["--label", "piano"], "--label is 'piano', expected one of airplane, automobile"),
    ],
)
def test_wrong_arguments(run, photograph: Path, arguments: list, reason: str) -> None:
    done = run("explain", photograph, "--model", "vgg", *arguments)
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
    assert reason in done.err[0]
