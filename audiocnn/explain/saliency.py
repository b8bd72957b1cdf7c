"""Saliency maps: which times and frequencies of a spectrogram are evidence for and against a target.

Conventions: as network.py. Saliency maps are (batch, bins, frames), as large as the spectrogram: positive for
evidence for the target, negative for evidence against it. A target may also be an index for each spectrogram,
(batch,). The methods are captum's; here feature maps are aligned with the spectrogram, and captum's warnings
about its own hooks are suppressed.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from audiocnn.explain.network import Target, get_layer, truncate
from audiocnn.explain.receptive_fields import locate_centres, make_interpolation_matrix

BATCH_SIZE = 32  # occluded spectrograms in one pass through the network
DELETED_SHARE = 0.2  # share of a spectrogram that the deletion test silences


def class_activation(
    network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str = "backbone"
) -> Tensor:
    """Compute class activation maps: a layer's activations times the gradients of the score.

    Where global average pooling and a linear layer follow, the map sums to the score without its bias.

    Args:
        network: network from spectrograms to scores.
        spectrograms: (batch, channels, ..., frames).
        target: score to explain.
        layer: layer whose feature map is explained.

    Returns:
        Saliency maps, (batch, bins, frames).

    Source:
        Zhou et al., "Learning deep features for discriminative localization", 2016; for other heads Draelos
        and Carin, "Use HiResCAM instead of Grad-CAM", 2020.
    """
    from captum.attr import LayerGradientXActivation

    return _explain_layer(LayerGradientXActivation, network, spectrograms, target, layer)


def channel_contributions(
    network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str = "backbone"
) -> Tensor:
    """Compute what each channel of a layer adds to the score: `class_activation`, summed over positions.

    Args:
        network: network from spectrograms to scores.
        spectrograms: (batch, channels, ..., frames).
        target: score to explain.
        layer: layer whose channels are explained.

    Returns:
        Contributions, (batch, channels of the layer).
    """
    from captum.attr import LayerGradientXActivation

    return _attribute(LayerGradientXActivation, network, spectrograms, target, layer).flatten(2).sum(2)


def grad_cam(
    network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str = "backbone"
) -> Tensor:
    """Compute Grad-CAM: the sum of a layer's channels, weighted by their mean gradients, after a ReLU.

    Args:
        network: network from spectrograms to scores.
        spectrograms: (batch, channels, ..., frames).
        target: score to explain.
        layer: layer whose feature map is explained.

    Returns:
        Saliency maps, (batch, bins, frames).

    Source:
        Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization",
        2017, equations 1 and 2.
    """
    from captum.attr import LayerGradCam

    return _explain_layer(LayerGradCam, network, spectrograms, target, layer).clamp(min=0)


def _explain_layer(
    method: Callable[..., Any], network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str
) -> Tensor:
    attribution = _attribute(method, network, spectrograms, target, layer).sum(1, keepdim=True)
    return upsample(attribution, truncate(network, layer), spectrograms)


def _attribute(
    method: Callable[..., Any], network: nn.Module, spectrograms: Tensor, target: Target | Tensor, layer: str
) -> Tensor:
    """Compute captum's attribution for a layer's feature map, (batch, channels, ..., frames)."""
    with _ignore_warnings():
        return method(network, get_layer(network, layer)).attribute(spectrograms, target).detach()


def upsample(feature_map: Tensor, layer: nn.Module, spectrograms: Tensor) -> Tensor:
    """Interpolate a feature map linearly to the bins and frames of the spectrogram.

    Without rows (dims=1), all bins have the same values.

    Args:
        feature_map: one channel, (batch, 1, rows, frames) or (batch, 1, frames).
        layer: network up to the feature map, see `truncate`.
        spectrograms: (batch, channels, ..., frames).

    Returns:
        Values, (batch, bins, frames).

    Differs:
        Other implementations resize the feature map to the spectrogram, which shifts it by up to half a
        position. Here each position lies at the centre of its receptive field.
    """
    for axis, centres in enumerate(locate_centres(layer, feature_map, spectrograms), start=2):
        matrix = make_interpolation_matrix(centres, torch.arange(spectrograms.shape[axis]))
        feature_map = (feature_map.movedim(axis, -1) @ matrix.T.to(feature_map)).movedim(-1, axis)
    if feature_map.ndim == 4:
        return feature_map.squeeze(1)
    return feature_map.expand(-1, spectrograms.shape[1], -1)


def occlusion(
    network: nn.Module,
    spectrograms: Tensor,
    target: Target | Tensor,
    window: tuple[int, int] | None = None,
    silence: float = 0.0,
) -> Tensor:
    """Compute the drop of the score when a window of the spectrogram is silenced.

    Windows overlap by half; the value at a bin and frame is the mean of the windows that cover it.

    Args:
        network: network from spectrograms to scores.
        spectrograms: (batch, channels, ..., frames).
        target: score to explain.
        window: bins and frames of the window; by default 1/8 and 1/12 of the spectrogram's.
        silence: the value of silence in a spectrogram, 0 with most front ends.

    Returns:
        Saliency maps, (batch, bins, frames).

    Source:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 4.2.
    """
    from captum.attr import Occlusion

    n_bins, n_frames = spectrograms.shape[-2:]
    sizes = window or (max(n_bins // 8, 1), max(n_frames // 12, 1))
    channels = spectrograms.shape[1:-2]
    with _ignore_warnings(), torch.no_grad():
        attribution = Occlusion(network).attribute(
            spectrograms,
            (*channels, *sizes),
            strides=(*channels, *(-(-size // 2) for size in sizes)),
            baselines=silence,
            target=target,
            perturbations_per_eval=max(1, BATCH_SIZE // len(spectrograms)),
        )
    return _sum_channels(attribution)


def guided_backprop(network: nn.Module, spectrograms: Tensor, target: Target | Tensor) -> Tensor:
    """Compute guided backpropagation: the score's gradient, of which ReLUs pass positive values only.

    A ReLU passes positive gradients back where it was active. Only `nn.ReLU` and `nn.ReLU6` are changed;
    other activations pass their usual gradient.

    Args:
        network: network from spectrograms to scores.
        spectrograms: (batch, channels, ..., frames).
        target: score to explain.

    Returns:
        Saliency maps, (batch, bins, frames).

    Source:
        Springenberg et al., "Striving for simplicity: the all convolutional net", 2015, section 3.4.
    """
    from captum.attr import GuidedBackprop

    return _explain_input(GuidedBackprop, network, spectrograms, target)


def deconvolution(network: nn.Module, spectrograms: Tensor, target: Target | Tensor) -> Tensor:
    """Compute a deconvnet's map: ReLUs pass back positive gradients, max pooling to where its maxima were.

    Only modules `nn.ReLU` and `nn.ReLU6` are changed; other activations pass their usual gradient.

    Args:
        network: network from spectrograms to scores.
        spectrograms: (batch, channels, ..., frames).
        target: score to explain.

    Returns:
        Saliency maps, (batch, bins, frames).

    Source:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.
    """
    from captum.attr import Deconvolution

    return _explain_input(Deconvolution, network, spectrograms, target)


def _explain_input(
    method: Callable[..., Any], network: nn.Module, spectrograms: Tensor, target: Target | Tensor
) -> Tensor:
    with _ignore_warnings():
        return _sum_channels(method(_with_rectifiers(network)).attribute(spectrograms, target).detach())


class _ReLU6(nn.ReLU):
    """A rectifier with a ceiling, which captum takes for a rectifier."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).clamp(max=6)


def _with_rectifiers(network: nn.Module) -> nn.Module:
    """The network, or where it has any `nn.ReLU6` a copy with rectifiers that captum knows in their place."""
    if not any(isinstance(part, nn.ReLU6) for part in network.modules()):
        return network
    copied = copy.deepcopy(network)
    for part in [*copied.modules()]:
        for name, child in part.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(part, name, _ReLU6())
    return copied


def _sum_channels(attribution: Tensor) -> Tensor:
    """Shape: (batch, channels, bins, frames) or (batch, bins, frames) -> (batch, bins, frames)."""
    return attribution if attribution.ndim == 3 else attribution.sum(1)


def normalise(saliency_map: Tensor) -> Tensor:
    """Scale the positive part of saliency maps to a maximum of 1; negative values become 0.

    Args:
        saliency_map: (batch, bins, frames).

    Returns:
        Values from 0 to 1, (batch, bins, frames).
    """
    positive = saliency_map.clamp(min=0)
    return positive / positive.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)


def delete_salient(
    spectrograms: Tensor, saliency_map: Tensor, share: float = DELETED_SHARE, silence: float = 0.0
) -> Tensor:
    """Silence the most salient share of a spectrogram.

    Args:
        spectrograms: (batch, channels, bins, frames) or (batch, bins, frames).
        saliency_map: (batch, bins, frames).
        share: share of all bins and frames that is silenced.
        silence: the value of silence in a spectrogram.

    Returns:
        Spectrograms of the same shape.

    Source:
        Petsiuk, Das, Saenko, "RISE: randomized input sampling for explanation", 2018, section 3.1.
    """
    n_deleted = round(share * saliency_map[0].numel())
    highest = saliency_map.flatten(1).topk(n_deleted).indices
    kept = torch.ones_like(saliency_map).flatten(1).scatter_(1, highest, 0).view_as(saliency_map)
    kept = kept if spectrograms.ndim == 3 else kept.unsqueeze(1)
    return torch.where(kept.bool(), spectrograms, silence)


def run_deletion_test(
    network: nn.Module,
    spectrograms: Tensor,
    targets: Tensor,
    saliency_map: Tensor,
    share: float = DELETED_SHARE,
    silence: float = 0.0,
) -> Tensor:
    """Compute the drop of scores when the most salient share of a spectrogram is deleted.

    With a faithful map the score drops by more than with the same map, shifted. Deleting as many random bins
    is no baseline: it takes a spectrogram out of the training distribution, wherever they are.

    Args:
        network: network from spectrograms to scores, (batch, outputs).
        spectrograms: (batch, channels, bins, frames) or (batch, bins, frames).
        targets: output for each spectrogram, (batch,).
        saliency_map: (batch, bins, frames).
        share: share of all bins and frames that is deleted.
        silence: the value of silence in a spectrogram.

    Returns:
        The drop of each score, (batch,).

    Source:
        Petsiuk, Das, Saenko, "RISE: randomized input sampling for explanation", 2018, section 3.1.

    Differs:
        The paper deletes more and more and measures the area under the curve; here one share is deleted.
    """
    with torch.no_grad():
        before = network(spectrograms)
        after = network(delete_salient(spectrograms, saliency_map, share, silence))
    return (before - after).gather(1, targets[:, None]).squeeze(1)


@contextmanager
def _ignore_warnings() -> Iterator[None]:
    """Suppress captum's warnings about what it does by design: hooks, and gradients of inputs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting (forward, )?backward hooks")
        warnings.filterwarnings("ignore", message="Input Tensor . did not already require gradients")
        yield
