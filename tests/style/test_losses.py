"""Statistics and losses of style: worked values, scipy's, and what shares of positions mean."""

import numpy as np
import pytest
import scipy.linalg
import torch

from audiocnn.style.losses import (
    STATISTICS,
    compute_moments,
    content_loss,
    gram,
    mean_and_deviation,
    normalize_weights,
    total_variation,
)

MAPS = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])  # two channels at two positions


def random_maps(seed: int, channels: int = 4, shape: tuple[int, ...] = (6, 7)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    maps = torch.randn(1, channels, *shape, generator=generator, dtype=torch.float64)
    return torch.einsum("cd,bd...->bc...", mixed, maps) + seed


def test_gram_by_hand() -> None:
    assert gram(compute_moments(MAPS))[0].tolist() == [[[2.5, 5.5], [5.5, 12.5]]]


def test_moments_by_hand() -> None:
    mean, deviation = mean_and_deviation(compute_moments(MAPS))
    assert mean.tolist() == [[1.5, 3.5]]
    torch.testing.assert_close(deviation, torch.tensor([[0.5, 0.5]]))


def test_content_loss_by_hand() -> None:
    assert content_loss(MAPS + 1, MAPS).item() == pytest.approx(4 / 30)
    assert content_loss(MAPS, MAPS).item() == 0


def test_total_variation_by_hand() -> None:
    assert total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])).item() == (1 + 9) / 2 + (0 + 4) / 2
    assert total_variation(torch.ones(1, 3, 4, 4)).item() == 0
    assert total_variation(torch.tensor([[[[0.0, 2.0]]]])).item() == 4  # a single row has no neighbours


@pytest.mark.parametrize("shape", [(42,), (6, 7)])
def test_wasserstein_is_scipys(shape: tuple[int, ...]) -> None:
    of, distance = STATISTICS["wasserstein"]
    values, target = (random_maps(seed, shape=shape) for seed in (1, 2))
    flat = [maps[0].flatten(1).numpy() for maps in (values, target)]
    (m, c), (n, d) = ((one.mean(1), np.cov(one, bias=True)) for one in flat)
    root = scipy.linalg.sqrtm(d)
    expected = ((m - n) ** 2).sum() + np.trace(c + d - 2 * scipy.linalg.sqrtm(root @ c @ root).real)
    found = distance(of(compute_moments(values)), of(compute_moments(target))).item()
    assert found == pytest.approx(expected / ((n**2).sum() + np.trace(d)), rel=1e-4)


@pytest.mark.parametrize("name", STATISTICS)
def test_of_a_batch_the_mean(name: str) -> None:
    of, distance = STATISTICS[name]
    values, targets = ([random_maps(seed) for seed in seeds] for seeds in ((1, 2), (3, 5)))
    alone = [
        distance(of(compute_moments(one)), of(compute_moments(target)))
        for one, target in zip(values, targets, strict=True)
    ]
    together = distance(of(compute_moments(torch.cat(values))), of(compute_moments(torch.cat(targets))))
    torch.testing.assert_close(together, torch.stack(alone).mean())
    alone = [content_loss(one, target) for one, target in zip(values, targets, strict=True)]
    torch.testing.assert_close(content_loss(torch.cat(values), torch.cat(targets)), torch.stack(alone).mean())


@pytest.mark.parametrize("name", STATISTICS)
def test_nothing_is_nearer_than_the_same(name: str) -> None:
    of, distance = STATISTICS[name]
    target = of(compute_moments(random_maps(1)))
    # The Wasserstein distance is the difference of sums that are a million times larger.
    assert distance(target, target).item() == pytest.approx(0, abs=1e-5)
    assert distance(of(compute_moments(random_maps(2))), target).item() > 0.1


@pytest.mark.parametrize("name", STATISTICS)
def test_shares_of_one_half_are_that_half(name: str) -> None:
    of, _ = STATISTICS[name]
    maps = random_maps(3, shape=(6, 8))
    shares = torch.zeros(1, 1, 6, 8, dtype=torch.float64)
    shares[..., :4] = 0.5
    for masked, half in zip(
        of(compute_moments(maps, normalize_weights(shares))), of(compute_moments(maps[..., :4])), strict=True
    ):
        torch.testing.assert_close(masked, half)


def test_sums_of_the_parts_are_those_of_the_whole() -> None:
    maps = random_maps(4)
    parts = [compute_moments(maps[..., columns], 1 / 42) for columns in (slice(0, 3), slice(3, None))]
    for one, other, whole in zip(*parts, compute_moments(maps), strict=True):
        torch.testing.assert_close(one + other, whole)


@pytest.mark.parametrize("name", STATISTICS)
def test_gradients_are_those_of_differences(name: str) -> None:
    of, distance = STATISTICS[name]
    target = of(compute_moments(random_maps(1, shape=(12,))))
    maps = random_maps(2, shape=(12,)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: distance(of(compute_moments(x)), target), maps, atol=1e-4)
