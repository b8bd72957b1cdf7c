"""Notes that tests of files share: a worked example, random ones, and what files keep of them."""

import numpy as np

from audiocnn.notes import Note

WORKED = [
    Note(0.0, 0.5, 60, 100, 1.0),
    Note(0.25, 0.75, 61, 1, 0.5, (0.0, 0.5, -0.25)),
    Note(0.5, 1.1, 60, 127, 0.1 + 0.2),
]


def random_notes(seed: int, n_notes: int = 300, length_s: float = 60.0) -> list[Note]:
    """Notes at any time, many of them overlapping with others of their pitch, some bent; in order."""
    rng = np.random.default_rng(seed)
    notes = [
        Note(
            onset_s := rng.uniform(0, length_s),
            onset_s + rng.exponential(0.5) + 0.01,
            int(rng.integers(21, 109)),
            int(rng.integers(1, 128)),
            rng.uniform(),
            tuple(rng.uniform(-1, 1, rng.integers(0, 5)).tolist()),
        )
        for _ in range(n_notes)
    ]
    return sorted(notes, key=lambda note: (note.onset_s, note.midi))


def plain(notes: list[Note]) -> list[tuple[int, int]]:
    return [(note.midi, note.velocity) for note in notes]


def times(notes: list[Note]) -> np.ndarray:
    return np.array([(note.onset_s, note.offset_s) for note in notes])
