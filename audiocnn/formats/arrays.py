"""Raw scores -> NPZ, for whoever wants to decode them another way."""

import os

import numpy as np

from audiocnn import files
from audiocnn.notes import LOWEST_MIDI, Scores


def write_npz(scores: Scores, path: str | os.PathLike, frame_s: float) -> None:
    """Writes the arrays (pitches, frames) by their names, with `midi` (pitches,) and `times_s` (frames,).

    `np.load(path)` gives them back, without pickle. Frame i lies at i * `frame_s` seconds.
    """
    n_pitches, n_frames = next(iter(scores.values())).shape
    axes = {"midi": LOWEST_MIDI + np.arange(n_pitches), "times_s": np.arange(n_frames) * frame_s}
    with files.write_atomically(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **axes, **scores)
