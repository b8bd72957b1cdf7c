"""What one model costs, as JSON: in a process of its own, so that bench.py stays small.

python tests/bench/network.py MODEL RECORDING
"""

import json
import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

import audiocnn
from audiocnn import audio
from audiocnn.inference.transcribe import StreamingTranscriber
from audiocnn.training.notes import NotesTask

LOOK_AHEAD_S = 0.1
COUNTED_S = 20  # of sound whose multiplications are counted: long enough that the edges do not matter


def macs_per_s(task: NotesTask) -> dict[str, float]:
    """Multiplications of the front end, and of backbone and head, for a second of audio.

    Fourier transforms are not counted.
    """
    waveform = torch.zeros(1, COUNTED_S * task.sample_rate)
    with torch.no_grad(), FlopCounterMode(display=False) as front_end:
        spectrogram = task.spectrogram(waveform)
    with torch.no_grad(), FlopCounterMode(display=False) as network:
        task.head(task.backbone(spectrogram))
    return {
        "front_end_macs_per_s": front_end.get_total_flops() / 2 / COUNTED_S,
        "network_macs_per_s": network.get_total_flops() / 2 / COUNTED_S,
    }


def live(task: NotesTask, recording: str) -> dict[str, float]:
    """Seconds of computing for a second of audio that comes a frame at a time, with little look-ahead."""
    listener = StreamingTranscriber(task, look_ahead_s=LOOK_AHEAD_S)
    samples = audio.load(recording, task.sample_rate)
    began_s = time.perf_counter()
    for start in range(0, len(samples), listener.hop_length):
        listener.push(samples[start : start + listener.hop_length])
    listener.flush()
    computed_s = time.perf_counter() - began_s
    return {
        "live_s_per_s": computed_s * task.sample_rate / len(samples),
        "live_latency_s": listener.latency_s,
        "latency_s": StreamingTranscriber(task).latency_s,
    }


def main() -> None:
    """Prints the figures."""
    task = audiocnn.load(sys.argv[1])
    parameters = sum(parameter.numel() for parameter in task.parameters())
    print(json.dumps({"parameters": parameters, **macs_per_s(task), **live(task, sys.argv[2])}))


if __name__ == "__main__":
    main()
