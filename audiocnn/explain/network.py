"""What is explained: a network from spectrograms to scores, and each of its layers as a network of its own.

Conventions of all that explains: a network takes spectrograms, (batch, channels, bins, frames) for dims=2 or
(batch, bins, frames) for dims=1, in evaluation mode. A target says which of its scores is explained: a number
for scores (batch, outputs), and one for each further axis where there are more, as (output, pitch, frame) of
notes or (channel, row, frame) of a map. A layer goes by its name in the network: `backbone`, whose map the
head is given, or any below it, such as `backbone.stages.0`; `audiocnn models NAME --detail` tells them.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

Target = int | tuple[int, ...]


def network_of(model: nn.Module) -> nn.Sequential:
    """A model without its front end: `backbone`, from spectrograms to maps, and `head`, from maps to scores.

    The layers are the model's own.
    """
    parts = OrderedDict(backbone=model.get_submodule("backbone"), head=model.get_submodule("head"))
    return nn.Sequential(parts).train(model.training)


def upto(network: nn.Module, layer: str) -> Upto:
    """The network as far as a layer: its scores are the layer's map.

    Raises: ValueError when the network has no such layer.
    """
    return Upto(network, layer)


class Upto(nn.Module):
    """What `upto` gives.

    Shape: spectrograms -> (batch, channels, ..., frames).
    """

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network, self.layer = network, layer
        layer_of(network, layer)
        self.training = network.training

    def forward(self, spectrograms: Tensor) -> Tensor:
        maps: list[Tensor] = []

        def stop(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            maps.append(output)
            raise _Reached

        hook = layer_of(self.network, self.layer).register_forward_hook(stop)
        try:
            self.network(spectrograms)
        except _Reached:
            pass
        finally:
            hook.remove()
        return maps[0]


class _Reached(Exception):
    """What follows is not needed."""


def layer_of(network: nn.Module, layer: str) -> nn.Module:
    """The module of a layer. Raises: ValueError when the network has none of this name."""
    names = dict(network.named_modules())
    if layer not in names or not layer:
        near = [name for name in names if name and name.count(".") < 3]
        raise ValueError(f"layer is {layer!r}, expected one of {', '.join(near)} or below them")
    return names[layer]


def first_convolution(network: nn.Module) -> nn.Conv1d | nn.Conv2d:
    """The layer that sees the spectrogram itself. Raises: ValueError when there is no convolution."""
    for part in network.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d):
            return part
    raise ValueError("the network has no convolution, expected one")


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """A copy whose weights are another draw from each layer's own values: it has learned nothing.

    Each tensor of weights is shuffled, so that all levels stay plausible.
    Source: Adebayo et al., "Sanity checks for saliency maps", 2018, section 3. Differs: shuffled, not drawn
    anew.
    """
    import copy

    made, generator = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in made.parameters():
            order = torch.randperm(weights.numel(), generator=generator)
            weights.copy_(weights.flatten()[order].view_as(weights))
    return made
