"""Networks without front ends, and each of their layers as one."""

import pytest
import torch
from torch import nn

from audiocnn.explain.network import get_layer, randomise_weights, strip_front_end, truncate


def test_the_scores_are_those_of_the_model(instrument, spectrograms) -> None:
    network = strip_front_end(instrument)
    waveform = torch.sin(torch.arange(48_000) / 9)[None]
    with torch.no_grad():
        assert torch.equal(network(instrument.spectrogram(waveform)), instrument(waveform))
    assert not network.training


def test_a_layer_by_its_name(instrument, instrument_network, spectrograms) -> None:
    feature_maps = instrument.backbone.features(spectrograms[:1])
    for i, expected in enumerate(feature_maps):
        assert torch.equal(truncate(instrument_network, f"backbone.stages.{i}")(spectrograms[:1]), expected)
    assert torch.equal(truncate(instrument_network, "backbone")(spectrograms[:1]), feature_maps[-1])


def test_what_follows_a_layer_does_not_run() -> None:
    class Never(nn.Module):
        def forward(self, x):
            raise AssertionError

    network = nn.Sequential(nn.ReLU(), Never())
    assert truncate(network, "0")(torch.tensor([-1.0, 2.0])).tolist() == [0, 2]


def test_no_such_layer(instrument_network) -> None:
    with pytest.raises(ValueError, match=r"layer is 'backbone.stages.9', expected one of backbone, "):
        get_layer(instrument_network, "backbone.stages.9")


def test_randomised_weights_are_the_same_ones_elsewhere(instrument_network) -> None:
    other = randomise_weights(instrument_network)
    for before, after in zip(instrument_network.parameters(), other.parameters(), strict=True):
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
    first = next(instrument_network.parameters())
    assert not torch.equal(first, next(other.parameters()))
