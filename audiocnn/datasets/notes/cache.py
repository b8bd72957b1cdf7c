"""A prepared recording: NAME.wav (16 kHz, mono, 16 bit) beside NAME.tsv (its notes).

The same folder is read by training and by `audiocnn evaluate notes`. The notes are written last: where
NAME.tsv stands, the recording is whole.
"""

from pathlib import Path

import numpy as np

from audiocnn import audio, files

SAMPLE_RATE = 16_000
COLUMNS = ("onset_s", "offset_s", "midi", "velocity")


def exists(stem: Path) -> bool:
    """Tells whether a recording stands whole at STEM.wav and STEM.tsv."""
    return _beside(stem, ".tsv").exists() and _beside(stem, ".wav").exists()


def write(stem: Path, waveform: np.ndarray, notes: np.ndarray) -> None:
    """Writes STEM.wav and STEM.tsv, notes (notes, 4) in the order of onset."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    audio.save(_beside(stem, ".wav"), waveform, SAMPLE_RATE)
    with files.write_atomically(_beside(stem, ".tsv")) as partial:
        rows = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
        header = "\t".join(COLUMNS)
        np.savetxt(partial, rows, ["%.6f", "%.6f", "%d", "%d"], "\t", header=header, comments="")


def _beside(stem: Path, suffix: str) -> Path:
    """Returns the path with a suffix added: a name may hold dots of its own."""
    return stem.with_name(stem.name + suffix)
