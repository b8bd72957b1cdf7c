"""What the tests of explanations share: networks so small that all is worked out by hand, and real ones."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from audiocnn import audio
from audiocnn.explain.network import network_of
from audiocnn.models.clips import ClipModel
from audiocnn.models.load import load_clips

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


@pytest.fixture
def linear() -> nn.Sequential:
    """Its map is the spectrogram; its two scores are the mean of the whole, and that of the upper half."""

    class Upper(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return torch.stack([maps.mean((1, 2, 3)), maps[:, :, 4:].mean((1, 2, 3))], dim=1)

    return nn.Sequential(OrderedDict(backbone=nn.Conv2d(1, 1, 1, bias=False), head=Upper())).eval()


@pytest.fixture(scope="session")
def instrument() -> ClipModel:
    """The shipped model."""
    model = load_clips("instrument")
    return model


@pytest.fixture(scope="session")
def instrument_network(instrument: ClipModel) -> nn.Sequential:
    return network_of(instrument)


@pytest.fixture(scope="session")
def spectrograms(instrument: ClipModel) -> Tensor:
    """Windows of both examples, (windows, 1, bins, frames)."""
    found = []
    for name in ("greensleeves_flute_guitar", "menuet_piano"):
        waveform = torch.from_numpy(audio.load(EXAMPLES / f"{name}.flac", instrument.sample_rate))
        found.append(instrument.spectrogram(instrument.windows(waveform)))
    return torch.cat(found)[::4]
