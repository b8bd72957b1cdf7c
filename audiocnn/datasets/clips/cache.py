"""Sound files -> one file of samples at one rate, decoded once, read piecewise by any process.

A cache is KEY.pcm (mono, 16 bit, little-endian, one sound after the other) and KEY.json (where each begins).
The key is a checksum of all that the samples depend on: the rate, and each file's path, size and time of
change. So a cache is never stale: another rate, or a file that changed, is another cache. The index is
written last: where it stands, the cache is whole.
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

FOLDER = Path("data/cache/clips")
VERSION = 1  # of the format and of what is done to the samples
FULL_SCALE = 32767
N_NAMED = 5  # broken files in a message


@dataclass(frozen=True)
class Sounds:
    """Waveforms in a cache.

    Args:
        pcm: the file of samples.
        places: of each sound file, its first sample in there and its number of samples.
        broken: why a file could not be read.
    """

    pcm: Path
    places: dict[str, tuple[int, int]]
    broken: dict[str, str]

    def n_samples(self, path: Path) -> int:
        """The length of a sound."""
        return self.places[str(path)][1]

    def read(self, path: Path, start: int, n_samples: int) -> np.ndarray:
        """Samples of a sound from `start`, float32 (n_samples,), silent outside of it."""
        first, length = self.places[str(path)]
        waveform = np.zeros(n_samples, np.float32)
        begin, end = max(start, 0), min(start + n_samples, length)
        if end > begin:
            # Opened for each piece: a process that is handed this object needs nothing of another's.
            pcm = np.memmap(self.pcm, "<i2", "r", 2 * (first + begin), (end - begin,))
            np.multiply(pcm, np.float32(1 / FULL_SCALE), out=waveform[begin - start : end - start])
        return waveform


def opened(paths: Iterable[Path], sample_rate: int, folder: Path = FOLDER, workers: int = 0) -> Sounds:
    """The cache of these files at `sample_rate` Hz, which is made where it is not there.

    Args:
        workers: processes that decode, beside this one that writes.

    Raises:
        files.FileError: the system refuses to write.
    """
    names = sorted({str(path) for path in paths})
    pcm = Path(folder, f"{key(names, sample_rate)}.pcm")
    index = pcm.with_suffix(".json")
    if not index.exists():
        _make(pcm, index, names, sample_rate, workers)
    content = json.loads(index.read_text())
    places = {name: (first, length) for name, (first, length) in content["places"].items()}
    return Sounds(pcm, places, content["broken"])


def refuse_broken(sounds: Sounds) -> None:
    """Raises ValueError that names the files which could not be read, if any."""
    if sounds.broken:
        reasons = list(sounds.broken.values())
        more = [f"and {len(reasons) - N_NAMED} more"] if len(reasons) > N_NAMED else []
        raise ValueError(
            f"{len(reasons)} files cannot be read, skip_broken=true goes on without them:\n"
            + "\n".join(reasons[:N_NAMED] + more)
        )


def key(names: list[str], sample_rate: int) -> str:
    """The checksum of what a cache of these files depends on."""
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
