"""What the tests of transcription share: a small network, arrays of any sizes, comparisons."""

import numpy as np

from audiocnn.inference.transcribe import StreamingTranscriber
from audiocnn.notes import DecodingOptions, Note

RATE, HOP = 8000, 256
FRAME_S = HOP / RATE  # 32 ms
REACH_S = 2 * FRAME_S  # half of the front end's longest window, in whole frames
POOL = 3  # frames of the input to one of the network's middle
CONTEXT = (
    1 + (1 + 1) + POOL * (1 + 2 + 2 + 1 + 2) + (POOL - 1) + (1 + 1)
)  # frames to each side that one depends on
EAGER = DecodingOptions(onset_threshold=0.3, frame_threshold=0.5)  # finds more notes
NETWORK = {
    "channels": 8,
    "middle_channels": 12,
    "pool": POOL,
    "harmonics": (1, 2, 3),
    "before": (((12, 1), (1, 1)),),
    "middle": (((7, 1), (12, 2)), ((12, 2), (1, 1))),
    "after": (((1, 1), (12, 1)),),
}


def sorted_notes(notes: list[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: (note.onset_s, note.midi))


def transcribe_chunks(stream: StreamingTranscriber, waveform: np.ndarray, sizes) -> list[Note]:
    """The notes of a waveform that comes in arrays of these sizes."""
    notes, start = [], 0
    while start < len(waveform):
        size = next(sizes)
        notes += stream.push(waveform[start : start + size])
        start += size
    return sorted_notes(notes + stream.flush())


def always(size: int):
    while True:
        yield size


def at_random(lowest: int, highest: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(lowest, highest))


def assert_same_scores(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    assert ours.keys() == theirs.keys() == {"onset", "frame", "offset", "velocity"}
    for name, score in ours.items():
        np.testing.assert_allclose(score, theirs[name], rtol=0, atol=1e-5)


def assert_same_notes(ours: list[Note], theirs: list[Note]) -> None:
    assert [(note.midi, note.velocity) for note in ours] == [(note.midi, note.velocity) for note in theirs]
    for name in ("onset_s", "offset_s", "confidence"):
        times = [getattr(note, name) for note in ours], [getattr(note, name) for note in theirs]
        np.testing.assert_allclose(*times, rtol=0, atol=1e-5 if name == "confidence" else 1e-6)
