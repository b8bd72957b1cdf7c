"""Clips -> shards: the tar files that `shards` describes, all of them or none.

Place in the flow: clips with a split -> a folder that can be copied anywhere. Each sound file is decoded
once, for all its clips, in a random order of files.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import track

from audiocnn import audio, files
from audiocnn.datasets.clips.finding import find_clips
from audiocnn.datasets.clips.record import add_digests, record_split
from audiocnn.datasets.clips.shards import INDEX, SUFFIXES, VERSION
from audiocnn.datasets.clips.sources import SPLITS, Clip
from audiocnn.datasets.clips.splits import SplitOptions, describe_split, split_clips

Sounds = Iterator[tuple[Clip, bytes]]  # each clip with its FLAC


def write_shards(
    path: Path,
    out: Path,
    layout: str | None = None,
    sample_rate: int = 22050,
    shard_mb: int = 256,
    seed: int = 0,
    skip_broken: bool = False,
) -> int:
    """Write a data set of clips as shards, all of them or none.

    Args:
        path: a folder per class, a manifest (.csv, .jsonl), or a data set's folder.
        out: folder that holds nothing yet.
        layout: name of the data set (see `audiocnn data list`), mirdata:NAME, or folder for a folder per
            class; recognised where not given.
        sample_rate: in Hz.
        shard_mb: size of a file.
        seed: random seed of the order, and of the split where there is none.
        skip_broken: go on without the files that cannot be read.

    Returns:
        The number of clips.

    Raises:
        ArgumentError: the split leaks.
        FileError: a file cannot be read or written, or out holds something.
    """
    out = Path(out)
    if out.is_file() or (out.exists() and any(out.iterdir())):
        raise files.FileError(out, "holds files already, expected a new folder")
    found = find_clips(path, layout)
    print(found)
    clips = split_clips(add_digests(found.clips), SplitOptions(seed=seed))
    print(f"split: {describe_split(clips)}")
    try:
        with files.stage(out.parent) as partial:
            written = _Writer(partial, sample_rate, shard_mb, skip_broken).write(clips, seed)
            partial.replace(out)
    except OSError as error:
        raise files.FileError(out, files.describe_error(error)) from error
    return written


class _Writer:
    """Writes shards, and their index, to a folder."""

    def __init__(self, folder: Path, sample_rate: int, shard_mb: int, skip_broken: bool) -> None:
        self.folder, self.sample_rate, self.max_bytes = folder, sample_rate, shard_mb * 1e6
        self.skip_broken = skip_broken
        self.written: list[Clip] = []

    def write(self, clips: list[Clip], seed: int) -> int:
        """Write clips; return the number of those that could be read."""
        shards = {}
        for part in SPLITS:
            mine = _group_by_file([clip for clip in clips if clip.split == part], seed)
            shards[part] = self._write_part(part, self._decode(mine, part))
        index = {
            "version": VERSION,
            "sample_rate": self.sample_rate,
            "labels": sorted({label for clip in self.written for label in clip.labels}),
            "shards": shards,
            "split": record_split(self.written),
        }
        (self.folder / INDEX).write_text(json.dumps(index, indent=1))
        return len(self.written)

    def _write_part(self, part: str, sounds: Sounds) -> dict[str, int]:
        """The names of the shards that the clips of a part were written to, with their number of clips."""
        shards: dict[str, int] = {}
        for first in sounds:
            name = f"{part}-{len(shards):06d}.tar"
            with tarfile.open(self.folder / name, "w") as tar:
                for shards[name], (clip, flac) in enumerate(chain([first], sounds), start=1):
                    _add(tar, f"{len(self.written):09d}", clip, flac)
                    self.written.append(clip)
                    if tar.offset >= self.max_bytes:
                        break
        return shards

    def _decode(self, groups: list[list[Clip]], part: str) -> Sounds:
        for clips in track(groups, part, disable=not groups):
            try:
                waveform = audio.load(clips[0].path, self.sample_rate)
                encoded = [(clip, self._encode(clip, waveform)) for clip in clips]
            except files.FileError as error:
                if not self.skip_broken:
                    reason = f"{error.reason} (--skip-broken goes on without it)"
                    raise files.FileError(error.path, reason) from error
                print(f"skipped: {error}")
                continue
            yield from encoded

    def _encode(self, clip: Clip, waveform: np.ndarray) -> bytes:
        end = None if clip.end_s is None else round(clip.end_s * self.sample_rate)
        samples = waveform[round(clip.start_s * self.sample_rate) : end]
        if not len(samples):
            end_s = len(waveform) / self.sample_rate
            raise files.FileError(clip.path, f"start is {clip.start_s} s, expected less than {end_s} s")
        flac = io.BytesIO()
        soundfile.write(flac, samples, self.sample_rate, format="FLAC")
        return flac.getvalue()


def _group_by_file(clips: list[Clip], seed: int) -> list[list[Clip]]:
    """The clips of each file, in a random order of files that does not depend on where they lie."""
    groups: dict[Path, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.path].append(clip)
    ordered = sorted(groups.values(), key=lambda group: (group[0].digest or "", str(group[0].path)))
    return [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]


def _add(tar: tarfile.TarFile, name: str, clip: Clip, flac: bytes) -> None:
    facts = json.dumps({"labels": clip.labels, "file": clip.path.name}).encode()
    for suffix, content in zip(SUFFIXES, (flac, facts), strict=True):
        entry = tarfile.TarInfo(f"{name}.{suffix}")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
