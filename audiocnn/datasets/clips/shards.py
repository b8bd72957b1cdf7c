"""Clips in tar files, for corpora beyond one machine: read in a stream, from disk or object storage.

A folder of shards holds PART-000000.tar ..., with NAME.flac (mono, 16 bit) and NAME.json (its labels) for
every clip, in a random order; and shards.json, written last, which lists them. It may be copied anywhere.
Reading needs webdataset (`pip install 'audiocnn[shards]'`). It opens folders, addresses (https:, gs:, hf:),
or a command's output: `pipe:aws s3 cp s3://bucket/clips/{} -`, where {} stands for a file.

Each process and worker reads shards of its own: have at least as many as those. Order and crops come from
torch's seed; clips are shuffled within a buffer.
"""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from audiocnn import audio, files
from audiocnn.datasets.clips.cropping import Cropping
from audiocnn.datasets.clips.layouts import read_clips
from audiocnn.datasets.clips.sources import SPLITS, Clip
from audiocnn.datasets.clips.splits import SplitOptions, split_clips

INDEX = "shards.json"
SUFFIXES = ("flac", "json")  # of a clip's two files, which follow each other
N_SHUFFLED = 500  # clips in the buffer


@dataclass(frozen=True)
class Index:
    """The index of a folder of shards.

    Args:
        path: the folder or address.
        sample_rate: in Hz.
        labels: of all clips, sorted.
        shards: the names of each part's files.
    """

    path: str
    sample_rate: int
    labels: list[str]
    shards: dict[str, list[str]]

    @classmethod
    def read(cls, path: str) -> Index:
        """Read the index of shards.

        Args:
            path: a folder or address.

        Returns:
            The index.
        """
        with _webdataset().gopen(join_address(path, INDEX)) as file:
            return cls(path, **json.load(file))


def is_sharded(path: str) -> bool:
    """Check whether a path is an address, or a folder of shards.

    Args:
        path: of clips.

    Returns:
        Whether shards are to be read there.
    """
    return ":" in path.partition("/")[0] or Path(path, INDEX).is_file()


def join_address(path: str, name: str) -> str:
    """Join the name of a file to a folder or an address.

    Args:
        path: a folder or address, with {} where the name goes if that is not the end.
        name: of the file.

    Returns:
        The file's path or address.
    """
    return path.replace("{}", name) if "{}" in path else f"{path.rstrip('/')}/{name}"


def write_shards(
    path: Path,
    out: Path,
    layout: str | None = None,
    sample_rate: int = 22050,
    shard_mb: int = 256,
    seed: int = 0,
) -> int:
    """Write a data set of clips as shards.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), or a data set's folder.
        out: folder that holds nothing yet.
        layout: name of the data set (see `audiocnn data list`), or mirdata:NAME; recognised where not given.
        sample_rate: in Hz.
        shard_mb: size of a file.
        seed: random seed of the order, and of the split where there is none.

    Returns:
        The number of clips.

    Raises:
        ValueError: the split leaks, or out holds something.
        AudioError: a file cannot be read.
    """
    if Path(out).exists() and any(Path(out).iterdir()):
        raise ValueError(f"{out} holds files already, expected a new folder")
    clips = split_clips(read_clips(path, layout), SplitOptions(seed=seed))
    numbered = list(enumerate(clips))
    random.Random(seed).shuffle(numbered)
    shards = {
        part: _write_part(
            [(number, clip) for number, clip in numbered if clip.split == part],
            Path(out),
            part,
            sample_rate,
            shard_mb,
        )
        for part in SPLITS
    }
    labels = sorted({label for clip in clips for label in clip.labels})
    index = asdict(Index("", sample_rate, labels, shards))
    del index["path"]
    with files.write_atomically(Path(out, INDEX)) as partial:
        partial.write_text(json.dumps(index, indent=1))
    return len(clips)


def _write_part(
    clips: list[tuple[int, Clip]], out: Path, part: str, sample_rate: int, shard_mb: int
) -> list[str]:
    """The names of the files that the clips of a part were written to."""
    names: list[str] = []
    todo = deque(clips)
    while todo:
        names.append(f"{part}-{len(names):06d}.tar")
        with files.write_atomically(out / names[-1]) as partial, tarfile.open(partial, "w") as tar:
            _add(tar, *todo.popleft(), sample_rate)
            while todo and tar.offset < shard_mb * 1e6:
                _add(tar, *todo.popleft(), sample_rate)
    return names


def _add(tar: tarfile.TarFile, number: int, clip: Clip, sample_rate: int) -> None:
    waveform = audio.load(clip.path, sample_rate)
    end = None if clip.end_s is None else round(clip.end_s * sample_rate)
    flac = io.BytesIO()
    soundfile.write(flac, waveform[round(clip.start_s * sample_rate) : end], sample_rate, format="FLAC")
    facts = json.dumps({"labels": clip.labels, "file": clip.path.name}).encode()
    for suffix, content in zip(SUFFIXES, (flac.getvalue(), facts), strict=True):
        entry = tarfile.TarInfo(f"{number:09d}.{suffix}")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))


def _samples(address: str) -> Iterator[dict[str, bytes]]:
    """Each clip of a shard: the content of its files by their suffix."""
    with _webdataset().gopen(address) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        sample: dict[str, bytes] = {}
        for entry in tar:
            content = tar.extractfile(entry)
            assert content, f"{address}: {entry.name} is no file"
            sample[entry.name.rpartition(".")[2]] = content.read()
            if len(sample) == len(SUFFIXES):
                yield sample
                sample = {}


class ShardStream(IterableDataset):
    """The clips of a part: crops of them in a random order where there is a cropping, else as they are.

    Shape: items are waveforms (samples,) and targets (labels,).

    Args:
        index: of the shards.
        part: one of `SPLITS`.
        labels: in the order of the targets.
        cropping: of clips to train on.
    """

    def __init__(self, index: Index, part: str, labels: list[str], cropping: Cropping | None = None) -> None:
        self.addresses = [join_address(index.path, name) for name in index.shards[part]]
        self.labels, self.cropping = labels, cropping

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        webdataset = _webdataset()
        rank, world_size, worker, n_workers = webdataset.utils.pytorch_worker_info()
        mine = self.addresses[rank * n_workers + worker :: world_size * n_workers]
        seed = int(torch.randint(1 << 31, ()))  # the worker's own, another each epoch
        if self.cropping:
            random.Random(seed).shuffle(mine)
        samples = (sample for address in mine for sample in _samples(address))
        if self.cropping:
            samples = webdataset.shuffle(N_SHUFFLED, rng=random.Random(seed))(samples)
        rng = np.random.default_rng(seed)
        for sample in samples:
            yield self._item(sample, rng)

    def _item(self, sample: dict[str, bytes], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        waveform, _ = soundfile.read(io.BytesIO(sample["flac"]), dtype="float32")
        present = json.loads(sample["json"])["labels"]
        target = torch.tensor([float(label in present) for label in self.labels])
        if self.cropping is None:
            return torch.from_numpy(waveform), target
        return self.cropping.make_item(
            lambda start, n: waveform[start : start + n], len(waveform), target, rng
        )


def _webdataset():
    """Imported where it is used: it is an extra, and its import takes a second."""
    try:
        import webdataset  # pyright: ignore[reportMissingImports], an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("needs webdataset: pip install 'audiocnn[shards]'") from error
    return webdataset
