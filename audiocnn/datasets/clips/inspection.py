"""Checks of clips before training: broken files, leaks, near-duplicates, silence, clipping.

Place in the flow: clips with a split -> a report, which `audiocnn data check` prints. Each file is read once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from audiocnn import audio
from audiocnn.datasets.clips import fingerprint, splits
from audiocnn.datasets.clips.sources import Clip

SILENT = 1e-3  # peak below which a file is silent; full scale is 1: -60 dB
CLIPPED = 0.999  # level above which a sample is clipped
CLIPPED_SHARE = 1e-3  # of samples, above which a file is reported


@dataclass(frozen=True)
class FileFacts:
    """Facts of a sound file.

    Args:
        duration_s: of the sound.
        sample_rate: of the file, in Hz.
        peak: of the absolute samples; full scale is 1.
        clipped: share of the samples.
        landmarks: as of `fingerprint.compute_landmarks`.
    """

    duration_s: float
    sample_rate: int
    peak: float
    clipped: float
    landmarks: np.ndarray


@dataclass(frozen=True)
class Report:
    """Findings of an inspection.

    Args:
        clips: with their split.
        files: the facts of each file that can be read.
        broken: why a file cannot be read.
        duplicates: two files and their similarity, the most similar first.
        leaks: groups and files on both sides of the split.
    """

    clips: list[Clip]
    files: dict[str, FileFacts]
    broken: dict[str, str]
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
        return [pair for pair in self.duplicates if trained[pair[0]] != trained[pair[1]]]

    @property
    def is_usable(self) -> bool:
        """Whether the clips may be trained on: no file is broken, nothing leaks."""
        return not (self.broken or self.leaks or self.across)


def inspect_clips(clips: list[Clip], workers: int = 0) -> Report:
    """Read each file of some clips and report its faults.

    Args:
        clips: with their split.
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
    return Report(clips, facts, broken, duplicates, splits.find_leaks(clips))


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
    return FileFacts(len(waveform) / rate, rate, float(level.max()), float((level > CLIPPED).mean()), marks)


class _Inspected(Dataset):
    """Each file's facts, or the reason why it has none."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> FileFacts | str:
        try:
            return inspect_file(Path(self.paths[index]))
        except audio.AudioError as error:
            return str(error)
