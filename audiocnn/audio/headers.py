"""Where the sound of a file stands, by its header: how much there should be, and what is around it.

libsndfile takes what is there: of a file that is cut off it reads the rest, of some it reads on after the
end, and of several stretches of sound it reads one.

Source:
    The formats' descriptions: EBU Tech 3306 (RF64), Apple's AIFF 1.3 and Core Audio Format 1.0, Sony's
    Wave64, Electronic Arts' IFF 8SVX, NIST's SPHERE, Creative's VOC; of AU, AVR, MPC2000 and WVE libsndfile's
    code.
"""

import contextlib
import math
import re
import struct
from dataclasses import dataclass, replace

from audiocnn.audio.mp3 import Bytes, skip_tag

NAME = re.compile(rb"[ -~]{4}")  # what the name of a chunk begins with
# Sizes of 32 bits that those claim who write a stream and do not know them; CAF has -1 for it.
UNKNOWN_SIZES = (range(2**31 - 2**20, 2**31 + 1), range(2**32 - 2**20, 2**32), range(2**64 - 1, 2**64))
MAX_CHUNKS = 10_000  # that are looked at; files have some
VOC_END, VOC_SOUNDS = 0, (1, 2, 9)  # kinds of blocks; the sounds: one, more of it, one with a longer head
SPHERE_COUNTS = re.compile(rb"(sample_count|channel_count|sample_n_bytes) -\w+ (\d+)")


@dataclass(frozen=True)
class Span:
    """A stretch of sound in a file.

    Args:
        start: byte at which its samples begin.
        stop: byte before which they end, by the header; beyond the end of a file that is cut off.
    """

    start: int
    stop: int


@dataclass(frozen=True)
class Layout:
    """The sound of a file, by its header.

    Args:
        spans: the stretches of sound, some of which may be empty.
        n_after: bytes after everything that the header knows.
        reads_on: whether libsndfile takes what follows the sound for sound.
        n_tail: bytes after the sound that libsndfile needs.
    """

    spans: list[Span]
    n_after: int
    reads_on: bool = False
    n_tail: int = 0


@dataclass(frozen=True)
class Chunks:
    """The form of files that are lists of chunks, each with its name and its size.

    Args:
        head: name and size, with which a chunk begins.
        first: byte at which the first one begins.
        sound: what the name of one with sound begins with.
        n_before: bytes in it before the samples.
        step: bytes, at whose multiples chunks begin.
        counts_head: whether its size counts its head.
        reads_on: as of `Layout`.
    """

    head: struct.Struct
    first: int = 12
    sound: bytes = b"data"
    n_before: int = 0
    step: int = 2
    counts_head: bool = False
    reads_on: bool = False

    def read(self, data: Bytes, origin: int) -> Layout:
        """Read the layout of a file.

        Args:
            data: its bytes.
            origin: where it begins in them.

        Returns:
            The layout.
        """
        spans, position, n_long = [], origin + self.first, 0
        for _ in range(MAX_CHUNKS):
            if position + self.head.size > len(data):
                break
            name, size = self.head.unpack_from(data, position)
            start, is_sound = position + self.head.size, name.startswith(self.sound)
            if name == b"ds64":  # the size of the sound, where its chunk cannot hold it
                n_long = int.from_bytes(data[start + 8 : start + 16], "little")
            if is_sound:
                size = _find_size(size, n_long, len(data) - start)
            stop = start + size - self.head.size * self.counts_head
            if not NAME.match(name) or stop < start or (stop > len(data) and not is_sound):
                break
            if is_sound:
                spans.append(Span(start + self.n_before, stop))
            position = self._find_next(data, stop, origin)
        return Layout(spans, max(len(data) - position, 0), self.reads_on)

    def _find_next(self, data: Bytes, stop: int, origin: int) -> int:
        """Where the chunk begins that follows one: some writers leave out the bytes that fill it up."""
        return stop if NAME.match(data, stop) else stop + (origin - stop) % self.step


def _find_size(size: int, n_long: int, n_left: int) -> int:
    """The size of a chunk of sound, by its head, RF64's table, or what is left of the file."""
    if n_long and size == 2**32 - 1:
        return n_long
    return n_left if size > n_left and any(size in sizes for sizes in UNKNOWN_SIZES) else size


def _lay_out(data: Bytes, start: int, size: int, reads_on: bool = True) -> Layout:
    """The layout of a file that is a header and its sound."""
    return Layout([Span(start, start + size)], max(len(data) - start - size, 0), reads_on)


def _read_au(data: Bytes, origin: int) -> Layout:
    start, size = struct.unpack_from(">LL" if data[origin : origin + 1] == b"." else "<LL", data, origin + 4)
    return _lay_out(data, origin + start, _find_size(size, 0, len(data) - origin - start), reads_on=False)


def _read_avr(data: Bytes, origin: int) -> Layout:
    is_stereo, n_bits, n_frames = struct.unpack_from(">HH10xL", data, origin + 12)
    return _lay_out(data, origin + 128, n_frames * n_bits // 8 * (2 if is_stereo else 1))


def _read_mpc2k(data: Bytes, origin: int) -> Layout:
    is_stereo, n_frames = struct.unpack_from("<?8xL", data, origin + 21)
    return _lay_out(data, origin + 42, 2 * n_frames * (1 + is_stereo))


def _read_wve(data: Bytes, origin: int) -> Layout:
    return _lay_out(data, origin + 32, *struct.unpack_from(">L", data, origin + 18))


def _read_sphere(data: Bytes, origin: int) -> Layout:
    start = int(data[origin + 8 : origin + 16])
    counts = dict(SPHERE_COUNTS.findall(data, origin, origin + start))
    if b"sample_count" not in counts:
        raise ValueError("a header without the number of samples")
    return _lay_out(data, origin + start, math.prod(map(int, counts.values())))


def _read_voc(data: Bytes, origin: int) -> Layout:
    (first,) = struct.unpack_from("<H", data, origin + 20)
    spans, position = [], origin + first
    for _ in range(MAX_CHUNKS):
        if position + 4 > len(data) or (kind := data[position]) == VOC_END:
            break
        start = position + 4
        stop = start + int.from_bytes(data[position + 1 : start], "little")
        if kind in VOC_SOUNDS:
            spans.append(Span(start, stop))
        position = stop
    return Layout(spans, max(len(data) - position - 1, 0), reads_on=True, n_tail=1)  # the end


RIFF = Chunks(struct.Struct("<4sL"))
IFF = Chunks(struct.Struct(">4sL"), sound=b"BODY", reads_on=True)
LAYOUTS = {
    re.compile(rb"RIFF(?s:.{4})WAVE|RF64(?s:.{4})WAVE"): RIFF.read,
    re.compile(rb"RIFX(?s:.{4})WAVE"): replace(RIFF, head=IFF.head).read,
    re.compile(rb"FORM(?s:.{4})AIF[FC]"): replace(IFF, sound=b"SSND", n_before=8, reads_on=False).read,
    re.compile(rb"FORM(?s:.{4})(?:8SVX|16SV)"): IFF.read,
    re.compile(rb"caff"): Chunks(struct.Struct(">4sQ"), first=8, n_before=4, step=1).read,
    re.compile(rb"riff\x2e\x91"): Chunks(
        struct.Struct("<16sQ"), first=40, step=8, counts_head=True, reads_on=True
    ).read,
    re.compile(rb"\.snd|dns\."): _read_au,
    re.compile(rb"NIST_1A\n"): _read_sphere,
    re.compile(rb"Creative Voice File\x1a"): _read_voc,
    re.compile(rb"2BIT"): _read_avr,
    re.compile(rb"\x01\x04(?s:.{16})"): _read_mpc2k,
    re.compile(rb"ALawSoundFile\*\*\x00"): _read_wve,
}


def read_layout(data: Bytes) -> Layout | None:
    """Read where the sound of a file stands.

    Args:
        data: its bytes.

    Returns:
        The layout, with sound in it; None of a format whose header does not say it, and of a header that is
        damaged or was never filled in.
    """
    origin = skip_tag(data, 0)
    for magic, read in LAYOUTS.items():
        if magic.match(data, origin):
            with contextlib.suppress(struct.error, ValueError):
                layout = read(data, origin)
                return layout if any(span.stop > span.start for span in layout.spans) else None
    return None


def find_stop(data: Bytes) -> int | None:
    """Find where reading must stop so that libsndfile takes a stretch of sound, and nothing else, for sound.

    Args:
        data: the bytes of a file.

    Returns:
        The byte; None where libsndfile stops by itself.
    """
    layout = read_layout(data)
    if layout is None:
        return None
    stop = layout.spans[0].stop + layout.n_tail
    return stop if stop < len(data) and (layout.reads_on or len(layout.spans) > 1) else None
