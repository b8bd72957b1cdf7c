"""Where in time and frequency a network looked: maps of what speaks for a target, as large as the spectrogram.

Conventions: as network.py. Maps are (batch, bins, frames), above 0 where a cell speaks for the target, below
where against it. A target may also be a number for each spectrogram, (batch,). What captum has is captum's; here
are the axes, and silence where it warns of what it does by design.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from audiocnn.explain.fields import centres, interpolation
from audiocnn.explain.network import Target, layer_of, upto

BATCH = 32  # spectrograms in one run of the network


def class_activation(
    network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str = "backbone"
) -> Tensor:
    """What each cell of a layer's map adds to the score: its activation times the score's gradient there.

    Where global pooling and a linear layer follow, the cells of the map sum up to the score less its bias.
    Source: Zhou et al., "Learning deep features for discriminative localization", 2016; for other heads
    Draelos and Carin, "Use HiResCAM instead of Grad-CAM", 2020.
    """
    from captum.attr import LayerGradientXActivation

    return _of_layer(LayerGradientXActivation, network, spectrograms, target, layer)


def channel_shares(
    network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str = "backbone"
) -> Tensor:
    """What each channel of a layer adds to the score: `class_activation`, summed over cells instead.

    Shape: -> (batch, channels of the map).
    """
    from captum.attr import LayerGradientXActivation

    return _added(LayerGradientXActivation, network, spectrograms, target, layer).flatten(2).sum(2)


def grad_cam(
    network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str = "backbone"
) -> Tensor:
    """A layer's channels, each as much as the score's mean gradient in it, where their sum is above 0.

    Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
    localization", 2017, equations 1 and 2.
    """
    from captum.attr import LayerGradCam

    return _of_layer(LayerGradCam, network, spectrograms, target, layer).clamp(min=0)


def _of_layer(
    method: Callable[..., Any], network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str
) -> Tensor:
    cells = _added(method, network, spectrograms, target, layer).sum(1, keepdim=True)
    return enlarged(cells, upto(network, layer), spectrograms)


def _added(
    method: Callable[..., Any], network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str
) -> Tensor:
    """What captum finds for the cells of a layer's map."""
    with _quiet():
        return method(network, layer_of(network, layer)).attribute(spectrograms, target).detach()


def enlarged(cells: Tensor, layer: nn.Module, spectrograms: Tensor) -> Tensor:
    """The cells of a layer's map where they lie in the spectrogram, and linearly between them.

    Where others stretch the map from edge to edge, which moves it by up to half a cell. Without rows (dims=1)
    all bins have the same.
    Shape: (batch, 1, rows, frames) or (batch, 1, frames) -> (batch, bins, frames).
    """
    for axis, known in enumerate(centres(layer, cells, spectrograms), start=2):
        matrix = interpolation(known, torch.arange(spectrograms.shape[axis]))
        cells = (cells.movedim(axis, -1) @ matrix.T.to(cells)).movedim(-1, axis)
    return cells.squeeze(1) if cells.ndim == 4 else cells.expand(-1, spectrograms.shape[1], -1)


def occlusion(
    network: nn.Module,
    spectrograms: Tensor,
    target: Target | Tensor,
    window: tuple[int, int] | None = None,
    quiet: float = 0.0,
) -> Tensor:
    """By how much the score falls when a window of the spectrogram is silent: the mean of the windows on a cell.

    Windows are half their size apart.
    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 4.2.

    Args:
        window: bins and frames; by default an eighth and a twelfth of the spectrogram's.
        quiet: what silence looks like: 0 with most front ends.
    """
    from captum.attr import Occlusion

    n_bins, n_frames = spectrograms.shape[-2:]
    sizes = window or (max(n_bins // 8, 1), max(n_frames // 12, 1))
    before = spectrograms.shape[1:-2]
    with _quiet(), torch.no_grad():
        found = Occlusion(network).attribute(
            spectrograms,
            (*before, *sizes),
            strides=(*before, *(-(-size // 2) for size in sizes)),
            baselines=quiet,
            target=target,
            perturbations_per_eval=max(1, BATCH // len(spectrograms)),
        )
    return _plain(found)


def guided_backprop(network: nn.Module, spectrograms: Tensor, target: Target | Tensor) -> Tensor:
    """The score's gradient, of which each rectifier passes back what is above 0 and where it was active.

    Rectifiers are modules `ReLU`; past other activations goes the plain gradient, as in `deconvolution`.
    Source: Springenberg et al., "Striving for simplicity: the all convolutional net", 2015, section 3.4.
    """
    from captum.attr import GuidedBackprop

    return _backwards(GuidedBackprop, network, spectrograms, target)


def deconvolution(network: nn.Module, spectrograms: Tensor, target: Target | Tensor) -> Tensor:
    """The score carried back by a deconvnet: each rectifier passes what is above 0, poolings to their maxima.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.
    """
    from captum.attr import Deconvolution

    return _backwards(Deconvolution, network, spectrograms, target)


def _backwards(
    method: Callable[..., Any], network: nn.Module, spectrograms: Tensor, target: Target | Tensor
) -> Tensor:
    with _quiet():
        found = method(network).attribute(spectrograms, target).detach()
    return _plain(found)


def _plain(found: Tensor) -> Tensor:
    """(batch, channels, bins, frames) or (batch, bins, frames) -> (batch, bins, frames)."""
    return found if found.ndim == 3 else found.sum(1)


def share(map: Tensor) -> Tensor:
    """A map from 0, where nothing speaks for the target, to 1, where most does.

    Shape: (batch, bins, frames) -> the same.
    """
    above = map.clamp(min=0)
    return above / above.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)


def deleted(spectrograms: Tensor, map: Tensor, part: float = 0.2, quiet: float = 0.0) -> Tensor:
    """The spectrograms without the part of their cells where a map is highest.

    Source: Petsiuk, Das, Saenko, "RISE: randomized input sampling for explanation", 2018, section 3.1.
    """
    n_cells = round(part * map[0].numel())
    highest = map.flatten(1).topk(n_cells).indices
    kept = torch.ones_like(map).flatten(1).scatter_(1, highest, 0).view_as(map)
    kept = kept if spectrograms.ndim == 3 else kept.unsqueeze(1)
    return torch.where(kept.bool(), spectrograms, quiet)


def fall(
    network: nn.Module,
    spectrograms: Tensor,
    targets: Tensor,
    map: Tensor,
    part: float = 0.2,
    quiet: float = 0.0,
) -> Tensor:
    """By how much the scores (batch, outputs) of targets fall without the part where a map is highest.

    What a map marks should matter more than as large a part elsewhere: the same map, moved. Many single cells
    are no measure: without them a spectrogram is like none that a network has seen, wherever they are.
    Shape: spectrograms, (batch,) and (batch, bins, frames) -> (batch,).
    """
    with torch.no_grad():
        before, after = network(spectrograms), network(deleted(spectrograms, map, part, quiet))
    return (before - after).gather(1, targets[:, None]).squeeze(1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without captum's warnings of what it does by design: hooks, and gradients of inputs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting (forward, )?backward hooks")
        warnings.filterwarnings("ignore", message="Input Tensor . did not already require gradients")
        yield
