"""IDX files: bytes written by hand are read; what is damaged is refused in one line."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from audiocnn.datasets.images.idx import MAX_BYTES, read_idx, write_idx
from audiocnn.files import FileError

HEADER = struct.pack(">4B2I", 0, 0, 8, 2, 2, 3)  # bytes, 2 × 3
VALUES = bytes([0, 1, 2, 253, 254, 255])
# third byte of a file, struct's letter of its values
TYPES = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}


@pytest.mark.parametrize("code", TYPES)
def test_bytes_by_hand(tmp_path: Path, code: int) -> None:
    (tmp_path / "a").write_bytes(struct.pack(f">4BI3{TYPES[code]}", 0, 0, code, 1, 3, 1, 2, 100))
    array = read_idx(tmp_path / "a")
    assert array.tolist() == [1, 2, 100]
    assert array.dtype.str[1:] == np.dtype(TYPES[code]).str[1:] and array.dtype.isnative


def test_what_is_written_is_read(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (3, 4, 5), np.uint8)
    write_idx(tmp_path / "a", array[:, ::-1])
    assert np.array_equal(read_idx(tmp_path / "a"), array[:, ::-1])
    write_idx(tmp_path / "b", np.frombuffer(VALUES, np.uint8).reshape(2, 3))
    assert (tmp_path / "b").read_bytes() == HEADER + VALUES
    with pytest.raises(TypeError, match="array is of float64, expected uint8"):
        write_idx(tmp_path / "c", np.zeros(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_gzip_whatever_the_suffix(tmp_path: Path) -> None:
    for name in ("a.gz", "a"):
        (tmp_path / name).write_bytes(gzip.compress(HEADER + VALUES))
        assert read_idx(tmp_path / name).tolist() == [[0, 1, 2], [253, 254, 255]]


def with_sizes(*sizes: int, code: int = 8) -> bytes:
    return struct.pack(f">4B{len(sizes)}I", 0, 0, code, len(sizes), *sizes) + VALUES


DAMAGED = {
    "text": (b"no IDX file", "no IDX file: begins with 6e6f2049, expected 0000 and a type (08 to 0e)"),
    "short": (b"\0\0", "no IDX file: begins with 0000, expected 0000 and a type"),
    "type": (b"\0\0\x0a\1\0\0\0\1\0", "no IDX file: begins with 00000a01"),
    "axes": (b"\0\0\x08\0", "has 0 axes, expected 1 to 4"),
    "many axes": (b"\0\0\x08\xff" + bytes(1020), "has 255 axes, expected 1 to 4"),
    "header": (HEADER[:-1], "damaged: ends within its header, after 11 bytes"),
    "cut": (HEADER + VALUES[:-1], "damaged: 5 bytes of values, expected 6 (2 × 3)"),
    "longer": (HEADER + VALUES + b"\0", "damaged: more than 6 bytes of values, expected 6 (2 × 3)"),
    "none": (with_sizes(0, 28, 28), "says 0 × 28 × 28 values of 1 bytes, expected 1 B to 1 GiB"),
    "terabytes": (with_sizes(*[1 << 16] * 3), "says 65536 × 65536 × 65536 values of 1 bytes"),
    "wraps": (with_sizes(1 << 31, 1 << 31, 4, code=14), "says 2147483648 × 2147483648 × 4 values of 8 bytes"),
    "a gigabyte": (with_sizes(MAX_BYTES), f"damaged: 6 bytes of values, expected {MAX_BYTES}"),
}


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("fault", DAMAGED)
def test_damaged(tmp_path: Path, fault: str, is_compressed: bool) -> None:
    content, reason = DAMAGED[fault]
    (tmp_path / "a").write_bytes(gzip.compress(content) if is_compressed else content)
    with pytest.raises(FileError) as caught:
        read_idx(tmp_path / "a")
    assert str(caught.value).startswith(f"{tmp_path / 'a'}: {reason}")


def test_damaged_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(HEADER + VALUES * 1)
    for content in (
        whole[:-1],
        whole[:-12],
        whole[:-6] + b"\0" + whole[-5:],
        whole[:12] + b"\xff" + whole[13:],
    ):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(FileError, match="a: damaged: "):
            read_idx(tmp_path / "a")


def test_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, reason in (("none", "No such file"), ("empty", "is empty"), (".", "is a folder")):
        with pytest.raises(FileError, match=reason):
            read_idx(tmp_path / name)
