"""Raw scores -> NPZ, for whoever wants to decode them another way."""

import os

import numpy as np

from audiocnn import files
from audiocnn.notes import LOWEST_MIDI, Scores


def write_npz(scores: Scores, path: str | os.PathLike, frame_s: float) -> None:
    """Write scores, with `midi` (pitches,) and `times_s` (frames,) for their axes; `np.load` reads them.

    Args:
        scores: (pitches, frames) by name, row 0 at `LOWEST_MIDI`.
        path: file to write.
        frame_s: seconds from one frame to the next.

    Raises:
        files.FileError: the file cannot be written.
    """
    n_pitches, n_frames = next(iter(scores.values())).shape
    axes = {"midi": LOWEST_MIDI + np.arange(n_pitches), "times_s": np.arange(n_frames) * frame_s}
    with files.write_atomically(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **axes, **scores)
