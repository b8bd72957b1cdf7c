"""Filters without labels: against scikit-learn, planted clusters, and what a layer puts out with them."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn

from audiocnn.training import filters

N_PATCHES, N_WEIGHTS = 2000, 9


@pytest.fixture
def patches() -> Tensor:
    """Patches that vary unlike in each direction, around a mean that is not 0."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(N_WEIGHTS, N_WEIGHTS, generator=generator) * torch.linspace(0.2, 2, N_WEIGHTS)
    return torch.randn(N_PATCHES, N_WEIGHTS, generator=generator) @ mix.T + 3


def test_pca_is_scikit_learns(patches: Tensor) -> None:
    found = filters.pca(patches, 5)
    expected = PCA(5, svd_solver="full").fit(patches.numpy()).components_
    signs = np.sign((found.numpy() * expected).sum(1, keepdims=True))
    assert found.numpy() == pytest.approx(signs * expected, abs=1e-4)
    assert found @ found.T == pytest.approx(torch.eye(5), abs=1e-5)
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()


def test_there_are_no_more_components_than_weights(patches: Tensor) -> None:
    assert filters.pca(patches, 50).shape == (N_WEIGHTS, N_WEIGHTS)


def test_whitening_is_white_and_turns_nothing(patches: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "WHITENING_FLOOR", 0.0)
    mean, matrix = filters.fit_whitening(patches)
    assert torch.cov(((patches - mean) @ matrix).T) == pytest.approx(torch.eye(N_WEIGHTS), abs=1e-3)
    assert matrix == pytest.approx(matrix.T, abs=1e-5)
    assert (torch.linalg.eigvalsh(matrix) > 0).all()


def test_normalised_patches_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "CONTRAST_FLOOR", 0.0)
    patches = torch.tensor([[1.0, 2, 3, 2], [5, 5, 5, 5], [10, 30, 10, 30]])
    expected = [[-(2**0.5), 0, 2**0.5, 0], [0, 0, 0, 0], [-1, 1, -1, 1]]
    assert filters.normalise_contrast(patches) == pytest.approx(torch.tensor(expected), abs=1e-6)


def test_planted_clusters_come_back() -> None:
    """Six directions, with patches of any length near them."""
    generator = torch.Generator().manual_seed(0)
    planted = nn.functional.normalize(torch.randn(6, N_WEIGHTS, generator=generator), dim=1)
    lengths = 0.5 + torch.rand(600, 1, generator=generator)
    patches = planted.repeat(100, 1) * lengths + 0.02 * torch.randn(600, N_WEIGHTS, generator=generator)
    found = filters.find_centroids(patches, 6)
    closeness = found @ planted.T
    assert sorted(closeness.argmax(1).tolist()) == list(range(6))
    assert closeness.amax(1).min() > 0.999
    assert torch.equal(found, filters.find_centroids(patches, 6))


def test_kmeans_finds_the_strokes_that_patches_are_made_of() -> None:
    """Patches of 3 x 3 with one stroke, of six kinds: a filter of its own answers most to each."""
    strokes = torch.zeros(6, 3, 3)
    for i in range(3):
        strokes[i, i], strokes[3 + i, :, i] = 1, 1
    strokes = strokes.flatten(1)
    generator = torch.Generator().manual_seed(0)
    heights = 0.5 + torch.rand(1200, 1, generator=generator)
    patches = strokes.repeat(200, 1) * heights + 0.01 * torch.randn(1200, N_WEIGHTS, generator=generator)
    found = filters.kmeans(patches, 6)
    assert sorted((strokes @ found.T).argmax(1).tolist()) == list(range(6))


def test_kmeans_of_few_patches_finds_fewer(patches: Tensor) -> None:
    assert filters.kmeans(patches[:8], 10).shape == (4, N_WEIGHTS)


@pytest.mark.parametrize("method", filters.METHODS)
@pytest.mark.parametrize("dims", [1, 2])
def test_outputs_of_each_layer_have_mean_0_and_deviation_1(method: str, dims: int) -> None:
    torch.manual_seed(0)
    kind = {1: nn.Conv1d, 2: nn.Conv2d}[dims]
    network = nn.Sequential(kind(2, 6, 3, padding=1), nn.ReLU(), kind(6, 4, 3, stride=2, groups=2), nn.ReLU())
    images = 5 + torch.randn(200, 2, *(12,) * dims).cumsum(-1)
    filters.learn_filters(network, images, method, n_patches=100_000)
    assert network.training
    x = images
    for layer in network:
        x = layer(x)
        if isinstance(layer, kind):
            outputs = x.detach().movedim(1, 0).flatten(1)
            assert outputs.mean(1) == pytest.approx(torch.zeros(len(outputs)), abs=1e-3)
            assert outputs.std(1) == pytest.approx(torch.ones(len(outputs)), abs=1e-3)


def test_pca_whitens_a_layer() -> None:
    """The first outputs are not only of unit deviation, but uncorrelated."""
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 9, 3)
    filters.learn_filters(layer, torch.randn(50, 1, 10, 10).cumsum(-1), "pca", n_patches=100_000)
    with torch.no_grad():
        torch.manual_seed(0)
        nn.Conv2d(1, 9, 3)  # draws what the layer above drew, so that the images are the same
        outputs = layer(torch.randn(50, 1, 10, 10).cumsum(-1)).movedim(1, 0).flatten(1)
    assert torch.cov(outputs) == pytest.approx(torch.eye(9), abs=5e-3)


def test_more_filters_than_are_found() -> None:
    """Nine components, their negatives, then the layer's own directions."""
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 20, 3, bias=False)
    own = layer.weight.detach().clone()
    filters.learn_filters(layer, torch.randn(50, 1, 10, 10), "pca")
    learned = layer.weight.detach()
    assert learned[9:18] == pytest.approx(-learned[:9], abs=1e-6)
    closeness = nn.functional.cosine_similarity(learned[18:].flatten(1), own[18:].flatten(1))
    assert closeness == pytest.approx(torch.ones(2), abs=1e-5)


def test_the_seed_decides() -> None:
    def learned(seed: int) -> Tensor:
        torch.manual_seed(0)
        layer = nn.Conv2d(1, 6, 3)
        filters.learn_filters(layer, torch.randn(50, 1, 10, 10), "kmeans", n_patches=500, seed=seed)
        return layer.weight

    assert torch.equal(learned(0), learned(0))
    assert not torch.equal(learned(0), learned(1))


def test_wrong_arguments(patches: Tensor) -> None:
    with pytest.raises(ValueError, match="method is 'ica', expected one of pca, kmeans"):
        filters.learn_filters(nn.Conv2d(1, 1, 3), torch.zeros(1, 1, 4, 4), "ica")
    with pytest.raises(ValueError, match="n_filters is 0, expected at least 1"):
        filters.pca(patches, 0)
    with pytest.raises(ValueError, match=r"patches are \(1, 9\), expected \(at least 2, weights\)"):
        filters.kmeans(patches[:1], 2)
