"""The frames of an mp3: how many samples there are, whatever its header says or lacks.

Source:
    ISO/IEC 11172-3, 2.4.2.3, and 13818-3: the header of a frame.
"""

import contextlib
import mmap
import os
import re
from collections.abc import Iterator

FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # sync, and layer III of MPEG 2.5, 2 and 1
# A header, of one channel or two, a checksum or none, side information, and the tag that says how many frames
# follow.
FIRST_FRAME = re.compile(
    rb"\xff(?:[\xfa\xfb](?s:.)(?:[\xc0-\xff](?s:.{17}|.{19})|[\x00-\xbf](?s:.{32}|.{34}))"
    rb"|[\xe2\xe3\xf2\xf3](?s:.)(?:[\xc0-\xff](?s:.{9}|.{11})|[\x00-\xbf](?s:.{17}|.{19})))(?:Xing|Info)"
)
KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # by index, of MPEG 1
KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8000)}  # by version
# Of silence that an encoder adds, a tag in a frame of its own, and the last frame, which decoders may drop.
N_PADDING_FRAMES = 4


Bytes = bytes | mmap.mmap


@contextlib.contextmanager
def map_bytes(source: str | os.PathLike | bytes) -> Iterator[Bytes]:
    """Map the bytes of a file into memory.

    Args:
        source: its path; or its bytes, which stay as they are.

    Yields:
        The bytes.
    """
    if isinstance(source, bytes):
        yield source
        return
    with open(source, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def count_samples(data: Bytes) -> int:
    """Count the samples in the frames of an mp3, but for what encoders pad it with.

    Args:
        data: the bytes of the file.

    Returns:
        Samples of each channel.
    """
    position, n_samples, n_frame = skip_tag(data, 0), 0, 0
    while position < len(data):
        n_bytes, n = _parse(data, position)
        # A frame has another one, or the end, after it; other bytes may look like one.
        if n and (position + n_bytes >= len(data) or _parse(data, position + n_bytes)[1]):
            position, n_samples, n_frame = position + n_bytes, n_samples + n, n
        else:
            found = FRAME.search(data, skip_tag(data, position) + 1)
            position = found.start() if found else len(data)
    return max(n_samples - N_PADDING_FRAMES * n_frame, 0)


def skip_tag(data: Bytes, position: int) -> int:
    """Return the position after an ID3 tag, whose cover image may hold what looks like frames.

    Args:
        data: the bytes of a file of any format: tags stand before many.
        position: where a tag may begin; without one it is returned.
    """
    if data[position : position + 3] != b"ID3" or position + 10 > len(data):
        return position
    size = 0
    for byte in data[position + 6 : position + 10]:
        size = size << 7 | byte & 0x7F
    return position + 10 + size


def _parse(data: Bytes, position: int) -> tuple[int, int]:
    """Return the bytes of the frame at a position and its samples; 0 and 0 where there is none."""
    header = data[position : position + 4]
    if len(header) < 4 or not FRAME.match(header):
        return 0, 0
    version, bitrate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if bitrate in (0, 15) or rate == 3:
        return 0, 0
    kbps, n = (KBPS_1[bitrate], 1152) if version == 3 else (KBPS_2[bitrate], 576)
    return n // 8 * 1000 * kbps // RATES[version][rate] + (header[2] >> 1 & 1), n
