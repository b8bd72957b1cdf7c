"""Filters learned without labels: patches of a convolution's input -> its weights.

Conventions: patches are (patches, weights), a value for each weight of a filter; filters are (filters,
weights).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose
from audiocnn.blocks.im2col import im2col
from audiocnn.ranges import ArgumentError

FindFilters = Callable[[Tensor, int, int], Tensor]  # patches, n_filters, seed -> filters
# Share of the mean variance that whitening adds to each variance, so that it does not amplify directions of
# mere rounding errors. The paper's 0.1 after contrast normalisation, where a value's variance is about 1.
WHITENING_FLOOR = 0.1
# Share of the mean variance of patches that contrast normalisation adds to each. The paper's 10, for grey
# levels up to 255 with a deviation of about 30.
CONTRAST_FLOOR = 0.01
FLAT_SHARE = 0.1  # of the mean norm: patches with a smaller one have no direction, and are left out


def pca(
    patches: Float[Tensor, "patches weights"], n_filters: int, seed: int = 0
) -> Float[Tensor, "filters weights"]:
    """Find the principal components of patches, orthonormal, that of the greatest variance first.

    Args:
        patches: at least 2.
        n_filters: wanted; there are no more components than weights.
        seed: unused: the components are unique up to their sign, which makes the largest weight positive.

    Raises:
        ArgumentError: there are fewer than 2 patches, or n_filters is below 1.
    """
    _check(patches, n_filters)
    _, vectors = torch.linalg.eigh(torch.cov(patches.double().T).view(patches.shape[1], -1))
    filters = vectors.T.flip(0)[:n_filters]
    largest = filters.gather(1, filters.abs().argmax(1, keepdim=True))
    return (filters * largest.sign()).to(patches.dtype)


def kmeans(
    patches: Float[Tensor, "patches weights"], n_filters: int, seed: int = 0
) -> Float[Tensor, "filters weights"]:
    """Find centroids of normalised and whitened patches, as filters of the patches themselves.

    Args:
        patches: at least 2.
        n_filters: wanted; there are at most half as many as patches.
        seed: random seed of k-means.

    Raises:
        ArgumentError: there are fewer than 2 patches, or n_filters is below 1.

    Source:
        Coates and Ng, "Learning feature representations with k-means", 2012.

    Differs:
        scikit-learn's k-means over patches of unit length instead of spherical k-means, and floors relative
        to the data's variance.
    """
    _check(patches, n_filters)
    varied = normalise_contrast(patches)
    varied = varied[varied.norm(dim=1) > FLAT_SHARE * varied.norm(dim=1).mean()]
    mean, matrix = fit_whitening(varied)
    return find_centroids((varied - mean) @ matrix, min(n_filters, len(varied) // 2), seed) @ matrix


def normalise_contrast(patches: Float[Tensor, "patches weights"]) -> Float[Tensor, "patches weights"]:
    """Subtract the mean of each patch, and divide by its standard deviation.

    Args:
        patches: at least 1.
    """
    centred = patches - patches.mean(1, keepdim=True)
    variance = centred.square().mean(1, keepdim=True)
    return centred / (variance + CONTRAST_FLOOR * variance.mean()).sqrt().clamp_min(1e-12)


def fit_whitening(
    patches: Float[Tensor, "patches weights"],
) -> tuple[Float[Tensor, " weights"], Float[Tensor, "weights weights"]]:
    """Fit the whitening of patches that rotates nothing (ZCA).

    Args:
        patches: at least 2.

    Returns:
        The mean and a symmetric matrix, for (patches - mean) @ matrix.
    """
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T).view(len(mean), -1))
    floor = WHITENING_FLOOR * values.mean().clamp_min(1e-12)
    return mean, vectors @ torch.diag((values.clamp_min(0) + floor).rsqrt()) @ vectors.T


def find_centroids(
    patches: Float[Tensor, "patches weights"], n: int, seed: int = 0
) -> Float[Tensor, "n weights"]:
    """Find the directions around which patches cluster, of unit length.

    Args:
        patches: at least n.
        n: centroids.
        seed: random seed of k-means.
    """
    from sklearn.cluster import KMeans  # 1 s

    directions = nn.functional.normalize(patches, dim=1)
    kmeans = KMeans(n, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType], its stub has "auto"
    found = kmeans.fit(directions.numpy()).cluster_centers_
    return nn.functional.normalize(torch.from_numpy(np.asarray(found, np.float32)), dim=1)


METHODS: dict[str, FindFilters] = {"pca": pca, "kmeans": kmeans}


def learn_filters(
    network: nn.Module, images: Tensor, method: str, n_patches: int = 10_000, seed: int = 0
) -> None:
    """Replace the weights of every convolution by filters found in its input, layer by layer, in one pass.

    Where a layer has more filters than are found, the next are the negatives of those, which ReLUs let
    through where they block the others; any more keep their own weights. All are scaled so that their outputs
    have a deviation of 1, and biases move their means to 0; with `pca` that whitens. Groups have filters of
    their own.

    Args:
        network: changed in place.
        images: a batch of its inputs.
        method: pca or kmeans.
        n_patches: drawn of each layer's input, at most.
        seed: random seed of the patches and of k-means.

    Raises:
        ArgumentError: there is no such method.

    Source:
        Krähenbühl et al., "Data-dependent initializations of convolutional neural networks", 2016.

    Differs:
        No rescaling of all layers to learn equally fast.
    """
    find = choose(METHODS, method, "method")
    generator = torch.Generator().manual_seed(seed)
    done: set[nn.Module] = set()

    def set_filters(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Conv1d | nn.Conv2d)
        if layer not in done:  # a layer that is used twice learns from the first use
            done.add(layer)
            for group in range(layer.groups):
                given = inputs[0].chunk(layer.groups, dim=1)[group]
                patches = draw_patches(layer, given, n_patches, generator)
                _set_group(layer, group, patches, find, seed)

    training = network.training
    layers = [part for part in network.modules() if isinstance(part, nn.Conv1d | nn.Conv2d)]
    hooks = [layer.register_forward_pre_hook(set_filters) for layer in layers]
    try:
        with torch.no_grad():
            network.eval()(images)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()


def draw_patches(
    layer: nn.Conv1d | nn.Conv2d, inputs: Tensor, n_patches: int, generator: torch.Generator
) -> Tensor:
    """Draw patches of a convolution's input, each what the kernel covers at a random position.

    Args:
        layer: whose kernel, stride, padding and dilation cut the patches.
        inputs: of the layer, (batch, channels, ..., frames).
        n_patches: drawn; all where there are fewer.
        generator: random number generator.

    Returns:
        Patches, (at most n_patches, channels * kernel size).
    """
    sides = getattr(layer, "sides", layer.padding)
    columns = im2col(inputs, layer.kernel_size, stride=layer.stride, padding=sides, dilation=layer.dilation)
    patches = columns.flatten(2).movedim(1, 2).flatten(0, 1)
    return patches[torch.randperm(len(patches), generator=generator)[:n_patches]]


def _set_group(
    layer: nn.Conv1d | nn.Conv2d, group: int, patches: Tensor, find: FindFilters, seed: int
) -> None:
    weight = layer.weight.chunk(layer.groups)[group]
    found = find(patches, len(weight), seed)
    found = torch.cat([found, -found])[: len(weight)]
    filters = torch.cat([found, weight.flatten(1)[len(found) :]])
    outputs = patches @ filters.T
    filters /= outputs.std(0).clamp_min(1e-6)[:, None]
    weight.copy_(filters.view_as(weight))
    if layer.bias is not None:
        layer.bias.chunk(layer.groups)[group].copy_(-filters @ patches.mean(0))


def _check(patches: Tensor, n_filters: int) -> None:
    if patches.ndim != 2 or len(patches) < 2:
        raise ArgumentError(f"patches are {tuple(patches.shape)}, expected (at least 2, weights)")
    if n_filters < 1:
        raise ArgumentError(f"n_filters is {n_filters}, expected at least 1")
