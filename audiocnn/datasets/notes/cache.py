"""A prepared recording: NAME.wav (16 kHz, mono, 16 bit) beside NAME.tsv (its notes).

Place in the flow: `maps` and `synthesis` write caches; `loader` and `audiocnn evaluate notes` read them. The
notes are written last: where NAME.tsv stands, the recording is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audiocnn import audio, files

SAMPLE_RATE = 16_000  # Hz
COLUMNS = ("onset_s", "offset_s", "midi", "velocity")


def recording_exists(stem: Path) -> bool:
    """Check whether a recording is complete.

    Args:
        stem: its path without a suffix.

    Returns:
        Whether both of its files are there.
    """
    return _beside(stem, ".tsv").exists() and _beside(stem, ".wav").exists()


def write_recording(stem: Path, waveform: np.ndarray, notes: np.ndarray) -> None:
    """Write STEM.wav and STEM.tsv.

    Args:
        stem: the path without a suffix.
        waveform: (samples,) at `SAMPLE_RATE`.
        notes: (notes, 4) with the columns `COLUMNS`, in any order.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    audio.save(_beside(stem, ".wav"), waveform, SAMPLE_RATE)
    with files.write_atomically(_beside(stem, ".tsv")) as partial:
        rows = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
        header = "\t".join(COLUMNS)
        np.savetxt(partial, rows, ["%.6f", "%.6f", "%d", "%d"], "\t", header=header, comments="")


def _beside(stem: Path, suffix: str) -> Path:
    """The path with a suffix added: a name may hold dots of its own."""
    return stem.with_name(stem.name + suffix)


@dataclass(frozen=True)
class Recording:
    """One recording of a cache.

    Args:
        path: of its sound.
        sample_rate: in Hz.
        n_samples: its length.
        notes: (notes, 4) with the columns `COLUMNS`.
    """

    path: Path
    sample_rate: int
    n_samples: int
    notes: np.ndarray

    def read(self, start: int, n_samples: int) -> np.ndarray:
        """Read samples.

        Args:
            start: first sample; may be negative.
            n_samples: to read.

        Returns:
            float32 (n_samples,), 0 outside of the recording.
        """
        waveform = np.zeros(n_samples, np.float32)
        first, last = max(start, 0), min(start + n_samples, self.n_samples)
        if last > first:
            with soundfile.SoundFile(self.path) as file:
                file.seek(first)
                waveform[first - start : last - start] = file.read(last - first, dtype="float32")
        return waveform

    def find_notes(self, start_s: float, end_s: float) -> np.ndarray:
        """Find the notes that sound in a span.

        Args:
            start_s: of the span.
            end_s: of the span.

        Returns:
            (notes, 4), a part of `notes`.
        """
        return self.notes[(self.notes[:, 0] < end_s) & (self.notes[:, 1] > start_s)]


def read_recordings(folder: Path) -> list[Recording]:
    """Read the recordings of one split of a cache.

    Args:
        folder: the split's.

    Returns:
        The recordings, sorted by name.

    Raises:
        FileError: the folder holds no NAME.wav beside a NAME.tsv, one of them alone, or a damaged one; or
            sound that is not mono, empty or not finite.
    """
    folder = Path(folder)
    stems = {suffix: {path.stem for path in folder.glob(f"[!.]*{suffix}")} for suffix in (".wav", ".tsv")}
    if not stems[".wav"] & stems[".tsv"]:
        reason = "no recording, expected NAME.wav beside NAME.tsv (`audiocnn data prepare`)"
        raise files.FileError(folder, reason)
    if alone := sorted(stems[".wav"] ^ stems[".tsv"]):
        counts = f"{len(alone)} recordings have one of NAME.wav and NAME.tsv alone, such as {alone[0]}"
        raise files.FileError(folder, f"{counts}; `audiocnn data prepare` again completes an interrupted one")
    return [_read_recording(folder / f"{stem}.tsv") for stem in sorted(stems[".tsv"])]


def _read_recording(table: Path) -> Recording:
    wav = table.with_suffix(".wav")
    try:
        info = soundfile.info(wav)
        _check_sound(wav, info)
    except soundfile.LibsndfileError as error:
        raise files.FileError(wav, f"damaged: {error.error_string}") from error
    try:
        lines = table.read_text(encoding="utf-8").splitlines()[1:]
        rows = np.array([line.split("\t")[:4] for line in lines], float).reshape(-1, 4)
    except ValueError as error:
        raise files.FileError(table, f"damaged: no table of {', '.join(COLUMNS)} ({error})") from error
    if not np.isfinite(rows).all() or (rows[:, 1] < rows[:, 0]).any():
        raise files.FileError(table, "damaged: a note has no finite times, or ends before it begins")
    numbers = rows[:, 2:]  # of MIDI
    if (numbers != numbers.round()).any() or (numbers < 0).any() or (numbers > 127).any():
        raise files.FileError(table, "damaged: a midi or velocity is no whole number from 0 to 127")
    return Recording(wav, info.samplerate, info.frames, rows)


def _check_sound(wav: Path, info: Any) -> None:
    """Check that a recording is mono and not empty, and finite where its encoding can hold something else."""
    if info.channels != 1 or not info.frames:
        reason = f"has {info.frames} samples and {info.channels} channels, expected 1 or more and 1"
        raise files.FileError(wav, reason)
    if info.subtype in ("FLOAT", "DOUBLE"):
        waveform, _ = soundfile.read(wav, dtype="float32")
        if n_bad := int((~np.isfinite(waveform)).sum()):
            raise files.FileError(wav, f"{n_bad} of {info.frames} samples are NaN or infinite")
