"""What `genre` has to beat: MFCC statistics with a support vector machine, on the same clips.

    python tests/bench/genre.py data/cache/gtzan_crops

Tells the accuracy on the validation clips in percent, and how many seconds of sound `genre` hears in one.
"""

import sys
import time
from pathlib import Path

import librosa
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from audiocnn import audio, listen
from audiocnn.datasets import layouts
from audiocnn.datasets.clips import Clip

SAMPLE_RATE = 22_050
MINUTES = 5


def statistics(clip: Clip) -> np.ndarray:
    """Means and deviations of 20 MFCCs and of their differences.

    Shape: (80,).
    """
    waveform = audio.load(clip.path, SAMPLE_RATE)
    levels = librosa.power_to_db(librosa.feature.melspectrogram(y=waveform, sr=SAMPLE_RATE, n_mels=64))
    mfcc = librosa.feature.mfcc(S=levels, n_mfcc=20)
    rows = (mfcc, librosa.feature.delta(mfcc))
    return np.concatenate([figure(row, axis=1) for row in rows for figure in (np.mean, np.std)])


def baseline(clips: list[Clip]) -> float:
    """The accuracy on the validation clips, in percent."""
    parts = {part: [clip for clip in clips if clip.split == part] for part in ("train", "validation")}
    inputs = {part: np.stack([statistics(clip) for clip in found]) for part, found in parts.items()}
    labels = {part: [clip.labels[0] for clip in found] for part, found in parts.items()}
    machine = make_pipeline(StandardScaler(), SVC(C=3)).fit(inputs["train"], labels["train"])
    return 100 * machine.score(inputs["validation"], labels["validation"])


def speed() -> float:
    """Seconds of sound that `genre` hears in a second, the model loaded."""
    model, rate = listen.load_clips("genre"), SAMPLE_RATE
    sound = 0.1 * np.random.default_rng(0).standard_normal(MINUTES * 60 * rate).astype(np.float32)
    listen.classify((sound[:rate], rate), model)
    began_s = time.perf_counter()
    listen.classify((sound, rate), model)
    return MINUTES * 60 / (time.perf_counter() - began_s)


if __name__ == "__main__":
    clips = [clip for clip in layouts.read(Path(sys.argv[1])) if clip.path.stat().st_size]
    print(f"MFCC statistics, support vector machine: {baseline(clips):.1f} %")
    print(f"genre: {speed():.0f} times real time")
