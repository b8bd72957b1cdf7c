"""Patch files of the Gravis Ultrasound (.pat, as of Freepats) -> recordings of single notes at 16 kHz.

Place in the flow: read by `sampler`. A wave that loops is repeated for as long as a note may last.
Source: the layout of the file is that of Gravis' Ultrasound Software Development Kit, 2.10 (1993), chapter 5.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from audiocnn import files

SAMPLE_RATE = 16_000
HELD_S = 6.0  # of a wave that loops
HEADERS = 129 + 63 + 47  # of the file, the instrument and the layer, in bytes
N_WAVES = 129 + 63 + 6  # where the number of waves stands: one byte
WAVE = struct.Struct("<7sBIIIHIIIhB18sBhH36s")
WIDE, UNSIGNED, LOOPS, TURNS = 1, 2, 4, 8  # bits of a wave's modes; a bidirectional loop is played to and fro


@dataclass(frozen=True)
class Wave:
    """One recording of a patch; pitch and keys are MIDI numbers."""

    pitch: float
    keys: tuple[int, int]
    waveform: np.ndarray


def read_patch(path: Path) -> list[Wave]:
    """Read the waves of a patch.

    Args:
        path: of a .pat file.

    Returns:
        Its waves, those that loop repeated.

    Raises:
        files.FileError: not a patch, or cut short.
    """
    content = path.read_bytes()
    if not content.startswith(b"GF1PATCH1"):
        raise files.FileError(path, f"not a patch: begins with {content[:9]!r}, expected GF1PATCH1")
    waves, position = [], HEADERS
    try:
        for _ in range(content[N_WAVES]):
            fields = WAVE.unpack_from(content, position)
            size, begin = fields[2], position + WAVE.size
            waves.append(_wave(fields, content[begin : begin + size]))
            position = begin + size
    except (struct.error, IndexError) as error:
        raise files.FileError(path, f"the patch ends at byte {len(content)}, before its last wave") from error
    return waves


def _wave(fields: tuple, data: bytes) -> Wave:
    loop_start, loop_end, rate, lowest, highest, root, modes = *fields[3:9], fields[12]
    width = 2 if modes & WIDE else 1
    samples = np.frombuffer(data, f"<{'u' if modes & UNSIGNED else 'i'}{width}").astype(np.float32)
    if modes & UNSIGNED:
        samples -= 2 ** (8 * width - 1)
    samples /= 2 ** (8 * width - 1)
    if modes & LOOPS:
        samples = _held(samples, loop_start // width, loop_end // width, round(HELD_S * rate), modes & TURNS)
    low, high = (round(_midi(frequency)) for frequency in (lowest, highest))
    return Wave(_midi(root), (low, high), soxr.resample(samples, rate, SAMPLE_RATE))


def _held(samples: np.ndarray, start: int, end: int, length: int, turns: int) -> np.ndarray:
    """Return a wave whose loop is repeated until it has the length, if it has not."""
    loop = samples[start:end]
    if not len(loop) or len(samples) >= length:
        return samples
    loop = np.concatenate([loop, loop[::-1]]) if turns else loop
    return np.concatenate([samples[:start], np.resize(loop, length - start)])


def _midi(millihertz: int) -> float:
    return float(69 + 12 * np.log2(max(millihertz, 1) / 440_000))
