"""Filters learned without labels: what convolutions are given, cut to patches -> their weights.

Conventions: patches are (patches, cells), a cell for each weight of a filter; filters are (filters, cells).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from audiocnn.blocks.arguments import choose
from audiocnn.blocks.conv import im2col

Find = Callable[[Tensor, int, int], Tensor]
# Of the mean variance: what whitening adds to each, or it would blow up directions that hold hardly more than
# rounding. The paper's 0.1 after contrast normalisation, where the variance of a cell is about 1.
WHITENING_FLOOR = 0.1
# Of the mean variance of patches: what contrast normalisation adds to each. The paper's 10, for grey levels
# up to 255 that vary by about 30.
CONTRAST_FLOOR = 0.01


def pca(patches: Tensor, n_filters: int, seed: int = 0) -> Tensor:
    """The directions in which patches vary most, the furthest first, orthonormal; as many as there are cells.

    The largest cell of each is positive. The seed changes nothing.
    Shape: (patches, cells) -> (at most n_filters, cells).
    """
    _check(patches, n_filters)
    _, vectors = torch.linalg.eigh(torch.cov(patches.double().T).view(patches.shape[1], -1))
    filters = vectors.T.flip(0)[:n_filters]
    largest = filters.gather(1, filters.abs().argmax(1, keepdim=True))
    return (filters * largest.sign()).to(patches.dtype)


def kmeans(patches: Tensor, n_filters: int, seed: int = 0) -> Tensor:
    """Centroids of normalised and whitened patches, as filters of patches as they are.

    Shape: (patches, cells) -> (at most n_filters, cells): there are no more than half as many as patches.
    Source: Coates and Ng, "Learning feature representations with k-means", 2012. Differs: scikit-learn's
    k-means over patches of unit length instead of spherical k-means, and floors that go with the data.
    """
    _check(patches, n_filters)
    varied = normalised(patches)
    varied = varied[varied.norm(dim=1) > 0.1 * varied.norm(dim=1).mean()]  # what is even has no direction
    mean, matrix = whitening(varied)
    return centroids((varied - mean) @ matrix, min(n_filters, len(varied) // 2), seed) @ matrix


def normalised(patches: Tensor) -> Tensor:
    """Each patch less its mean, over its deviation."""
    centred = patches - patches.mean(1, keepdim=True)
    variance = centred.square().mean(1, keepdim=True)
    return centred / (variance + CONTRAST_FLOOR * variance.mean()).sqrt().clamp_min(1e-12)


def whitening(patches: Tensor) -> tuple[Tensor, Tensor]:
    """What makes patches white and otherwise leaves them as they are (ZCA): their mean, and a matrix.

    Shape: (patches, cells) -> (cells,) and (cells, cells), for (patches - mean) @ matrix.
    """
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T).view(len(mean), -1))
    floor = WHITENING_FLOOR * values.mean().clamp_min(1e-12)
    return mean, vectors @ torch.diag((values.clamp_min(0) + floor).rsqrt()) @ vectors.T


def centroids(patches: Tensor, n: int, seed: int = 0) -> Tensor:
    """The directions around which patches gather, of unit length.

    Shape: (patches, cells) -> (n, cells).
    """
    from sklearn.cluster import KMeans  # 1 s

    directions = nn.functional.normalize(patches, dim=1)
    kmeans = KMeans(n, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType], its stub has "auto"
    found = kmeans.fit(directions.numpy()).cluster_centers_
    return nn.functional.normalize(torch.from_numpy(np.asarray(found, np.float32)), dim=1)


METHODS: dict[str, Find] = {"pca": pca, "kmeans": kmeans}


def learn_filters(
    network: nn.Module, images: Tensor, method: str, n_patches: int = 10_000, seed: int = 0
) -> None:
    """Gives every convolution filters found in what it is given by those before it, on these images.

    Where a layer has more filters than are found, the next are the negatives of those, which rectifiers let
    through where they stop the others; any more keep their own weights. All are scaled so that their outputs
    have a deviation of 1, and biases move their means to 0; with `pca` that whitens. Groups have filters of
    their own. One pass in evaluation mode.
    Raises: ValueError when there is no such method.
    Source: Krähenbühl et al., "Data-dependent initializations of convolutional neural networks", 2016.
    Differs: no rescaling of all layers to learn equally fast.

    Args:
        method: pca or kmeans.
        n_patches: at most, of each layer.
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
    layer: nn.Conv1d | nn.Conv2d, given: Tensor, n_patches: int, generator: torch.Generator
) -> Tensor:
    """What a convolution's kernel sees at random places of its input; all places where these are fewer.

    Shape: (batch, channels, ..., frames) -> (at most n_patches, channels * cells of the kernel).
    """
    sides = getattr(layer, "sides", layer.padding)
    columns = im2col(given, layer.kernel_size, stride=layer.stride, padding=sides, dilation=layer.dilation)
    patches = columns.flatten(2).movedim(1, 2).flatten(0, 1)
    return patches[torch.randperm(len(patches), generator=generator)[:n_patches]]


def _set_group(layer: nn.Conv1d | nn.Conv2d, group: int, patches: Tensor, find: Find, seed: int) -> None:
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
        raise ValueError(f"patches are {tuple(patches.shape)}, expected (at least 2, cells)")
    if n_filters < 1:
        raise ValueError(f"n_filters is {n_filters}, expected at least 1")
