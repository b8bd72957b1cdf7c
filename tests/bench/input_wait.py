"""How long a training waits for its clips: the share of a step that goes by until the next batch is there.

    .venv/bin/python tests/bench/input_wait.py     # a minute on an idle machine

Made-up clips of 10 s are cached; crops of 3 s at 22.05 kHz, augmented, go through a mel spectrogram and a
small network, forward and backward. On a CPU the network and the workers share the cores: the processor time
of both is told too.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from bench import ROOT, Measurement, print_table, write_json
from torch import nn

from audiocnn import audio, create_backbone
from audiocnn.augment import RandomRecording
from audiocnn.datasets.clips.cropping import CropOptions
from audiocnn.datasets.clips.loader import ClipsDataModule, LoaderOptions
from audiocnn.frontends.mel import LogMel

RATE, CLIP_S, N_CLIPS, N_CLASSES = 22_050, 10, 40, 10
BAR = 0.10  # of a step
WARM_UP = 3  # steps in which the workers start


def make_clips(folder: Path) -> None:
    """Noise of a colour for each class, in a folder each."""
    rng = np.random.default_rng(0)
    for number in range(N_CLIPS):
        noise = rng.standard_normal(RATE * CLIP_S).astype(np.float32)
        audio.save(folder / f"class{number % N_CLASSES}" / f"{number}.flac", 0.1 * noise, RATE)


def network(name: str) -> nn.Module:
    """Waveforms (batch, samples) -> scores (batch, classes)."""
    backbone = create_backbone(name, in_channels=1)
    return nn.Sequential(LogMel(RATE, 512), backbone, backbone.classifier(N_CLASSES))


def measure(options: argparse.Namespace, folder: Path) -> list[Measurement]:
    """The waits and steps of a training."""
    data = ClipsDataModule(
        str(folder / "clips"),
        sample_rate=RATE,
        crops=CropOptions(
            n_crops=options.batch_size * (options.steps + WARM_UP),
            augment=RandomRecording() if options.augment else None,
        ),
        loader=LoaderOptions(
            batch_size=options.batch_size, workers=options.workers, cache=str(folder / "cache")
        ),
    )
    data.prepare_data()
    data.setup()
    torch.manual_seed(0)
    model = network(options.network).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    waits_s, steps_s, cpu_s = [], [], 0.0
    batches = iter(data.train_dataloader())
    while True:
        began_s = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            break
        waits_s.append(time.perf_counter() - began_s)
        waveforms, targets = batch
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(waveforms), targets).backward()
        optimizer.step()
        steps_s.append(time.perf_counter() - began_s)
        if len(steps_s) == WARM_UP:
            cpu_s = -time.process_time()
    cpu_s += time.process_time()
    waits_s, steps_s = waits_s[WARM_UP:], steps_s[WARM_UP:]
    what = f"{options.network}, {options.batch_size} crops, {options.workers} workers"
    return [
        Measurement(f"{what}: step", "ms", 1000 * median(steps_s)),
        Measurement("an item, processor time", "ms", 1000 * item_cpu_s(data)),
        Measurement("a step of the network, processor time", "ms", 1000 * cpu_s / len(waits_s)),
        Measurement(f"{what}: of it waiting for input", "share", sum(waits_s) / sum(steps_s), limit=BAR),
    ]


def item_cpu_s(data: ClipsDataModule, n: int = 20) -> float:
    """Processor time that an item takes."""
    began_s = time.process_time()
    for number in range(n):
        data.train_set[0, number]
    return (time.process_time() - began_s) / n


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--network", default="mobilenet_v2")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-augment", dest="augment", action="store_false")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "input_wait.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_clips(Path(folder, "clips"))
        figures = measure(options, Path(folder))
    print_table(figures)
    write_json(figures, options.output)


if __name__ == "__main__":
    main()
