"""Top-1 and top-5 accuracy of models of images, in Python and by the verb's own parts."""

from pathlib import Path

import numpy as np
import pytest

from audiocnn import files, images
from audiocnn.evaluate.images import ImageReport, evaluate_images, find_labelled
from audiocnn.images import Image
from audiocnn.models.image import ImageModel
from audiocnn.models.load import load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three red images, of which one is more green and then red; a blue one; and one that is none."""
    shades = {"red/a": (1, 0, 0), "red/b": (0.9, 0.1, 0), "red/c": (0.4, 0.6, 0), "blue/a": (0, 0, 1)}
    for name, shade in shades.items():
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = np.broadcast_to(np.array(shade, np.float32)[:, None, None], (3, 8, 8)).copy()
        images.write_image(Image(pixels), path)
    (tmp_path / "blue" / "b.png").write_text("no image")
    return tmp_path


def test_ranks(folder: Path, colours: Path) -> None:
    model = load(colours, kind=ImageModel)
    labelled = {name: found.paths for name, found in find_labelled(folder, model.outputs).items()}
    seen: list[Path] = []
    report = evaluate_images(labelled, [model], seen.append)
    assert report.ranks == {"blue": [0], "red": [0, 0, 1]}
    assert (report.n_images, len(seen)) == (4, 5)
    assert report.measure_top(1) == 0.75
    assert report.measure_top(1, "red") == pytest.approx(2 / 3)
    assert report.measure_top(5) == 1
    assert [path.name for path in report.unreadable] == ["b.png"]


def test_what_cannot_be_evaluated(folder: Path, colours: Path, tmp_path: Path) -> None:
    labels = ["red", "green", "blue"]
    with pytest.raises(
        ValueError, match="folders are blue, expected names of the model's classes: red, green"
    ):
        find_labelled(folder, labels[:2])
    with pytest.raises(files.FileError, match="no such folder, expected one with a folder for each class"):
        find_labelled(tmp_path / "nowhere", labels)
    with pytest.raises(files.FileError, match="has no folders, expected one for each class"):
        find_labelled(folder / "red", labels)
    with pytest.raises(files.FileError, match=r"none could be read; .*b.png: no image"):
        evaluate_images({"blue": [folder / "blue" / "b.png"]}, [load(colours, kind=ImageModel)])
    assert ImageReport({"a": [7]}, {}).measure_top(5) == 0
