"""Sound files -> one file of samples at one rate, decoded once, read in part by any process.

Place in the flow: clips -> here -> `items`. A cache is KEY.pcm (mono, 16 bit, little-endian, one sound after
the other) and KEY.json (where each begins). The key is a checksum of all that the samples depend on: the
rate, and each file's path, size and time of change. So a cache is never stale: another rate, or a file that
changed, is another cache. The index is written last: where it stands, the cache is whole; one that is damaged
is made again. A file is known by its real path, however it is written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from audiocnn import audio, files
from audiocnn.datasets.clips.record import compute_digest
from audiocnn.datasets.clips.sources import Clip

FOLDER = Path("data/cache/clips")
VERSION = 2  # of the format and of the samples' processing
FULL_SCALE = 32767  # of a 16-bit sample


@dataclass(frozen=True)
class Sounds:
    """Waveforms in a cache.

    Args:
        pcm: the file of samples.
        sample_rate: in Hz.
        places: of each sound file by its real path, its first sample in there and its number of samples.
        digests: of each sound file by its real path, as of `compute_digest`.
        broken: the reason of each file that could not be read, by its real path.
    """

    pcm: Path
    sample_rate: int
    places: dict[str, tuple[int, int]]
    digests: dict[str, str]
    broken: dict[str, str]

    def select(self, clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
        """Select the clips that can be read.

        Args:
            clips: of files in the cache.

        Returns:
            Those clips, with their digests; and why each other file, or clip that begins after its file's
            end, cannot be read.
        """
        usable, reasons = [], list(self.broken.values())
        for clip in clips:
            name = os.path.realpath(clip.path)
            if name in self.broken:
                continue  # its reason is there already
            try:
                self.find_span(clip)
                usable.append(replace(clip, digest=self.digests[name]))
            except ValueError as error:
                reasons.append(str(error))
        return usable, reasons

    def find_span(self, clip: Clip) -> tuple[int, int]:
        """Find a clip in its file.

        Args:
            clip: of a file in the cache.

        Returns:
            Its first sample in the file, and its number of samples.

        Raises:
            ValueError: it begins after the end of the file.
        """
        _, length = self.places[os.path.realpath(clip.path)]
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
        first, length = self.places[os.path.realpath(path)]
        waveform = np.zeros(n_samples, np.float32)
        begin, end = max(start, 0), min(start + n_samples, length)
        if end > begin:
            # Opened for each read: a process that receives this object needs nothing of another's.
            pcm = np.memmap(self.pcm, "<i2", "r", 2 * (first + begin), (end - begin,))
            np.multiply(pcm, np.float32(1 / FULL_SCALE), out=waveform[begin - start : end - start])
        return waveform


def open_cache(paths: Iterable[Path], sample_rate: int, folder: Path = FOLDER, workers: int = 0) -> Sounds:
    """Open the cache of some sound files, which is made where it is not there, or damaged.

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
    names = sorted({os.path.realpath(path) for path in paths})
    pcm = Path(folder, f"{compute_key(names, sample_rate)}.pcm")
    sounds = _read(pcm, sample_rate)
    if sounds is None:
        try:
            _make(pcm, names, sample_rate, workers)
        except files.FileError as error:
            reason = f"{error.reason}; --data.loader.cache (data prepare clips: --out) names another folder"
            raise files.FileError(error.path, reason) from error
        sounds = _read(pcm, sample_rate)
    if sounds is None:
        raise files.FileError(pcm, "damaged while it was written, by another process or a failing disk")
    return sounds


def _read(pcm: Path, sample_rate: int) -> Sounds | None:
    """A cache that is there and whole."""
    try:
        content = json.loads(pcm.with_suffix(".json").read_text(encoding="utf-8"))
        places = {name: (first, length) for name, (first, length) in content["places"].items()}
        is_whole = pcm.stat().st_size == 2 * sum(length for _, length in places.values())
        return Sounds(pcm, sample_rate, places, content["digests"], content["broken"]) if is_whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def compute_key(names: list[str], sample_rate: int) -> str:
    """Compute the checksum of everything that a cache depends on.

    Args:
        names: real paths of the sound files.
        sample_rate: in Hz.

    Returns:
        16 hexadecimal digits.
    """
    facts: list[object] = [VERSION, sample_rate]
    for name in names:
        try:
            status = os.stat(name)
            facts.append([name, status.st_size, status.st_mtime_ns])
        except OSError as error:
            facts.append([name, files.describe_error(error)])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _make(pcm: Path, names: list[str], sample_rate: int, workers: int) -> None:
    places, digests, broken, n_samples = {}, {}, {}, 0
    loader = DataLoader(_Decoded(names, sample_rate), batch_size=None, num_workers=workers)
    with files.write_atomically(pcm) as partial, open(partial, "wb") as file:
        for name, (samples, text) in zip(names, track(loader, "decoding", len(names)), strict=True):
            if not len(samples):
                broken[name] = text
                continue
            places[name], digests[name] = (n_samples, len(samples)), text
            n_samples += len(samples)
            file.write(np.asarray(samples).tobytes())
    with files.write_atomically(pcm.with_suffix(".json")) as partial:
        partial.write_text(json.dumps({"places": places, "digests": digests, "broken": broken}))


class _Decoded(Dataset):
    """Each file's samples, int16, with its digest; or none, with the reason."""

    def __init__(self, names: list[str], sample_rate: int) -> None:
        self.names, self.sample_rate = names, sample_rate

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[np.ndarray, str]:
        path = Path(self.names[index])
        try:
            waveform = audio.load(path, self.sample_rate)
            return np.rint(np.clip(waveform, -1, 1) * FULL_SCALE).astype("<i2"), compute_digest(path)
        except files.FileError as error:
            return np.zeros(0, "<i2"), str(error)
