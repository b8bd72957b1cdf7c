"""Shards -> batches: crops of their clips in another order each epoch, or whole clips in theirs.

The clips of a part, in the order of its shards, are dealt to the processes. The shards' order, the clips'
order within blocks of `N_SHUFFLED`, each crop and each batch depend on the seed and the epoch alone: the
batches come in the same order with any number of workers. A worker makes every n-th batch. Of shards on a
disk it reads its own clips alone; from an address, all shards of its process: there workers cost bandwidth.
"""

from __future__ import annotations

import bisect
import itertools
import sys
from collections import Counter
from collections.abc import Iterator

import lightning
import numpy as np
import torch
from torch import Tensor, distributed
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from audiocnn import files
from audiocnn.datasets.clips.cropping import Cropping
from audiocnn.datasets.clips.shards import INDEX, Index, parse_clip, read_shard
from audiocnn.datasets.epochs import EpochSampler

N_SHUFFLED = 500  # clips in a block, which the workers hold in memory as they are in the shards

Batch = tuple[Tensor, Tensor]
Read = tuple[Batch | None, list[files.FileError]]  # a batch, and what of it cannot be read
Content = tuple[str, tuple[bytes, bytes]] | files.FileError  # a clip with the name of its shard, or why not


class ShardStream(IterableDataset):
    """Batches of a part of shards: of crops where there is a cropping, else of one whole clip each.

    With each batch comes a list of what of it cannot be read. In place of a crop of that is another one of
    the batch, or silence in a batch without one; in place of a whole clip is None.

    Shape: batches are waveforms (batch, samples) and targets (batch, labels).

    Args:
        index: of the shards.
        part: one of `SPLITS`.
        labels: in the order of the targets.
        cropping: of clips to train on.
        batch_size: crops in a batch.

    Attributes:
        epoch: that the next iteration is of.
    """

    def __init__(
        self,
        index: Index,
        part: str,
        labels: list[str],
        cropping: Cropping | None = None,
        batch_size: int = 1,
    ) -> None:
        self.index, self.labels, self.cropping, self.batch_size = index, labels, cropping, batch_size
        self.names, self.counts = list(index.shards[part]), np.array([*index.shards[part].values()], int)
        self.n_clips, self.epoch = int(self.counts.sum()), 0

    @property
    def n_batches(self) -> int:
        """Number of batches of this process."""
        return len(self._plan())

    def __iter__(self) -> Iterator[Read]:
        worker = get_worker_info()
        number, n_workers = (worker.id, worker.num_workers) if worker else (0, 1)
        return self._read_batches(self._plan()[number::n_workers])

    def _plan(self) -> list[np.ndarray]:
        """The positions of the clips in each batch of this process."""
        world = distributed.get_world_size() if distributed.is_initialized() else 1
        rank = distributed.get_rank() if distributed.is_initialized() else 0
        positions = np.array_split(self._order(), world)[rank]
        if self.cropping and world > 1:  # as many in each process, which wait for each other
            n_own = -(-self._n_items // world)
            positions = np.pad(positions, (0, n_own - len(positions)), "edge")
        return [positions[i : i + self.batch_size] for i in range(0, len(positions), self.batch_size)]

    @property
    def _n_items(self) -> int:
        return (self.cropping and self.cropping.options.n_crops) or self.n_clips

    def _order(self) -> np.ndarray:
        """The positions of an epoch: those beyond the last clip begin the shards anew, in another order."""
        positions = np.arange(self._n_items)
        if self.cropping:
            rng = np.random.default_rng((self.cropping.options.seed, self.epoch))
            for start in range(0, len(positions), N_SHUFFLED):
                rng.shuffle(positions[start : start + N_SHUFFLED])
        return positions

    def _read_batches(self, batches: list[np.ndarray]) -> Iterator[Read]:
        contents = self._fetch([position for batch in batches for position in batch.tolist()])
        for batch in batches:
            items, errors = [], []
            for position in batch.tolist():
                try:
                    items.append(self._make_item(position, next(contents)))
                except files.FileError as error:
                    errors.append(error)
            if self.cropping:  # batches are whole
                silence = torch.zeros(self.cropping.n_samples), torch.zeros(len(self.labels))
                items += [items[-1] if items else silence] * len(errors)
            waveforms, targets = zip(*items, strict=True) if items else ((), ())
            yield (torch.stack(waveforms), torch.stack(targets)) if items else None, errors

    def _make_item(self, position: int, content: Content) -> tuple[Tensor, Tensor]:
        if isinstance(content, files.FileError):
            raise content
        waveform, present = parse_clip(content[1], self.index, content[0])
        target = torch.tensor([float(label in present) for label in self.labels])
        if self.cropping is None:
            return torch.from_numpy(waveform), target
        rng = np.random.default_rng((self.cropping.options.seed, self.epoch, position))
        return self.cropping.make_item(
            lambda start, n: waveform[start : start + n], len(waveform), target, rng
        )

    def _fetch(self, positions: list[int]) -> Iterator[Content]:
        """The clips at some positions; they are read in the order of the shards, and wait for their turn."""
        read, waiting, uses = self._read(sorted({*positions})), {}, Counter(positions)
        for position in positions:
            while position not in waiting:
                waiting.update([next(read)])
            yield waiting[position]
            uses[position] -= 1
            if not uses[position]:
                del waiting[position]

    def _read(self, positions: list[int]) -> Iterator[tuple[int, Content]]:
        """The clips at some positions, in their order."""
        n_read, start = 0, 0
        for shard in self._list_shards():
            end = start + self.counts[shard]
            n_here = bisect.bisect_left(positions, end) - n_read
            if n_here:
                places = [position - start for position in positions[n_read : n_read + n_here]]
                for place, content in self._read_shard(shard, places):
                    yield start + place, content
            n_read, start = n_read + n_here, end
            if n_read == len(positions):
                return

    def _list_shards(self) -> Iterator[int]:
        """The shards again and again, in the order of the epoch."""
        for turn in itertools.count():
            if self.cropping is None:
                yield from range(len(self.names))
            else:
                rng = np.random.default_rng((self.cropping.options.seed, self.epoch, turn, 1))
                yield from rng.permutation(len(self.names)).tolist()

    def _read_shard(self, shard: int, places: list[int]) -> Iterator[tuple[int, Content]]:
        """The clips at some places of a shard; an error in place of each that it does not hold."""
        name, n_found = self.names[shard], 0
        address = self.index.locate(name)
        error = files.FileError(address, f"holds fewer than the {self.counts[shard]} clips of {INDEX}")
        try:
            for clip in read_shard(address, places):
                yield places[n_found], (name, clip)
                n_found += 1
        except files.FileError as caught:
            error = caught
        yield from ((place, error) for place in places[n_found:])


class ShardLoader:
    """Batches of a stream, read by workers.

    Args:
        stream: of batches.
        workers: processes that read; none reads in this one.
        skip_broken: report what cannot be read, and go on.
        trainer: of the training, as of `EpochSampler`.

    Raises:
        files.FileError: in an iteration, a shard or clip cannot be read, and is not to be skipped.
    """

    def __init__(
        self,
        stream: ShardStream,
        workers: int,
        skip_broken: bool,
        trainer: lightning.Trainer | None = None,
    ) -> None:
        self.stream, self.workers, self.skip_broken = stream, workers, skip_broken
        self.epochs = EpochSampler(stream.n_batches, trainer)
        self.reported: set[str] = set()

    def __len__(self) -> int:
        return self.stream.n_batches

    def __iter__(self) -> Iterator[Batch]:
        self.stream.epoch = self.epochs.epoch
        for batch, errors in DataLoader(self.stream, batch_size=None, num_workers=self.workers):
            for error in errors:
                self._report(error)
            if batch is not None:
                yield batch
        self.epochs.n_used += 1

    def _report(self, error: files.FileError) -> None:
        if not self.skip_broken:
            raise files.FileError(error.path, f"{error.reason} (loader.skip_broken=true goes on without it)")
        if (line := str(error)) not in self.reported:
            self.reported.add(line)
            print(f"skipped: {line}", file=sys.stderr)
