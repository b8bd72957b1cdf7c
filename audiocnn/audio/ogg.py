"""The pages of an Ogg file: whether one is damaged or missing, which libsndfile passes over.

Source:
    RFC 3533, "The Ogg Encapsulation Format Version 0", 6: the header of a page.
"""

import os
import re
import struct
import zlib

from audiocnn.audio.mp3 import Bytes, map_bytes, skip_tag

PAGE = re.compile(rb"OggS\x00")
HEADER = struct.Struct("<4sBBqLLLB")  # magic, version, flags, position, stream, number, checksum, segments
CHECKSUM = slice(22, 26)  # of a page, bytes that count as 0 in it
BEGINNING, END = 2, 4  # flags of the first and the last page of a stream
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def find_damage(source: str | os.PathLike | bytes) -> tuple[str, ...]:
    """Find what an Ogg file lacks.

    Args:
        source: its path or bytes.

    Returns:
        A remark on each kind of fault; none for a whole file, or one that begins with no page.
    """
    numbers: dict[int, int] = {}  # of the last page of each stream
    n_missing, flags = 0, END
    with map_bytes(source) as data:
        position = skip_tag(data, 0)
        if not PAGE.match(data, position):
            return ()
        while found := PAGE.search(data, position):
            position = found.start()
            page = _read_page(data, position)
            if not page:  # its number is missing
                position, flags = position + 1, 0
                continue
            _, _, flags, _, stream, number, *_ = HEADER.unpack_from(page)
            if not flags & BEGINNING and stream in numbers:
                n_missing += max(number - numbers[stream] - 1, 0)
            numbers[stream] = number
            position += len(page)
    pages = f"{n_missing} of its pages are damaged or missing"
    return (pages,) * bool(n_missing) + ("it has no end",) * (not flags & END)


def _read_page(data: Bytes, position: int) -> bytes:
    """Return a whole page with the right checksum; nothing where there is none."""
    if position + HEADER.size > len(data):
        return b""
    n_header = HEADER.size + data[position + HEADER.size - 1]
    size = n_header + sum(data[position + HEADER.size : position + n_header])
    page = data[position : position + size]
    return page if len(page) == size and _checksum(page) == page[CHECKSUM] else b""


def _checksum(page: bytes) -> bytes:
    """Return the checksum of a page: zlib's polynomial, from the highest bit on, without its inversions."""
    blank = page[: CHECKSUM.start] + bytes(4) + page[CHECKSUM.stop :]
    reverse = zlib.crc32(blank.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return reverse.to_bytes(4, "big").translate(REVERSED)
