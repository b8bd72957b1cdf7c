"""Clips in tar files, for corpora beyond one machine: read in a stream, from disk or object storage.

A folder of shards holds PART-000000.tar ..., with NAME.flac (mono, 16 bit) and NAME.json (its labels) for
every clip, in a random order, those of a file together; and shards.json, written last, which lists them with
their number of clips. It may be copied anywhere: to a folder, to a web server (https:), or to object storage
(s3:, gs:, hf:, each with its package for fsspec). `sharding` writes them, `shard_stream` reads them
in training. Nothing that an index names is run, or read elsewhere.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import fsspec
import numpy as np
import soundfile

from audiocnn import files
from audiocnn.datasets.clips.sources import SPLITS

INDEX = "shards.json"
VERSION = 2  # of the index
SUFFIXES = ("flac", "json")  # of a clip's two files, which follow each other
NAME = re.compile(r"\w[\w.-]*\.tar", re.ASCII)  # of a shard: a file beside its index
PROTOCOLS = ("http", "https", "s3", "gs", "hf")  # of addresses


@dataclass(frozen=True)
class Index:
    """The index of a folder of shards.

    Args:
        path: the folder or address.
        sample_rate: in Hz.
        labels: of all clips, sorted.
        shards: of each part, its files by name and their number of clips.
        split: the digests of each part's sound files, as of `record_split`.
    """

    path: str
    sample_rate: int
    labels: list[str]
    shards: dict[str, dict[str, int]]
    split: dict[str, list[str]]

    @classmethod
    def read(cls, path: str) -> Index:
        """Read the index of shards.

        Args:
            path: a folder or address.

        Returns:
            The index.

        Raises:
            files.FileError: it cannot be read, or is no index of this version.
        """
        address = join_address(path, INDEX)
        with _open(address) as file, _errors(address):
            content = json.load(file)
            if not isinstance(content, dict) or content.pop("version", None) != VERSION:
                raise ValueError(
                    f"no index of version {VERSION}, write the shards anew by `audiocnn data shard`"
                )
            index = cls(path, **content)
            index._check()
        return index

    def _check(self) -> None:
        """Raise ValueError where the index is not what `write_shards` wrote."""
        if not isinstance(self.sample_rate, int):
            raise ValueError(f"sample_rate is {self.sample_rate!r}, expected a number of Hz")
        if not isinstance(self.labels, list) or not all(isinstance(label, str) for label in self.labels):
            raise ValueError("labels is no list of names")
        if not isinstance(self.split, dict) or not all(isinstance(one, list) for one in self.split.values()):
            raise ValueError("split is no lists of digests")
        if {*self.shards} != {*SPLITS}:
            raise ValueError(f"shards has {', '.join(self.shards)}, expected {', '.join(SPLITS)}")
        for name, count in (pair for part in self.shards.values() for pair in part.items()):
            if not NAME.fullmatch(name):
                raise ValueError(f"shard {name!r}, expected the name of a .tar file beside {INDEX}")
            if not isinstance(count, int) or count < 1:
                raise ValueError(f"{name} has {count!r} clips, expected 1 or more")

    def locate(self, name: str) -> str:
        """Locate a shard.

        Args:
            name: one of the index.

        Returns:
            Its path or address.
        """
        return join_address(self.path, name)

    def select(self) -> tuple[Index, list[str]]:
        """Select the shards that are whole, by the directory of each file on this machine.

        Returns:
            The index of those, and of all that have an address; and why each other is not.
        """
        reasons = {}
        for name, count in (pair for part in self.shards.values() for pair in part.items()):
            try:
                if not _is_address(self.path):
                    _check_shard(self.locate(name), count)
            except files.FileError as error:
                reasons[name] = str(error)
        whole = {
            part: {name: count for name, count in counts.items() if name not in reasons}
            for part, counts in self.shards.items()
        }
        return replace(self, shards=whole), list(reasons.values())


def is_sharded(path: str) -> bool:
    """Check whether a path is an address, or a folder of shards.

    Args:
        path: of clips.

    Returns:
        Whether shards are to be read there.
    """
    return Path(path, INDEX).is_file() if Path(path).exists() else _is_address(path)


def _is_address(path: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]+:", path) is not None  # of two letters and more: C: is a drive


def join_address(path: str, name: str) -> str:
    """Join the name of a file to a folder or an address.

    Args:
        path: a folder or address.
        name: of the file.

    Returns:
        The file's path or address.
    """
    return f"{path.rstrip('/')}/{name}"


def _open(address: str) -> IO[bytes]:
    with _errors(address):
        if not _is_address(address):
            return open(address, "rb")
        protocol = address.partition(":")[0]
        if protocol not in PROTOCOLS:
            raise ValueError(f"begins with {protocol}:, expected a folder, or {':, '.join(PROTOCOLS)}:")
        return fsspec.open(address, "rb").open()  # pyright: ignore[reportAttributeAccessIssue]


@contextmanager
def _errors(address: str) -> Iterator[None]:
    """Make a FileError of whatever goes wrong with a file."""
    try:
        yield
    except files.FileError:
        raise
    except OSError as error:
        raise files.FileError(address, files.describe_error(error)) from error
    except Exception as error:  # a damaged tar, JSON or FLAC, a server, may raise anything
        raise files.FileError(address, str(error) or type(error).__name__) from error


def _check_shard(address: str, count: int) -> None:
    """Raise FileError where a shard on this machine is missing, damaged or has another number of clips."""
    with _errors(address), tarfile.open(address, "r:") as tar:
        names = [entry.name for entry in tar]
        for names_of_clip in zip(names[::2], names[1::2], strict=False):
            _check_names(names_of_clip)
        if len(names) != 2 * count:
            raise ValueError(f"holds {len(names) / 2:g} clips, expected {count} by {INDEX}")


def _check_names(names: Iterable[str]) -> None:
    stems, suffixes = zip(*(name.rpartition(".")[::2] for name in names), strict=True)
    if suffixes != SUFFIXES or len({*stems}) > 1:
        raise ValueError(f"has {' and '.join(names)}, expected NAME.flac and then NAME.json")


def read_shard(address: str, places: Collection[int] | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Read clips of a shard: from an address in a stream; of a file nothing else is read.

    Args:
        address: its path or address.
        places: which clips, sorted, counted from 0; all when None.

    Yields:
        The sound (FLAC) and the facts (JSON) of each clip.

    Raises:
        files.FileError: the shard is missing or damaged.
    """
    mode = "r|" if _is_address(address) else "r:"
    with closing(_open(address)) as file, _errors(address), tarfile.open(fileobj=file, mode=mode) as tar:
        pair: list[tuple[str, bytes]] = []
        for number, entry in enumerate(tar):
            if places is not None and number // len(SUFFIXES) not in places:
                continue
            content = tar.extractfile(entry)
            if content is None:
                raise ValueError(f"{entry.name} is no file")
            pair.append((entry.name, content.read()))
            if len(pair) == len(SUFFIXES):
                names, contents = zip(*pair, strict=True)
                _check_names(names)
                yield contents
                pair = []
                if places is not None and number // len(SUFFIXES) == max(places):
                    return


def parse_clip(clip: tuple[bytes, bytes], index: Index, name: str) -> tuple[np.ndarray, list[str]]:
    """Decode a clip of a shard.

    Args:
        clip: as of `read_shard`.
        index: of the shards.
        name: of its shard.

    Returns:
        The waveform, float32 (samples,), and the labels.

    Raises:
        files.FileError: the sound or the facts are damaged, or not as the index says.
    """
    with _errors(index.locate(name)):
        labels = json.loads(clip[1])["labels"]
        if not isinstance(labels, list) or not {*labels} <= {*index.labels}:
            raise ValueError(f"a clip has the labels {labels!r}, expected some of {INDEX}")
        waveform, rate = soundfile.read(io.BytesIO(clip[0]), dtype="float32")
        if rate != index.sample_rate or waveform.ndim > 1 or not len(waveform):
            raise ValueError(
                f"a clip is {waveform.shape} at {rate} Hz, expected mono, {index.sample_rate} Hz"
            )
        return waveform, labels
