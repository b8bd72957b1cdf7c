"""Networks of the tests of explanations: small ones to work out by hand, and a shipped one."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from audiocnn import audio
from audiocnn.explain.network import strip_front_end
from audiocnn.models.clips import ClipModel
from audiocnn.models.load import load

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


@pytest.fixture
def linear() -> nn.Sequential:
    """Its feature map is the spectrogram; its scores are the means of the whole and of the upper half."""

    class Upper(nn.Module):
        def forward(self, feature_map: Tensor) -> Tensor:
            return torch.stack([feature_map.mean((1, 2, 3)), feature_map[:, :, 4:].mean((1, 2, 3))], dim=1)

    return nn.Sequential(OrderedDict(backbone=nn.Conv2d(1, 1, 1, bias=False), head=Upper())).eval()


@pytest.fixture(scope="session")
def instrument() -> ClipModel:
    """The shipped model."""
    return load("instrument", kind=ClipModel)


@pytest.fixture(scope="session")
def instrument_network(instrument: ClipModel) -> nn.Sequential:
    return strip_front_end(instrument)


@pytest.fixture(scope="session")
def spectrograms(instrument: ClipModel) -> Tensor:
    """Windows of both examples, (windows, 1, bins, frames)."""
    found = []
    for name in ("greensleeves_flute_guitar", "menuet_piano"):
        waveform = torch.from_numpy(audio.load(EXAMPLES / f"{name}.flac", instrument.sample_rate))
        found.append(instrument.spectrogram(instrument.split_windows(waveform)))
    return torch.cat(found)[::4]
