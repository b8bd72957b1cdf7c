"""The page about an image: what is on it, what is tested, and what a model or an option lacks."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from audiocnn import files, images
from audiocnn.backbones import ResNet
from audiocnn.explain import page, photos
from audiocnn.explain.excerpts import ExplanationOptions
from audiocnn.explain.image_maximisation import ImageMaximisationOptions
from audiocnn.explain.receptive_fields import measure_receptive_fields
from audiocnn.explain.saliency import occlusion
from audiocnn.images import Image
from audiocnn.models.image import ImageModel


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ImageModel:
    quick = photos.maximise_image
    options = ImageMaximisationOptions(steps=2)
    monkeypatch.setattr(photos, "maximise_image", lambda *given: quick(*given, options=options))
    torch.manual_seed(0)
    backbone = ResNet(in_channels=3, depths=(1, 1), widths=(4, 8))
    made = ImageModel(backbone, None, ["cat", "<b>dog</b>", "car"], size=32, mean=(0.5,), std=(0.25,)).eval()
    made.name = "pets"
    return made


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).random((3, 40, 60), np.float32)
    images.write_image(Image(pixels), tmp_path / "pet.png")
    return tmp_path / "pet.png"


def test_a_page(model: ImageModel, photograph: Path, tmp_path: Path) -> None:
    path, counted = tmp_path / "out" / page.NAME, []
    path.parent.mkdir()
    options = ExplanationOptions(top=2)
    said = page.write_photo_page(
        photograph, model, path, options, [photograph], lambda *done: counted.append(done)
    )
    text = path.read_text()
    assert re.fullmatch(r"[\w<>/]+, \d+ %; [\w<>/]+, \d+ %", said)
    assert counted == [(n, 5) for n in range(1, 6)]
    named = re.findall(r'src="([^"]*)"', text)
    assert {file.name for file in path.parent.iterdir()} == {*named, page.NAME}
    assert {"maximal.png", "kernels.png", "fields.png"} <= set(named)
    assert len([name for name in named if name.startswith("channel_")]) == 3
    for method in ("class activation", "Grad-CAM", "occlusion", "guided backpropagation", "deconvolution"):
        assert len(re.findall(f"<p>{method} (passes|fails): ", text)) == 2
    assert "<b>dog" not in text


def test_methods_that_fail_are_marked(
    model: ImageModel, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = {
        "constant": lambda network: torch.arange(32.0 * 32).view(1, 32, 32),
        "impossible": lambda network: torch.zeros(1) / "nothing",
    }
    monkeypatch.setattr(photos, "list_methods", lambda *_: methods)
    failed = []
    plot = photos.photo_plots.plot_photo_maps
    monkeypatch.setattr(
        photos.photo_plots, "plot_photo_maps", lambda *given: failed.extend(given[2]) or plot(*given)
    )
    options = ExplanationOptions(labels=["car"])
    said = page.write_photo_page(photograph, model, tmp_path / page.NAME, options)
    assert failed == ["constant"]
    assert "it is alike for shuffled weights" in (tmp_path / page.NAME).read_text()
    assert "impossible cannot be computed" in said


def test_the_class_that_is_asked_for(model: ImageModel, photograph: Path) -> None:
    _, pixels, (one,) = photos.select_classes(photograph, model, ExplanationOptions(labels=["car"]))
    assert (one.target, one.name, pixels.shape) == (2, "car", (1, 3, 32, 32))
    found = photos.list_methods(model.normalise(pixels), 2, "backbone")["occlusion"](
        photos.strip_front_end(model)
    )
    expected = occlusion(photos.strip_front_end(model), model.normalise(pixels), 2, (5, 5))
    torch.testing.assert_close(found, expected)


def test_rows_and_columns_have_one_receptive_field(model: ImageModel) -> None:
    network = photos.strip_front_end(model)
    square, other = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 48)
    assert measure_receptive_fields(network[0], square) == measure_receptive_fields(network[0], other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["cow"]}, "label is 'cow', expected one of cat, <b>dog</b>, car"),
        ({"time_s": 2.0}, "time is 2, expected none: pets is for images"),
        ({"midi": 60}, "note is 60, expected none"),
        ({"layer": "spine"}, "layer is 'spine', expected one of backbone"),
    ],
)
def test_options_that_do_not_fit(model: ImageModel, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExplanationOptions(**options).check(model)


def test_of_many_labels_the_nearest_are_said(model: ImageModel) -> None:
    many = ImageModel(model.backbone, None, [f"kind {i}" for i in range(100)])
    with pytest.raises(ValueError, match=r"label is 'kind 7x', expected one of 100 labels, such as kind 7"):
        ExplanationOptions(labels=["kind 7x"]).check(many)


def test_what_is_no_image(model: ImageModel, tmp_path: Path) -> None:
    (tmp_path / "song.txt").write_text("la la la")
    with pytest.raises(files.FileError, match=r"song\.txt: no image"):
        page.write_photo_page(tmp_path / "song.txt", model, tmp_path / page.NAME, ExplanationOptions())
