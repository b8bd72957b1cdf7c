"""Music, and a network of random weights that transcribes it."""

import numpy as np
import pytest
import torch
from torch import nn

from audiocnn.backbones.harmonic import HarmonicUNet
from audiocnn.frontends.cqt import Cqt
from audiocnn.inference.transcribe import StreamingTranscriber
from audiocnn.models.notes import NotesModel
from audiocnn.notes import DecodingOptions, Note
from tests.inference.streams import HOP, NETWORK, RATE, always, transcribe_chunks


@pytest.fixture(scope="package")
def music() -> np.ndarray:
    """Three minutes and a bit of tones and noise that come and go."""
    rng = np.random.default_rng(0)
    n_samples = 180 * RATE + 123
    times_s = np.arange(n_samples) / RATE
    waveform = 0.02 * rng.standard_normal(n_samples)
    for frequency in rng.uniform(60, 2000, 8):
        loudness = np.abs(np.sin(np.pi * times_s * rng.uniform(0.3, 3)))
        waveform += 0.1 * loudness**4 * np.sin(2 * np.pi * frequency * times_s)
    return waveform.astype(np.float32)


@pytest.fixture(scope="package")
def model(music: np.ndarray) -> NotesModel:
    """A net of random weights whose scores vary as a trained one's: a few of them pass the thresholds."""
    torch.manual_seed(1)  # one with which notes of many pitches are found
    front_end = Cqt(RATE, HOP, fmin=26.9755, n_bins=252, bins_per_octave=36, max_length=1022, floor=1e-4)
    decoding = DecodingOptions(onset_threshold=0.5, frame_threshold=0.5, offset_threshold=0.5)
    backbone = HarmonicUNet(**NETWORK)
    model = NotesModel(front_end, backbone, decoding).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    nn.init.normal_(model.backbone.pitch_bias, 0, 0.1)
    with torch.no_grad():
        logits = model(torch.from_numpy(music[: 10 * RATE])[None])[0].flatten(1)
        shares = torch.tensor([0.996, 0.8, 0.995, 0.5])  # of onset, frame, offset and velocity below one half
        for output, share in enumerate(shares):
            scale = 0.7 / logits[output].std()
            model.head.project.weight[output] *= scale
            model.head.project.bias[output] = -scale * (logits[output] + 4).quantile(share)
    return model


@pytest.fixture(scope="package")
def whole(model: NotesModel, music: np.ndarray) -> tuple[dict[str, np.ndarray], list[Note]]:
    """Scores and notes of all of the music at once."""
    stream = StreamingTranscriber(model, block_s=None, keep_scores=True)
    notes = transcribe_chunks(stream, music, always(len(music)))
    return stream.scores, notes
