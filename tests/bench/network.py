"""What one model costs, as JSON: in a process of its own, so that bench.py stays small.

python tests/bench/network.py MODEL RECORDING
"""

import json
import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from audiocnn import audio
from audiocnn.inference.transcribe import StreamingTranscriber
from audiocnn.models.load import load
from audiocnn.models.notes import NotesModel

LOOK_AHEAD_S = 0.1  # seconds, of the low-latency setting
COUNTED_S = 20  # seconds whose operations are counted: so long that the edges do not matter


def count_macs_per_s(model: NotesModel) -> dict[str, float]:
    """Count the multiply-accumulates of front end and network for a second of audio.

    Fourier transforms are not counted.

    Args:
        model: model that transcribes notes.
    """
    waveform = torch.zeros(1, COUNTED_S * model.sample_rate)
    with torch.no_grad(), FlopCounterMode(display=False) as front_end:
        spectrogram = model.spectrogram(waveform)
    with torch.no_grad(), FlopCounterMode(display=False) as network:
        model.head(model.backbone(spectrogram))
    return {
        "front_end_macs_per_s": front_end.get_total_flops() / 2 / COUNTED_S,
        "network_macs_per_s": network.get_total_flops() / 2 / COUNTED_S,
    }


def measure_streaming(model: NotesModel, recording: str) -> dict[str, float]:
    """Measure the computing time of streaming transcription frame by frame, and its latency.

    Args:
        model: model that transcribes notes.
        recording: audio file.
    """
    transcriber = StreamingTranscriber(model, look_ahead_s=LOOK_AHEAD_S)
    samples = audio.load(recording, model.sample_rate)
    start_s = time.perf_counter()
    for start in range(0, len(samples), transcriber.hop_length):
        transcriber.push(samples[start : start + transcriber.hop_length])
    transcriber.flush()
    computed_s = time.perf_counter() - start_s
    return {
        "live_s_per_s": computed_s * model.sample_rate / len(samples),
        "live_latency_s": transcriber.latency_s,
        "latency_s": StreamingTranscriber(model).latency_s,
    }


def main() -> None:
    """Print the measurements."""
    model = load(sys.argv[1], kind=NotesModel)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    costs = {**count_macs_per_s(model), **measure_streaming(model, sys.argv[2])}
    print(json.dumps({"parameters": parameters, **costs}))


if __name__ == "__main__":
    main()
