"""Classification of images: files and arrays, by models made by hand, shipped, and of a package."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import audiocnn
from audiocnn import files, images
from audiocnn.backbones import create_backbone
from audiocnn.images import Image
from audiocnn.inference.images import ImageClassification, classify_image, read_input
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError, read_model
from audiocnn.models.image import ImageModel
from audiocnn.models.load import load

# Of (pixel - 0.5) / 0.25 the three logits of a pure colour are 2, -2, -2.
SURE = np.exp(2) / (np.exp(2) + 2 * np.exp(-2))
GREEN = np.array([0.0, 1.0, 0.0], np.float32)[:, None, None]


def plain(rows: int = 6, columns: int = 9) -> np.ndarray:
    return np.broadcast_to(GREEN, (3, rows, columns)).copy()


def test_of_a_file_and_of_an_array(tmp_path: Path, colours: Path) -> None:
    images.write_image(Image(plain()), tmp_path / "leaf.png")
    for source in (tmp_path / "leaf.png", str(tmp_path / "leaf.png"), Image(plain())):
        result = audiocnn.classify(source, colours)
        assert isinstance(result, ImageClassification)
        assert [one.label for one in result.predictions] == ["green"]
        assert [one.probability for one in result.predictions] == pytest.approx([SURE], abs=1e-5)
        assert (result.outputs, result.models) == (["red", "green", "blue"], ["colours"])
        assert not result.is_unknown
    assert result.source is None


def test_the_square_in_the_middle_counts(colours: Path) -> None:
    wide = plain(10, 30)
    wide[:, :, :10], wide[:, :, 20:] = 1 - GREEN, 1 - GREEN
    model = load(colours, kind=ImageModel)
    torch.testing.assert_close(read_input(Image(wide), model), torch.from_numpy(plain(4, 4))[None])


def test_hidden_colours_do_not_count(colours: Path) -> None:
    pixels, alpha = plain(8, 8), np.ones((1, 8, 8), np.float32)
    pixels[:, :5], alpha[:, :5] = 1 - GREEN, 0
    result = audiocnn.classify(Image(pixels, alpha), colours)
    assert result.ranked_labels[0].label == "green"
    assert result.ranked_labels[0].probability == pytest.approx(SURE, abs=1e-5)


def test_several_models_are_averaged(colours: Path) -> None:
    first, other = (load(colours, kind=ImageModel) for _ in range(2))
    with torch.no_grad():
        next(other.head.parameters()).neg_()  # its logits of green are -2, 2, -2 turned round
    result = classify_image(Image(plain()), [first, other])
    expected = [classify_image(Image(plain()), [one]).probabilities for one in (first, other)]
    np.testing.assert_allclose(result.probabilities, np.mean(expected, axis=0))


def test_grey_models_see_the_luma() -> None:
    model = ImageModel(create_backbone("lenet5", widths=(4, 8)), 10, size=32).eval()
    seen = read_input(Image(plain()), model)
    assert seen.shape == (1, 1, 32, 32)
    torch.testing.assert_close(seen, torch.full_like(seen, 0.587), rtol=1e-3, atol=1e-3)
    assert classify_image(Image(plain()), [model]).outputs == [f"class {i}" for i in range(10)]


def test_what_cannot_be_classified(tmp_path: Path, colours: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image at all, only words")
    with pytest.raises(files.FileError, match=r"broken.jpg: no image, expected one of"):
        audiocnn.classify(tmp_path / "broken.jpg", colours)
    unseen = Image(plain(), np.zeros((1, 6, 9), np.float32))
    images.write_image(unseen, tmp_path / "glass.png")
    with pytest.raises(files.FileError, match=r"glass.png: .*transparent everywhere"):
        audiocnn.classify(tmp_path / "glass.png", colours)
    with pytest.raises(ValueError, match="transparent everywhere"):
        audiocnn.classify(unseen, colours)


def test_models_that_do_not_fit_together(colours: Path, one_tone: Path) -> None:
    of_images, of_sound = load(colours, kind=ImageModel), load(one_tone, kind=ClipModel)
    with pytest.raises(ValueError, match="colours is of images, expected a model of sound as one"):
        audiocnn.classify("song.wav", [one_tone, colours])
    with pytest.raises(
        ModelError, match="predicts what images show, not labels; `audiocnn classify` uses it"
    ):
        load(colours, kind=ClipModel).to("cpu")
    with pytest.raises(ModelError, match="notes-piano: predicts notes, not labels"):
        audiocnn.classify("leaf.png", "notes-piano")
    other = ImageModel(of_images.backbone, None, ["red", "green", "violet"])
    with pytest.raises(ValueError, match="labels of model: violet, expected those of colours"):
        classify_image(Image(plain()), [of_images, other])
    assert isinstance(of_sound, ClipModel)
    two = ImageModel(create_backbone("lenet5", in_channels=2), 10)
    with pytest.raises(ValueError, match="model takes 2 channels, expected 1 or 3"):
        classify_image(Image(plain()), [two])


def test_written_as_json_and_csv(tmp_path: Path, colours: Path) -> None:
    images.write_image(Image(plain()), tmp_path / "leaf.png")
    result = audiocnn.classify(tmp_path / "leaf.png", colours)
    result.to_json(tmp_path / "leaf.json")
    document = json.loads((tmp_path / "leaf.json").read_text())
    assert list(document) == ["file", "model", "unknown", "predictions", "labels"]
    assert (document["predictions"], document["model"]) == (["green"], "colours")
    assert [one["label"] for one in document["labels"]] == ["green", "red", "blue"]
    result.to_csv(tmp_path / "leaf.csv")
    table = [*csv.reader((tmp_path / "leaf.csv").read_text().splitlines())]
    assert [row[0] for row in table] == ["label", "green", "red", "blue"]
    assert float(table[1][1]) == pytest.approx(SURE, abs=1e-5)
    result.to_png(tmp_path / "plot.png")
    assert images.read_image(tmp_path / "plot.png").size == (400, 1000)
    with pytest.raises(
        files.FileError, match="needs the recording or image, which this classification does not hold"
    ):
        audiocnn.classify(Image(plain()), colours).to_png(tmp_path / "none.png")


def test_the_model_says_its_labels_and_size(colours: Path) -> None:
    again = read_model(colours, ImageModel)
    assert (again.labels, again.size, again.mean) == (["red", "green", "blue"], 4, (0.5, 0.5, 0.5))
    vgg = load("vgg", kind=ImageModel)
    assert (vgg.outputs[:2], vgg.size, vgg.name) == (["airplane", "automobile"], 32, "vgg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "n_classes is not given, expected a number from 2 on, or labels"),
        ({"labels": ["a", "a"]}, "labels are .*expected at least one, and none twice"),
        ({"labels": ["a"]}, "labels are 1, expected as many as n_classes, 2 or more"),
        ({"labels": ["a", "b"], "n_classes": 3}, "labels are 2, expected as many as n_classes, 3"),
        ({"n_classes": 2, "mean": (0.5, 0.5)}, "mean is .*expected 1 or 3 numbers"),
        ({"n_classes": 2, "std": (0.0,)}, "std is .*expected numbers above 0"),
        ({"n_classes": 2, "size": 0}, "size is 0, expected"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageModel(create_backbone("linear", in_channels=3, size=(1, 1)), **arguments)


def test_a_published_network_by_its_name() -> None:
    model = load("efficientnet_lite0", kind=ImageModel)
    assert (model.name, model.size, len(model.outputs)) == ("efficientnet_lite0", 224, 1000)
    assert not model.training
    from skimage import data

    espresso = Image(np.ascontiguousarray(data.coffee().transpose(2, 0, 1), np.float32) / 255)
    assert [one.label for one in audiocnn.classify(espresso, model).predictions] == ["espresso"]
