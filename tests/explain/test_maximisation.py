"""Spectrograms that excite most, and what keeps them readable."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from audiocnn.explain.maximisation import Readable, blurred, excitement, maximise
from audiocnn.explain.sonify import sound_of

FAST = Readable(steps=96, rate=0.1)


def roughness(spectrogram: torch.Tensor) -> float:
    """How much neighbours differ, beside how much all cells do."""
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


def test_what_excites_grows(bars: nn.Module) -> None:
    spectrogram = maximise(bars, 0, (1, 16, 20), 10.0, how=replace(FAST, jitter=0))
    assert spectrogram.shape == (1, 1, 16, 20)
    assert spectrogram.min() >= 0 and spectrogram.max() <= 10
    assert spectrogram[0, 0, 4:8].mean() > 8
    assert spectrogram[0, 0, 10:].mean() < 1


def test_the_same_seed_gives_the_same_spectrogram(bars: nn.Module) -> None:
    first, again = (maximise(bars, 0, (1, 16, 20), 10.0, how=FAST) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, maximise(bars, 0, (1, 16, 20), 10.0, how=replace(FAST, seed=1)))


def test_each_regulariser_does_what_it_says(instrument_network) -> None:
    def made(**options) -> torch.Tensor:
        plain = {"jitter": 0, "blur": 0.0, "decay": 0.0, "frequency_penalty": 0.0}
        how = Readable(steps=32, rate=0.05, **(plain | options))
        return maximise(instrument_network, 12, (1, 128, 64), 16.0, how=how)

    smooth, plain = made(frequency_penalty=1.5), made()
    assert made(frequency_penalty=1.5, decay=8.0).mean() < 0.8 * smooth.mean()
    assert roughness(smooth) < 0.5 * roughness(plain)
    assert roughness(made(frequency_penalty=1.0, blur=1.5)) < 0.7 * roughness(made(frequency_penalty=1.0))


def test_jitter_makes_a_spectrogram_that_may_be_moved(instrument_network) -> None:
    def kept(jitter: int) -> float:
        """The share of the score that is left, in the mean, where the spectrogram is moved a little."""
        how = Readable(steps=40, blur=0.0, decay=0.0, frequency_penalty=1.0, jitter=jitter)
        spectrogram = maximise(instrument_network, 12, (1, 128, 64), 16.0, how=how)
        moved = torch.cat(
            [spectrogram.roll(move, (2, 3)) for move in [(0, 0), (3, 0), (0, 3), (-3, 2), (2, -3)]]
        )
        with torch.no_grad():
            score, *others = instrument_network(moved)[:, 12].tolist()
        return sum(others) / len(others) / score

    assert kept(4) > kept(0) + 0.1


def test_the_shipped_model_hears_what_it_asked_for(instrument, instrument_network) -> None:
    """The spectrogram of a label has it, and so has the sound of that spectrogram."""
    column = instrument.outputs.index("drums")
    spectrogram = maximise(instrument_network, column, (1, 128, 94), 16.1, how=Readable(steps=48, rate=0.05))
    with torch.no_grad():
        assert instrument_network(spectrogram).sigmoid()[0, column] > 0.9
        sound = sound_of(spectrogram[0, 0], instrument.front_end)
        assert instrument(sound[None]).sigmoid()[0, column] > 0.9


def test_excitement() -> None:
    maps = torch.arange(24.0).view(1, 2, 3, 4)
    assert excitement(maps, 1) == maps[0, 1].mean()
    assert excitement(maps, (1, 2, 3)) == 23


def test_blurred() -> None:
    spot = torch.zeros(1, 1, 21, 21)
    spot[0, 0, 10, 10] = 1
    found = blurred(spot, 2.0, (-2, -1))
    assert found.sum() == pytest.approx(1, abs=1e-5)
    offsets = torch.arange(-10, 11.0)
    variance = (found[0, 0].sum(0) * offsets.square()).sum()
    assert variance == pytest.approx(4, rel=0.05)
    torch.testing.assert_close(blurred(torch.ones(1, 5, 9), 1.0, (-1,)), torch.ones(1, 5, 9))
    assert blurred(spot, 0.0, (-1,)) is spot
