"""Spectrograms found by activation maximisation, and the regularisation that keeps them readable."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from audiocnn.explain.activation_maximisation import (
    MaximisationOptions,
    blur,
    maximise_activation,
    select_score,
)
from audiocnn.explain.sonify import invert_spectrogram

FAST = MaximisationOptions(steps=96, learning_rate=0.1)


def roughness(spectrogram: torch.Tensor) -> float:
    """Mean squared difference of neighbouring frames, relative to the variance."""
    return float(spectrogram.diff(dim=-1).square().mean() / spectrogram.var())


@pytest.fixture
def bars() -> nn.Module:
    """Its score is the mean of bins 4 to 7 less that of the others."""

    class Bars(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            inside = x[:, 0, 4:8].mean((1, 2))
            return self.scale * (inside - x[:, 0, 8:].mean((1, 2)))[:, None]

    return Bars()


def test_bins_that_raise_the_score_grow(bars: nn.Module) -> None:
    spectrogram = maximise_activation(bars, 0, (1, 16, 20), 10.0, options=replace(FAST, jitter=0))
    assert spectrogram.shape == (1, 1, 16, 20)
    assert spectrogram.min() >= 0 and spectrogram.max() <= 10
    assert spectrogram[0, 0, 4:8].mean() > 8
    assert spectrogram[0, 0, 10:].mean() < 1


def test_the_same_seed_gives_the_same_spectrogram(bars: nn.Module) -> None:
    first, again = (maximise_activation(bars, 0, (1, 16, 20), 10.0, options=FAST) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(
        first, maximise_activation(bars, 0, (1, 16, 20), 10.0, options=replace(FAST, seed=1))
    )


def test_each_regularisation_does_what_it_says(instrument_network) -> None:
    def maximise(**options) -> torch.Tensor:
        plain = {"jitter": 0, "blur": 0.0, "decay": 0.0, "frequency_penalty": 0.0}
        chosen = MaximisationOptions(steps=32, learning_rate=0.05, **(plain | options))
        return maximise_activation(instrument_network, 12, (1, 128, 64), 16.0, options=chosen)

    smooth, plain = maximise(frequency_penalty=1.5), maximise()
    assert maximise(frequency_penalty=1.5, decay=8.0).mean() < 0.8 * smooth.mean()
    assert roughness(smooth) < 0.5 * roughness(plain)
    assert roughness(maximise(frequency_penalty=1.0, blur=1.5)) < 0.7 * roughness(
        maximise(frequency_penalty=1.0)
    )


def test_jitter_makes_a_spectrogram_that_may_be_shifted(instrument_network) -> None:
    def kept(jitter: int) -> float:
        """Mean share of the score that is left where the spectrogram is shifted a little."""
        chosen = MaximisationOptions(steps=40, blur=0.0, decay=0.0, frequency_penalty=1.0, jitter=jitter)
        spectrogram = maximise_activation(instrument_network, 12, (1, 128, 64), 16.0, options=chosen)
        shifted = torch.cat(
            [spectrogram.roll(shift, (2, 3)) for shift in [(0, 0), (3, 0), (0, 3), (-3, 2), (2, -3)]]
        )
        with torch.no_grad():
            score, *others = instrument_network(shifted)[:, 12].tolist()
        return sum(others) / len(others) / score

    assert kept(4) > kept(0) + 0.1


def test_the_shipped_model_predicts_the_label_that_was_maximised(instrument, instrument_network) -> None:
    """The spectrogram of a label has it, and so has the sound of that spectrogram."""
    column = instrument.outputs.index("drums")
    spectrogram = maximise_activation(
        instrument_network,
        column,
        (1, 128, 94),
        16.1,
        options=MaximisationOptions(steps=48, learning_rate=0.05),
    )
    with torch.no_grad():
        assert instrument_network(spectrogram).sigmoid()[0, column] > 0.9
        sound = invert_spectrogram(spectrogram[0, 0], instrument.front_end)
        assert instrument(sound[None]).sigmoid()[0, column] > 0.9


def test_select_score() -> None:
    feature_maps = torch.arange(24.0).view(1, 2, 3, 4)
    assert select_score(feature_maps, 1) == feature_maps[0, 1].mean()
    assert select_score(feature_maps, (1, 2, 3)) == 23


def test_blur() -> None:
    spot = torch.zeros(1, 1, 21, 21)
    spot[0, 0, 10, 10] = 1
    found = blur(spot, 2.0, (-2, -1))
    assert found.sum() == pytest.approx(1, abs=1e-5)
    offsets = torch.arange(-10, 11.0)
    variance = (found[0, 0].sum(0) * offsets.square()).sum()
    assert variance == pytest.approx(4, rel=0.05)
    torch.testing.assert_close(blur(torch.ones(1, 5, 9), 1.0, (-1,)), torch.ones(1, 5, 9))
    assert blur(spot, 0.0, (-1,)) is spot
