"""What is wrong with clips before a training: broken files, leaks, near-duplicates, silence, clipping.

Place in the flow: clips with a split -> a report, which `audiocnn data check` tells. Each file is read once.
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

SILENT = 1e-3  # full scale is 1: -60 dB
CLIPPED = 0.999
CLIPPED_SHARE = 1e-3  # of samples, above which a file is told


@dataclass(frozen=True)
class Sound:
    """What is to know of a file; `landmarks` as of `fingerprint.landmarks`."""

    duration_s: float
    sample_rate: int
    peak: float
    clipped: float
    landmarks: np.ndarray


@dataclass(frozen=True)
class Report:
    """What was found.

    Args:
        clips: with their split.
        sounds: of each file that can be read.
        broken: why a file cannot be read.
        duplicates: two files and their similarity, the most similar first.
        leaks: groups and files on both sides of the split.
    """

    clips: list[Clip]
    sounds: dict[str, Sound]
    broken: dict[str, str]
    duplicates: list[tuple[str, str, float]]
    leaks: list[str]

    @property
    def silent(self) -> list[str]:
        return [path for path, sound in self.sounds.items() if sound.peak < SILENT]

    @property
    def clipped(self) -> list[str]:
        return [path for path, sound in self.sounds.items() if sound.clipped > CLIPPED_SHARE]

    @property
    def across(self) -> list[tuple[str, str, float]]:
        """The duplicates of which one is trained on and the other is not."""
        trained = {str(clip.path): clip.split == "train" for clip in self.clips}
        return [pair for pair in self.duplicates if trained[pair[0]] != trained[pair[1]]]

    @property
    def sound(self) -> bool:
        """Whether it may be trained on: no file is broken, nothing leaks."""
        return not (self.broken or self.leaks or self.across)


def inspect(clips: list[Clip], workers: int = 0) -> Report:
    """Reads each file of clips that have a split."""
    paths = sorted({str(clip.path) for clip in clips})
    loader = DataLoader(_Heard(paths), batch_size=None, num_workers=workers)
    heard = dict(zip(paths, track(loader, "listening", len(paths)), strict=True))
    sounds = {path: sound for path, sound in heard.items() if isinstance(sound, Sound)}
    broken = {path: reason for path, reason in heard.items() if isinstance(reason, str)}
    names = list(sounds)
    found = fingerprint.similar([sound.landmarks for sound in sounds.values()])
    duplicates = [(names[one], names[other], share) for one, other, share in found]
    return Report(clips, sounds, broken, duplicates, splits.leaks(clips))


def listen(path: Path) -> Sound:
    """What is to know of a file.

    Raises: AudioError when it cannot be read.
    """
    try:
        rate = soundfile.info(path).samplerate
    except soundfile.LibsndfileError:  # a video, or none: `load` tells
        rate = fingerprint.SAMPLE_RATE
    waveform = audio.load(path, rate)
    level = np.abs(waveform)
    marks = fingerprint.landmarks(soxr.resample(waveform, rate, fingerprint.SAMPLE_RATE))
    return Sound(len(waveform) / rate, rate, float(level.max()), float((level > CLIPPED).mean()), marks)


class _Heard(Dataset):
    """Each file's sound, or the reason why it has none."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Sound | str:
        try:
            return listen(Path(self.paths[index]))
        except audio.AudioError as error:
            return str(error)
