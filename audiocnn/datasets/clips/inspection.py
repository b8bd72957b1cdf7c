"""Checks of clips before training: broken files, leaks, near-duplicates, silence, clipping.

Place in the flow: clips -> a report, which `audiocnn data check` prints. Each file is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from audiocnn import audio, files
from audiocnn.datasets.clips import fingerprint, splits
from audiocnn.datasets.clips.record import compute_digest
from audiocnn.datasets.clips.sources import Clip

SILENT = 1e-3  # peak below which a file is silent; full scale is 1: -60 dB
CLIPPED = 0.999  # level above which a sample is clipped
CLIPPED_SHARE = 1e-3  # of samples, above which a file is reported
END_S = 0.05  # by which a clip may end after its file: a table's seconds are rounded


@dataclass(frozen=True)
class FileFacts:
    """Facts of a sound file.

    Args:
        duration_s: of the sound.
        sample_rate: of the file, in Hz.
        peak: of the absolute samples; full scale is 1.
        clipped: share of the samples.
        digest: as of `record.compute_digest`.
        landmarks: as of `fingerprint.compute_landmarks`.
    """

    duration_s: float
    sample_rate: int
    peak: float
    clipped: float
    digest: str
    landmarks: np.ndarray


@dataclass(frozen=True)
class Report:
    """Findings of an inspection.

    Args:
        clips: those that can be read, with their split.
        files: the facts of each file that can be read.
        broken: why a file cannot be read.
        beyond: the clips that begin after their file's end, or end there later than `END_S`.
        duplicates: two files and their similarity, the most similar first.
        leaks: groups and files on both sides of the split.
    """

    clips: list[Clip]
    files: dict[str, FileFacts]
    broken: dict[str, str]
    beyond: list[str]
    duplicates: list[tuple[str, str, float]]
    leaks: list[str]

    @property
    def silent(self) -> list[str]:
        """The files without sound."""
        return [path for path, facts in self.files.items() if facts.peak < SILENT]

    @property
    def clipped(self) -> list[str]:
        """The files of which more than a few samples are clipped."""
        return [path for path, facts in self.files.items() if facts.clipped > CLIPPED_SHARE]

    @property
    def across(self) -> list[tuple[str, str, float]]:
        """The duplicates of which one is trained on and the other is not."""
        trained = {str(clip.path): clip.split == "train" for clip in self.clips}
        return [pair for pair in self.duplicates if trained.get(pair[0]) != trained.get(pair[1])]

    @property
    def is_usable(self) -> bool:
        """Whether the clips may be trained on: all can be read, nothing leaks."""
        return not (self.broken or self.beyond or self.leaks or self.across)


def inspect_clips(
    clips: Sequence[Clip], options: splits.SplitOptions = splits.SplitOptions(), workers: int = 0
) -> Report:
    """Read each file of some clips, split them as a training would, and report their faults.

    Args:
        clips: with or without a split.
        options: of the split.
        workers: processes that read.

    Returns:
        The report.
    """
    paths = sorted({str(clip.path) for clip in clips})
    loader = DataLoader(_Inspected(paths), batch_size=None, num_workers=workers)
    results = dict(zip(paths, track(loader, "reading", len(paths)), strict=True))
    facts = {path: result for path, result in results.items() if isinstance(result, FileFacts)}
    broken = {path: result for path, result in results.items() if isinstance(result, str)}
    names = list(facts)
    found = fingerprint.find_duplicates([one.landmarks for one in facts.values()])
    duplicates = [(names[one], names[other], share) for one, other, share in found]
    beyond = [line for clip in clips if str(clip.path) in facts for line in _find_beyond(clip, facts)]
    usable = [
        replace(clip, digest=facts[str(clip.path)].digest)
        for clip in clips
        if str(clip.path) in facts and clip.start_s < facts[str(clip.path)].duration_s
    ]
    parts = splits.split_clips(usable, replace(options, leaky=True)) if usable else []
    return Report(parts, facts, broken, beyond, duplicates, splits.find_leaks(parts))


def _find_beyond(clip: Clip, facts: dict[str, FileFacts]) -> list[str]:
    """The line about a clip that is not within its file."""
    length_s, last_s = facts[str(clip.path)].duration_s, clip.end_s or clip.start_s
    if clip.start_s < length_s and last_s <= length_s + END_S:
        return []
    return [f"{clip.path}: {clip.start_s:g} to {last_s:g} s, expected within {length_s:.3f} s"]


def inspect_file(path: Path) -> FileFacts:
    """Read a sound file and gather its facts.

    Args:
        path: of the file.

    Returns:
        The facts.

    Raises:
        audio.AudioError: the file cannot be read.
    """
    try:
        rate = soundfile.info(path).samplerate
    except soundfile.LibsndfileError:  # a video, or no sound at all: `load` distinguishes them
        rate = fingerprint.SAMPLE_RATE
    waveform = audio.load(path, rate)
    level = np.abs(waveform)
    marks = fingerprint.compute_landmarks(soxr.resample(waveform, rate, fingerprint.SAMPLE_RATE))
    clipped = float((level > CLIPPED).mean())
    return FileFacts(len(waveform) / rate, rate, float(level.max()), clipped, compute_digest(path), marks)


class _Inspected(Dataset):
    """Each file's facts, or the reason why it has none."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> FileFacts | str:
        try:
            return inspect_file(Path(self.paths[index]))
        except files.FileError as error:
            return str(error)
