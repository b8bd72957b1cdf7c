"""Sound files -> one file of samples at one rate, decoded once, read in part by any process.

Place in the flow: clips -> here -> `items`. A cache is KEY.pcm (mono, 16 bit, little-endian, one sound after
the other) and KEY.json (where each begins). The key is a checksum of all that the samples depend on: the
rate, and each file's path, size and time of change. So a cache is never stale: another rate, or a file that
changed, is another cache. The index is written last: where it stands, the cache is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from audiocnn import audio, files
from audiocnn.datasets.clips.sources import Clip

FOLDER = Path("data/cache/clips")
VERSION = 1  # of the format and of the samples' processing
FULL_SCALE = 32767  # of a 16-bit sample
N_NAMED = 5  # broken files in a message


@dataclass(frozen=True)
class Sounds:
    """Waveforms in a cache.

    Args:
        pcm: the file of samples.
        sample_rate: in Hz.
        places: of each sound file, its first sample in there and its number of samples.
        broken: the reason of each file that could not be read.
    """

    pcm: Path
    sample_rate: int
    places: dict[str, tuple[int, int]]
    broken: dict[str, str]

    def find_span(self, clip: Clip) -> tuple[int, int]:
        """Find a clip in its file.

        Args:
            clip: of a file in the cache.

        Returns:
            Its first sample in the file, and its number of samples.

        Raises:
            ValueError: it begins after the end of the file.
        """
        _, length = self.places[str(clip.path)]
        start = round(clip.start_s * self.sample_rate)
        end = length if clip.end_s is None else min(round(clip.end_s * self.sample_rate), length)
        if start >= end:
            end_s = end / self.sample_rate
            raise ValueError(f"{clip.path}: start is {clip.start_s} s, expected less than {end_s} s")
        return start, end - start

    def read(self, path: Path, start: int, n_samples: int) -> np.ndarray:
        """Read samples of a sound.

        Args:
            path: its file.
            start: first sample; may be negative.
            n_samples: to read.

        Returns:
            float32 (n_samples,), 0 outside of the sound.
        """
        first, length = self.places[str(path)]
        waveform = np.zeros(n_samples, np.float32)
        begin, end = max(start, 0), min(start + n_samples, length)
        if end > begin:
            # Opened for each read: a process that receives this object needs nothing of another's.
            pcm = np.memmap(self.pcm, "<i2", "r", 2 * (first + begin), (end - begin,))
            np.multiply(pcm, np.float32(1 / FULL_SCALE), out=waveform[begin - start : end - start])
        return waveform


def open_cache(paths: Iterable[Path], sample_rate: int, folder: Path = FOLDER, workers: int = 0) -> Sounds:
    """Open the cache of some sound files, which is made where it is not there.

    Args:
        paths: of the files, in any order.
        sample_rate: of the samples, in Hz.
        folder: of caches.
        workers: processes that decode, beside this one that writes.

    Returns:
        The waveforms.

    Raises:
        files.FileError: the system refuses to write.
    """
    names = sorted({str(path) for path in paths})
    pcm = Path(folder, f"{compute_key(names, sample_rate)}.pcm")
    index = pcm.with_suffix(".json")
    if not index.exists():
        _make(pcm, index, names, sample_rate, workers)
    content = json.loads(index.read_text())
    places = {name: (first, length) for name, (first, length) in content["places"].items()}
    return Sounds(pcm, sample_rate, places, content["broken"])


def refuse_broken(sounds: Sounds) -> None:
    """Refuse sounds of which some could not be read.

    Args:
        sounds: an open cache.

    Raises:
        ValueError: files are broken; the message names the first of them.
    """
    if sounds.broken:
        reasons = list(sounds.broken.values())
        more = [f"and {len(reasons) - N_NAMED} more"] if len(reasons) > N_NAMED else []
        raise ValueError(
            f"{len(reasons)} files cannot be read, loader.skip_broken=true goes on without them:\n"
            + "\n".join(reasons[:N_NAMED] + more)
        )


def compute_key(names: list[str], sample_rate: int) -> str:
    """Compute the checksum of everything that a cache depends on.

    Args:
        names: paths of the sound files.
        sample_rate: in Hz.

    Returns:
        16 hexadecimal digits.
    """
    facts: list[object] = [VERSION, sample_rate]
    for name in names:
        try:
            status = os.stat(name)
            facts.append([os.path.abspath(name), status.st_size, status.st_mtime_ns])
        except OSError as error:
            facts.append([os.path.abspath(name), files.describe_error(error)])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _make(pcm: Path, index: Path, names: list[str], sample_rate: int, workers: int) -> None:
    places, broken, n_samples = {}, {}, 0
    loader = DataLoader(_Decoded(names, sample_rate), batch_size=None, num_workers=workers)
    with files.write_atomically(pcm) as partial, open(partial, "wb") as file:
        for name, (samples, reason) in zip(names, track(loader, "decoding", len(names)), strict=True):
            if reason:
                broken[name] = reason
                continue
            places[name] = (n_samples, len(samples))
            n_samples += len(samples)
            file.write(np.asarray(samples).tobytes())
    with files.write_atomically(index) as partial:
        partial.write_text(json.dumps({"places": places, "broken": broken}))


class _Decoded(Dataset):
    """Each file's samples, int16, or the reason why it has none."""

    def __init__(self, names: list[str], sample_rate: int) -> None:
        self.names, self.sample_rate = names, sample_rate

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[np.ndarray, str]:
        try:
            waveform = audio.load(self.names[index], self.sample_rate)
        except audio.AudioError as error:
            return np.zeros(0, "<i2"), str(error)
        return np.rint(np.clip(waveform, -1, 1) * FULL_SCALE).astype("<i2"), ""
