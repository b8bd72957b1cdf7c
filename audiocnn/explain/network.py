"""Networks to be explained: from spectrograms to scores, whole or up to one of their layers.

Conventions of the whole package: a network takes spectrograms, (batch, channels, bins, frames) for dims=2 or
(batch, bins, frames) for dims=1, in evaluation mode. A target selects the score that is explained: an index
for scores (batch, outputs), and one for each further axis where there are more, as (output, pitch, frame) for
notes or (channel, row, frame) for a feature map. A layer goes by its name in the network: `backbone`, whose
feature map is the input of the head, or any submodule, such as `backbone.stages.0`; `audiocnn models NAME
--detail` lists them. A position is the index of one value of a feature map along its axes after the channels.
"""

from __future__ import annotations

import copy
from collections import OrderedDict

import torch
from torch import Tensor, nn

from audiocnn.ranges import ArgumentError

Target = int | tuple[int, ...]


def strip_front_end(model: nn.Module) -> nn.Sequential:
    """Return a model without its front end, with the model's own layers.

    Args:
        model: a model with a backbone and a head.

    Returns:
        A network of `backbone`, from spectrograms to feature maps, and `head`, from feature maps to scores.
    """
    parts = OrderedDict(backbone=model.get_submodule("backbone"), head=model.get_submodule("head"))
    return nn.Sequential(parts).train(model.training)


def truncate(network: nn.Module, layer: str) -> TruncatedNetwork:
    """Return a network up to a layer, whose feature map is the output.

    Args:
        network: network from spectrograms to scores.
        layer: name of a layer.

    Raises:
        ArgumentError: the network has no such layer.
    """
    return TruncatedNetwork(network, layer)


class TruncatedNetwork(nn.Module):
    """A network up to a layer; the layers after it are not computed.

    Args:
        network: network from spectrograms to scores.
        layer: name of a layer.

    Shape:
        spectrograms -> (batch, channels, ..., frames).
    """

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network, self.layer = network, layer
        get_layer(network, layer)
        self.training = network.training

    def forward(self, spectrograms: Tensor) -> Tensor:
        feature_maps: list[Tensor] = []

        def stop(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            feature_maps.append(output)
            raise _Reached

        hook = get_layer(self.network, self.layer).register_forward_hook(stop)
        try:
            self.network(spectrograms)
        except _Reached:
            pass
        finally:
            hook.remove()
        return feature_maps[0]


class _Reached(Exception):
    """The layer is computed."""


def get_layer(network: nn.Module, layer: str) -> nn.Module:
    """Return the module of a layer.

    Args:
        network: network from spectrograms to scores.
        layer: name of a layer.

    Raises:
        ArgumentError: the network has none of this name.
    """
    names = dict(network.named_modules())
    if layer not in names or not layer:
        near = [name for name in names if name and name.count(".") < 3]
        raise ArgumentError(f"layer is {layer!r}, expected one of {', '.join(near)} or below them")
    return names[layer]


def find_first_convolution(network: nn.Module) -> nn.Conv1d | nn.Conv2d:
    """Return the convolution whose input is the spectrogram.

    Args:
        network: network from spectrograms to scores.

    Raises:
        ArgumentError: the network has no convolution.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d):
            return part
    raise ArgumentError("the network has no convolution, expected one")


def randomise_weights(network: nn.Module, seed: int = 0) -> nn.Module:
    """Return a copy of a network with randomised weights: each parameter tensor is shuffled.

    A saliency map that is the same for both networks does not depend on what was learned.

    Args:
        network: any network.
        seed: seed of the shuffling.

    Source:
        Adebayo et al., "Sanity checks for saliency maps", 2018, section 3.

    Differs:
        Weights are shuffled within each tensor, not drawn anew, so that the scale of activations stays
        plausible.
    """
    copied, generator = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in copied.parameters():
            order = torch.randperm(weights.numel(), generator=generator)
            weights.copy_(weights.flatten()[order].view_as(weights))
    return copied
