"""CIFAR-10: small photographs of ten kinds of animals and vehicles.

Content: photographs of 32 x 32 pixels, in colour. Count: 60,000 of 10 classes.
Forms: the author's binary version, cifar-10-binary.tar.gz or its folder. The version for Python is of
pickles, which may run any code as they are read: it is refused. Written are train/CLASS/NUMBER.png and the
same of test/; a folder in this form (the repository cyizhuo/CIFAR-10-dataset) is trained on as it is.
Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
Licence: none stated by its author.
Split rule: the author's 50,000 and 10,000; a share of the former validates, drawn by a seed from each class.
"""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.progress import track

from audiocnn import files, images
from audiocnn.datasets import preparing

SIDE, CHANNELS = 32, 3  # pixels; red, green, blue
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
N_RECORDS = 10_000  # of a batch
RECORD_BYTES = 1 + CHANNELS * SIDE * SIDE  # the class, then the pixels, channel by channel
MAX_BATCH_BYTES = N_RECORDS * RECORD_BYTES
FOLDER = "cifar-10-batches-bin"  # as the archive unpacks
PICKLES = "data_batch_1"  # of the version for Python


def prepare_cifar10(source: Path, out: Path = Path("data/cache/cifar10")) -> int:
    """Write CIFAR-10 as a folder of images for each class, in train/ and test/; those that are there stay.

    Args:
        source: cifar-10-binary.tar.gz, or the folder of the batches in it.
        out: folder to write to.

    Returns:
        The number of images written.

    Raises:
        FileError: the source is none of these or damaged, or out holds other images.
    """
    batches = dict(read_batches(source))
    foreign = [part for part in BATCHES if (out / part).exists()]
    if foreign and not (out / preparing.RECIPE).exists():
        reason = f"has {foreign[0]}/ already, which was not written by this: choose another folder"
        raise files.FileError(out, reason)
    digest = hashlib.sha256(b"".join(batches[name] for name in sorted(batches))).hexdigest()
    preparing.check_recipe(out, {"data": "CIFAR-10", "sha256": digest})
    todo = {part: names for part, names in BATCHES.items() if not (out / part).exists()}
    for part, names in todo.items():
        with files.stage(out) as staging:
            _write_images(staging / part, b"".join(batches[name] for name in names))
            (staging / part).rename(out / part)
    return sum(len(batches[name]) // RECORD_BYTES for names in todo.values() for name in names)


def read_batches(source: Path) -> Iterator[tuple[str, bytes]]:
    """Read the batches of the binary version, and check them.

    Args:
        source: cifar-10-binary.tar.gz, or the folder of the batches in it.

    Yields:
        The name of each batch, and its records.

    Raises:
        FileError: the source is none of these, or a batch is missing or damaged.
    """
    names = [name for part in BATCHES.values() for name in part]
    found = _read_folder(source) if source.is_dir() else _read_archive(source)
    for name, content in found:
        if name in names:
            names.remove(name)
            _check_batch(source, name, content)
            yield name, content
    if names:
        raise files.FileError(source, f"has no {names[0]}, expected the binary version of CIFAR-10")


def _read_folder(source: Path) -> Iterator[tuple[str, bytes]]:
    if any((source / part).is_dir() for part in BATCHES):
        raise files.FileError(source, "is a folder of images, which training reads as it is: --data.path")
    folder = source / FOLDER if (source / FOLDER).is_dir() else source
    if (folder / PICKLES).exists():
        _refuse_pickles(source)
    for path in sorted(folder.glob("*.bin")):
        yield path.name, files.read_bytes(path, MAX_BATCH_BYTES)


def _read_archive(source: Path) -> Iterator[tuple[str, bytes]]:
    files.check_regular(source)
    try:
        with tarfile.open(source, "r|*") as archive:
            for member in archive:
                name = Path(member.name).name
                if name == PICKLES:
                    _refuse_pickles(source)
                if member.isfile() and name.endswith(".bin"):
                    content = archive.extractfile(member)
                    yield name, content.read(MAX_BATCH_BYTES + 1) if content else b""
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise files.FileError(source, f"damaged, or no archive: {error}") from error
    except OSError as error:
        raise files.FileError(source, files.describe_error(error)) from error


def _refuse_pickles(source: Path) -> None:
    reason = "is the version for Python, of pickles, which are not read; expected cifar-10-binary.tar.gz"
    raise files.FileError(source, reason)


def _check_batch(source: Path, name: str, content: bytes) -> None:
    """Check that a batch has whole records, each with one of the classes; tell where some are missing."""
    n_records, rest = divmod(len(content), RECORD_BYTES)
    if rest or not 0 < n_records <= N_RECORDS:
        more = "more than " if len(content) > MAX_BATCH_BYTES else ""
        found = f"{name} has {more}{min(len(content), MAX_BATCH_BYTES)} bytes"
        raise files.FileError(source, f"{found}, expected {MAX_BATCH_BYTES}, {N_RECORDS} images")
    if (highest := max(content[::RECORD_BYTES])) >= len(CLASSES):
        raise files.FileError(source, f"{name} holds class {highest}, expected 0 to {len(CLASSES) - 1}")
    if n_records < N_RECORDS:
        files.warn(source, [f"{name} has {n_records} of {N_RECORDS} images"])


def _write_images(folder: Path, records: bytes) -> None:
    """Write each record as folder/CLASS/NUMBER.png, numbered through."""
    table = np.frombuffer(records, np.uint8).reshape(-1, RECORD_BYTES)
    for number, record in enumerate(track(table, folder.name, len(table))):
        pixels = record[1:].reshape(CHANNELS, SIDE, SIDE).astype(np.float32) / 255
        images.write_image(images.Image(pixels), folder / CLASSES[record[0]] / f"{number:05d}.png")
