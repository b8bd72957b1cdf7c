"""What `genre` has to beat: MFCC statistics with a support vector machine, on the same clips.

    python tests/bench/genre.py data/cache/gtzan_crops [--model FILE]

Tells the accuracy on the validation clips in percent, also that of the mean over variants of each clip
(`augment.average_variants`), and how many seconds of sound the model hears in one.
"""

import argparse
import time
from pathlib import Path

import librosa
import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import audiocnn
from audiocnn import audio
from audiocnn.augment import average_variants
from audiocnn.datasets.clips import layouts
from audiocnn.datasets.clips.sources import Clip
from audiocnn.models.clips import ClipModel
from audiocnn.models.load import load_clips

SAMPLE_RATE = 22_050
MINUTES = 5
N_VARIANTS = 8


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


def accuracies(clips: list[Clip], model: ClipModel) -> tuple[float, float]:
    """The model's accuracy on the validation clips in percent, and that of the mean over their variants."""
    right = np.zeros(2)
    heard = [clip for clip in clips if clip.split == "validation"]

    def said(waveforms: torch.Tensor) -> torch.Tensor:
        values = audiocnn.classify((waveforms[0].numpy(), model.sample_rate), model).probabilities
        return torch.from_numpy(values)[None]

    for clip in heard:
        waveform = torch.from_numpy(audio.load(clip.path, model.sample_rate))[None]
        answers = said(waveform), average_variants(said, waveform, model.sample_rate, N_VARIANTS)
        right += [model.outputs[int(answer.argmax())] == clip.labels[0] for answer in answers]
    plain, varied = 100 * right / len(heard)
    return plain, varied


def speed(model: ClipModel) -> float:
    """Seconds of sound that a model hears in a second, once it is loaded."""
    sound = 0.1 * np.random.default_rng(0).standard_normal(MINUTES * 60 * SAMPLE_RATE).astype(np.float32)
    audiocnn.classify((sound[:SAMPLE_RATE], SAMPLE_RATE), model)
    began_s = time.perf_counter()
    audiocnn.classify((sound, SAMPLE_RATE), model)
    return MINUTES * 60 / (time.perf_counter() - began_s)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="genre")
    arguments = parser.parse_args()
    clips = [clip for clip in layouts.read_clips(arguments.folder) if clip.path.stat().st_size]
    model = load_clips(arguments.model)
    plain, varied = accuracies(clips, model)
    print(f"MFCC statistics, support vector machine: {baseline(clips):.1f} %")
    print(f"{model.name}: {plain:.1f} %, mean of {N_VARIANTS} variants {varied:.1f} %")
    print(f"{model.name}: {speed(model):.0f} times real time")


if __name__ == "__main__":
    main()
