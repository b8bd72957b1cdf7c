"""IDX files, in which MNIST and data sets after it keep their arrays.

A file is two zero bytes, a byte for the type of the values, one for the number of axes, the positions along
each axis as 32-bit numbers, and the values, the last axis fastest; all big-endian. What a file holds counts,
not its suffix: it may be compressed by gzip.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998, "file formats".
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from audiocnn import files

# third byte of a file -> numpy's name of the type
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
BYTES = 0x08  # unsigned, the type of images and classes
MAX_AXES = 4  # images, channels, rows, columns
MAX_BYTES = 1 << 30  # of an array; MNIST's largest has 47 MB, that of EMNIST 550
GZIP = b"\x1f\x8b"  # with which files begin that gzip compressed


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read the array of an IDX file.

    Args:
        path: the file, compressed by gzip or not.

    Returns:
        The array, in the machine's byte order.

    Raises:
        FileError: there is no file, it is no IDX file, is damaged, or has more or fewer values than its
            header says, or more than `MAX_BYTES`.
    """
    path = Path(path)
    files.check_regular(path)
    try:
        with path.open("rb") as plain:
            is_compressed = plain.read(len(GZIP)) == GZIP
        with gzip.open(path) if is_compressed else path.open("rb") as file:
            dtype, shape = _read_header(path, file)
            n_bytes = dtype.itemsize * math.prod(shape)
            content = file.read(n_bytes)
            is_longer = bool(file.read(1))  # by which gzip also checks its sum
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise files.FileError(path, f"damaged: {error}") from error
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    if is_longer or len(content) < n_bytes:
        found = f"more than {n_bytes}" if is_longer else len(content)
        sizes = " × ".join(map(str, shape))
        raise files.FileError(path, f"damaged: {found} bytes of values, expected {n_bytes} ({sizes})")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_header(path: Path, file: gzip.GzipFile | BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    """Return the type and the shape that the header of a file says."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        raise files.FileError(
            path, f"no IDX file: begins with {magic.hex() or 'nothing'}, expected 0000 and a type (08 to 0e)"
        )
    n_axes = magic[3]
    if not 1 <= n_axes <= MAX_AXES:
        raise files.FileError(path, f"has {n_axes} axes, expected 1 to {MAX_AXES}")
    sizes = file.read(4 * n_axes)
    if len(sizes) < 4 * n_axes:
        raise files.FileError(path, f"damaged: ends within its header, after {4 + len(sizes)} bytes")
    dtype, shape = np.dtype(TYPES[magic[2]]), struct.unpack(f">{n_axes}I", sizes)
    n_bytes = dtype.itemsize * math.prod(shape)
    if not 0 < n_bytes <= MAX_BYTES:
        counts = " × ".join(map(str, shape))
        raise files.FileError(path, f"says {counts} values of {dtype.itemsize} bytes, expected 1 B to 1 GiB")
    return dtype, shape


def write_idx(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write an array of bytes as an IDX file, whole or not at all.

    Args:
        path: file to write.
        array: unsigned bytes, of one to `MAX_AXES` axes.

    Raises:
        FileError: the system refuses.
        TypeError: the values are of another type.
    """
    if array.dtype != np.uint8:
        raise TypeError(f"array is of {array.dtype}, expected uint8")
    header = struct.pack(f">4B{array.ndim}I", 0, 0, BYTES, array.ndim, *array.shape)
    with files.write_atomically(path) as partial:
        partial.write_bytes(header + np.ascontiguousarray(array).tobytes())
