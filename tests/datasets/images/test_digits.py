"""The digits: which image is in which part never changes; shifts and batches by hand."""

import hashlib
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from audiocnn.augment import RandomCrop
from audiocnn.datasets.images.digits import DigitsDataModule, first_of_each, read_digits, split


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    return read_digits()


def test_what_is_read(digits: tuple[Tensor, Tensor]) -> None:
    images, classes = digits
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (0, 1)
    assert torch.equal((images * 16).round(), images * 16)
    assert classes.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_split_has_each_image_once_and_each_class_alike(digits: tuple[Tensor, Tensor]) -> None:
    classes = digits[1]
    parts = split(classes)
    assert torch.equal(torch.cat(list(parts.values())).sort().values, torch.arange(1797))
    assert {part: len(where) for part, where in parts.items()} == {
        "train": 1078,
        "validation": 360,
        "test": 359,
    }
    for part, share in (("train", 3 / 5), ("validation", 1 / 5), ("test", 1 / 5)):
        shares = classes[parts[part]].bincount() - share * classes.bincount()
        assert shares.abs().max() < 1


def test_the_split_is_that_of_the_published_scores(digits: tuple[Tensor, Tensor]) -> None:
    test = split(digits[1])["test"]
    assert test[:8].tolist() == [21, 24, 28, 34, 35, 37, 39, 42]
    assert hashlib.sha256(test.numpy().tobytes()).hexdigest()[:16] == "ce461253158e62a8"
    assert not torch.equal(split(digits[1], seed=1)["test"], test)


def test_first_of_each() -> None:
    classes = torch.tensor([2, 0, 0, 1, 2, 1, 0, 2])
    assert first_of_each(classes, 2).tolist() == [0, 1, 2, 3, 4, 5]
    for n in (0, 3):
        with pytest.raises(ValueError, match=f"n is {n}, expected 1 to 2"):
            first_of_each(classes, n)


def test_batches(digits: tuple[Tensor, Tensor]) -> None:
    data = DigitsDataModule(size=32, batch_size=50)
    data.setup()
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    assert [len(loader) for loader in loaders] == [22, 8, 8]
    images, classes = next(iter(data.val_dataloader()))
    assert images.shape == (50, 1, 32, 32)
    assert (images.min() >= 0, images.max() <= 1) == (True, True)
    # Each pixel became four by four: their means are near the 8 x 8 pixels.
    first = split(digits[1])["validation"][:50]
    assert torch.equal(classes, digits[1][first])
    means = torch.nn.functional.avg_pool2d(images, 4)
    assert (means - digits[0][first]).abs().mean() < 0.08


def test_training_goes_through_all_images_in_an_order_of_its_own() -> None:
    data = DigitsDataModule(size=8, batch_size=500)
    data.setup()
    epochs = [torch.cat([classes for _, classes in data.train_dataloader()]) for _ in range(2)]
    assert not torch.equal(*epochs)
    assert torch.equal(epochs[0].bincount(), epochs[1].bincount())


def test_only_training_is_shifted() -> None:
    data = DigitsDataModule(size=16, shift=1)
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert all(map(torch.equal, data.on_after_batch_transfer(batch, 0), batch))

    data.trainer = SimpleNamespace(training=True, lightning_module=None)
    torch.manual_seed(0)
    images, classes = data.on_after_batch_transfer(batch, 0)
    torch.manual_seed(0)
    shifted = RandomCrop(padding=2)(batch[0])  # a pixel of the 8 is two of the 16
    assert torch.equal(images, shifted) and torch.equal(classes, batch[1])
    assert not torch.equal(images, batch[0])


def test_few_labels() -> None:
    data = DigitsDataModule(per_class=10)
    data.setup()
    assert data.sets["train"].tensors[1].bincount().tolist() == [10] * 10
    assert len(data.sets["test"]) == 359
    with pytest.raises(ValueError, match="n is 200, expected 1 to 104"):
        DigitsDataModule(per_class=200).setup()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 7}, "size is 7, expected at least 8"),
        ({"shift": -1}, "shift is -1, expected a number from 0 to 8"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DigitsDataModule(**arguments)
