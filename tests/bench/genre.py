"""The baseline of `genre`: MFCC statistics with a support vector machine, on the same clips.

    python tests/bench/genre.py data/cache/gtzan_crops [--model FILE]

Prints the accuracy on the validation clips in percent, also that of the mean over variants of each clip
(`augment.average_variants`), and how many times faster than real time the model is.
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
from audiocnn.datasets.clips import finding
from audiocnn.datasets.clips.sources import Clip
from audiocnn.models.clips import ClipModel
from audiocnn.models.load import load

SAMPLE_RATE = 22_050  # Hz, of the MFCCs
N_MELS, N_MFCC = 64, 20
SVM_C = 3.0  # penalty of the support vector machine
SPEED_MINUTES = 5  # minutes of sound on which speed is measured
N_VARIANTS = 8


def compute_statistics(clip: Clip) -> np.ndarray:
    """Compute means and standard deviations of MFCCs and of their differences.

    Args:
        clip: a whole file.

    Returns:
        Statistics, (4 * N_MFCC,).
    """
    waveform = audio.load(clip.path, SAMPLE_RATE)
    mel = librosa.feature.melspectrogram(y=waveform, sr=SAMPLE_RATE, n_mels=N_MELS)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=N_MFCC)
    rows = (mfcc, librosa.feature.delta(mfcc))
    return np.concatenate([statistic(row, axis=1) for row in rows for statistic in (np.mean, np.std)])


def score_baseline(clips: list[Clip]) -> float:
    """Compute the baseline's accuracy on the validation clips, in percent.

    Args:
        clips: clips of the train and the validation split, with one label each.
    """
    parts = {part: [clip for clip in clips if clip.split == part] for part in ("train", "validation")}
    inputs = {part: np.stack([compute_statistics(clip) for clip in found]) for part, found in parts.items()}
    labels = {part: [clip.labels[0] for clip in found] for part, found in parts.items()}
    machine = make_pipeline(StandardScaler(), SVC(C=SVM_C)).fit(inputs["train"], labels["train"])
    return 100 * machine.score(inputs["validation"], labels["validation"])


def score_model(clips: list[Clip], model: ClipModel) -> tuple[float, float]:
    """Compute a model's accuracy on the validation clips in percent, and that of the mean over variants.

    Args:
        clips: clips with one label each.
        model: model to score.
    """
    n_correct = np.zeros(2)
    validation = [clip for clip in clips if clip.split == "validation"]

    def predict(waveforms: torch.Tensor) -> torch.Tensor:
        result = audiocnn.classify((waveforms[0].numpy(), model.sample_rate), model)
        return torch.from_numpy(result.probabilities)[None]

    for clip in validation:
        waveform = torch.from_numpy(audio.load(clip.path, model.sample_rate))[None]
        averaged = average_variants(predict, waveform, model.sample_rate, N_VARIANTS)
        predictions = [model.outputs[int(values.argmax())] for values in (predict(waveform), averaged)]
        n_correct += [prediction == clip.labels[0] for prediction in predictions]
    plain, varied = 100 * n_correct / len(validation)
    return plain, varied


def measure_speed(model: ClipModel) -> float:
    """Measure how many seconds of sound a loaded model classifies in a second.

    Args:
        model: model to measure.
    """
    n_samples = SPEED_MINUTES * 60 * SAMPLE_RATE
    sound = 0.1 * np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
    audiocnn.classify((sound[:SAMPLE_RATE], SAMPLE_RATE), model)
    start_s = time.perf_counter()
    audiocnn.classify((sound, SAMPLE_RATE), model)
    return SPEED_MINUTES * 60 / (time.perf_counter() - start_s)


def main() -> None:
    """Print accuracies and speed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="clips with a train and a validation split")
    parser.add_argument("--model", default="genre", help="name or file of the model")
    options = parser.parse_args()
    clips = [clip for clip in finding.find_clips(options.folder).clips if clip.path.stat().st_size]
    model = load(options.model, kind=ClipModel)
    plain, varied = score_model(clips, model)
    print(f"MFCC statistics, support vector machine: {score_baseline(clips):.1f} %")
    print(f"{model.name}: {plain:.1f} %, mean of {N_VARIANTS} variants {varied:.1f} %")
    print(f"{model.name}: {measure_speed(model):.0f} times real time")


if __name__ == "__main__":
    main()
