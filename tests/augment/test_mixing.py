"""Mixing: what sounds, and what the targets say of it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from audiocnn.augment import Mixup, Overlay


def batch(n: int = 6, n_samples: int = 4000) -> tuple[Tensor, Tensor]:
    """Noise of different levels, each with a label of its own."""
    generator = torch.Generator().manual_seed(0)
    levels = torch.logspace(-2, 0, n)[:, None]
    return levels * torch.randn(n, n_samples, generator=generator), torch.eye(n)


def test_mixup_by_hand() -> None:
    waveforms, targets = batch()
    torch.manual_seed(0)
    mixed, united = Mixup(alpha=1.0)(waveforms, targets)
    shares = united.diagonal()[:, None]
    assert torch.unique(shares).numel() == len(shares)
    torch.testing.assert_close(united, shares * targets + (1 - shares) * targets.roll(1, 0))
    torch.testing.assert_close(united.sum(1), torch.ones(6))
    torch.testing.assert_close(mixed, shares * waveforms + (1 - shares) * waveforms.roll(1, 0))


def test_mixup_of_what_has_no_label() -> None:
    """Its share is missing from the sum: that much is unknown."""
    torch.manual_seed(0)
    _, united = Mixup(alpha=1.0)(torch.zeros(2, 8), torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    assert 0 < united[0].sum() < 1
    assert 0 < united[1].sum() < 1


@pytest.mark.parametrize(("alpha", "variance"), [(0.2, 1 / 4 / 1.4), (1.0, 1 / 4 / 3), (8.0, 1 / 4 / 17)])
def test_shares_of_mixup(alpha: float, variance: float) -> None:
    torch.manual_seed(0)
    odd = torch.arange(4000)[:, None] % 2
    _, united = Mixup(alpha)(torch.zeros(4000, 1), odd.float())
    shares = torch.where(odd == 1, united, 1 - united)
    assert shares.mean().item() == pytest.approx(0.5, abs=0.02)
    assert shares.var().item() == pytest.approx(variance, rel=0.06)


def test_overlay_by_hand() -> None:
    waveforms, targets = batch()
    torch.manual_seed(0)
    mixed, united = Overlay(p=1.0, level_db=6.0)(waveforms, targets)
    assert torch.equal(united, torch.maximum(targets, targets.roll(1, 0)))
    for sound, own, other in zip(mixed, waveforms, waveforms.roll(1, 0), strict=True):
        both = torch.stack([own, other], dim=1)
        gains = torch.linalg.lstsq(both, sound[:, None]).solution[:, 0]
        torch.testing.assert_close(sound, both @ gains)
        levels = gains * both.square().mean(0).sqrt()
        assert -6 <= 20 * torch.log10(levels[1] / levels[0]).item() <= 6
        assert (sound.square().mean() / own.square().mean()).item() == pytest.approx(1, abs=0.1)


def test_how_often_and_how_loud_others_are_laid_over() -> None:
    torch.manual_seed(0)
    n = 3000
    impulses = torch.zeros(n, 2)
    impulses[torch.arange(n), torch.arange(n) % 2] = 1
    mixed, united = Overlay(p=0.4, level_db=10.0)(impulses, impulses)
    changed = united.sum(1) == 2
    assert changed.float().mean().item() == pytest.approx(0.4, abs=0.03)
    assert torch.equal(mixed[~changed], impulses[~changed])
    own, other = mixed[impulses == 1][changed], mixed[impulses == 0][changed]
    level_db = 20 * torch.log10(other / own)
    assert level_db.mean().item() == pytest.approx(0, abs=0.6)
    assert level_db.abs().max().item() == pytest.approx(10, abs=0.2)


def test_silence_stays_finite() -> None:
    sound = torch.cat([torch.zeros(1, 50), torch.ones(1, 50)])
    mixed, _ = Overlay(p=1.0)(sound, torch.eye(2))
    assert mixed.isfinite().all()
    assert not mixed[0].any()


@pytest.mark.parametrize("mix", [Mixup(), Overlay()])
def test_mixing_repeats_with_torchs_seed(mix: Callable) -> None:
    waveforms, targets = batch()
    kept = waveforms.clone()
    torch.manual_seed(5)
    first = mix(waveforms, targets)
    torch.manual_seed(5)
    assert all(map(torch.equal, first, mix(waveforms, targets)))
    assert not torch.equal(first[0], mix(waveforms, targets)[0])
    assert torch.equal(waveforms, kept)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"alpha is 0\.0, expected more than 0"):
        Mixup(0.0)
