"""Folders of images: what is read, how it is split, and what moves in training."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from audiocnn.augment import RandomGainBias
from audiocnn.datasets.images.folder import ImageFolderDataModule, read_squares
from audiocnn.files import FileError

COLOURS = {"blue": (0, 0, 255), "red": (255, 0, 0)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten images of each class, as wide as high or twice as wide."""
    for name, colour in COLOURS.items():
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("RGB", (16 + 16 * (i % 2), 16), colour).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_the_middle_square_is_read(tmp_path: Path) -> None:
    pixels = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    images, _, _ = read_squares([tmp_path / "wide.png"], 4)
    assert images.dtype == torch.uint8
    assert torch.equal(images[0], torch.from_numpy(pixels[:, 2:6].transpose(2, 0, 1)))


def test_other_sizes_are_resized(folder: Path) -> None:
    images, _, _ = read_squares([folder / "red" / "0.png", folder / "red" / "1.png"], 8)
    assert images.shape == (2, 3, 8, 8)
    assert images[:, 0].unique().tolist() == [255] and images[:, 1:].unique().tolist() == [0]


@pytest.mark.parametrize(("mirror_p", "n_ways"), [(0.5, 2), (0.0, 1)])
def test_training_images_are_augmented(folder: Path, mirror_p: float, n_ways: int) -> None:
    ways = {"size": 8, "shift": 2, "mirror_p": mirror_p, "augment": [RandomGainBias((0.5, 0.5), (0, 0))]}
    data = ImageFolderDataModule(str(folder), **ways)
    data.trainer = SimpleNamespace(training=True, lightning_module=None)
    ramp, classes = torch.arange(0, 256, 32, dtype=torch.uint8).expand(64, 3, 8, 8), torch.arange(64)
    torch.manual_seed(0)
    images, after = data.on_after_batch_transfer([ramp, classes], 0)
    assert torch.equal(after, classes)
    rows = {tuple((row * 255 / 16).round().int().tolist()) for row in images[:, 0, 0]}
    crops = [(2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 6, 5)[i : i + 8] for i in range(5)]
    assert rows == {crop[::way] for crop in crops for way in (1, -1)[:n_ways]}


def test_parts_hold_each_image_once_with_its_class(folder: Path) -> None:
    data = ImageFolderDataModule(str(folder), size=8, batch_size=4, shift=1, validation=0.2)
    data.setup()
    assert data.classes == ["blue", "red"]
    assert {part: len(one) for part, one in data.sets.items()} == {"train": 12, "validation": 4, "test": 4}
    for loader in (data.val_dataloader(), data.test_dataloader(), data.train_dataloader()):
        for batch in loader:
            images, classes = data.on_after_batch_transfer(batch, 0)
            assert images.shape == (4, 3, 8, 8) and images.dtype == torch.float32
            assert torch.equal(images[:, 0].mean((1, 2)), classes.float())  # red is the second class
            assert torch.equal(images[:, 2].mean((1, 2)), 1 - classes.float())


def test_classes_are_named_before_any_image_is_read(folder: Path, tmp_path: Path) -> None:
    assert ImageFolderDataModule(str(folder)).find_labels() == ["blue", "red"]
    assert ImageFolderDataModule(str(tmp_path / "nowhere")).find_labels() is None
    (tmp_path / "parts" / "train").mkdir(parents=True)
    (folder / "red").rename(tmp_path / "parts" / "train" / "red")
    assert ImageFolderDataModule(str(tmp_path / "parts")).find_labels() == ["red"]


def test_few_of_each_class(folder: Path) -> None:
    data = ImageFolderDataModule(str(folder), size=8, shift=0, per_class=3)
    data.setup()
    assert data.sets["train"].tensors[1].bincount().tolist() == [3, 3]
    assert len(data.sets["validation"]) == len(data.sets["test"]) == 2
    with pytest.raises(ValueError, match="n is 9, expected 1 to 8"):
        ImageFolderDataModule(str(folder), size=8, shift=0, per_class=9).setup()


def test_a_test_folder_is_what_is_tested(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    parts = tmp_path_factory.mktemp("parts")
    for part in ("train", "test"):
        (parts / part).symlink_to(folder)
    data = ImageFolderDataModule(str(parts), size=8, shift=1, validation=0.2)
    data.setup()
    assert {part: len(one) for part, one in data.sets.items()} == {"train": 16, "validation": 4, "test": 20}


def test_wrong_arguments(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shift is 32, expected less than size, 32"):
        ImageFolderDataModule(str(folder), shift=32).setup()
    with pytest.raises(ValueError, match=r"validation is 0\.5, expected between 0 and 0\.5"):
        ImageFolderDataModule(str(folder), validation=0.5)
    with pytest.raises(ValueError, match="blue: no folders in it, expected one for each class"):
        ImageFolderDataModule(str(folder / "blue")).setup()


def damage(folder: Path, n: int) -> None:
    """Make some of the images unreadable, and add what is none."""
    for name in COLOURS:
        for i in range(n):
            (folder / name / f"{i}.png").write_bytes(b"text")
    (folder / "red" / "gone.png").symlink_to(folder / "nowhere")
    (folder / "red" / "notes.txt").touch()


def test_images_that_cannot_be_read_are_counted_and_named(folder: Path) -> None:
    damage(folder, 3)
    pattern = r"7 images cannot be read, skip_broken=true goes on without them: (.*0\.png: no image.*;){2}"
    with pytest.raises(FileError, match=rf"(?s){pattern}.*; and 2 more$"):
        ImageFolderDataModule(str(folder)).setup()


def test_images_that_cannot_be_read_are_skipped_if_asked(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    damage(folder, 3)
    data = ImageFolderDataModule(str(folder), size=8, shift=1, skip_broken=True)
    data.setup()
    assert sum(map(len, data.sets.values())) == 14
    for part in data.sets.values():
        squares, classes = part.tensors
        assert torch.equal(squares[:, 0, 4, 4] == 255, classes == 1)  # red is the second class
    assert len([line for line in caplog.messages if line.startswith("skipped: ")]) == 7
    assert f"{folder}/red: 1 file is no image: skipped" in caplog.messages
    damage_all = ImageFolderDataModule(str(folder), size=8, shift=1, skip_broken=True)
    for path in folder.glob("*/*.png"):
        path.unlink()
        path.write_bytes(b"text")
    with pytest.raises(FileError, match="holds no image that can be read"):
        damage_all.setup()


def test_parts_that_do_not_fit(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    parts = tmp_path_factory.mktemp("parts")
    (parts / "train").symlink_to(folder)
    data = ImageFolderDataModule(str(parts), size=8, shift=1, validation=0.2)
    data.setup()
    assert data.classes == ["blue", "red"] and len(data.sets["test"]) == 4
    (parts / "test").mkdir()
    (parts / "test" / "red").symlink_to(folder / "red")
    with pytest.raises(ValueError, match="test: its classes are red, expected those of train: blue, red"):
        ImageFolderDataModule(str(parts), size=8, shift=1).setup()
    (parts / "val").symlink_to(folder)
    with pytest.raises(FileError, match="has the folder 'test' beside 'val', expected train and test, or"):
        ImageFolderDataModule(str(parts), size=8, shift=1).setup()
