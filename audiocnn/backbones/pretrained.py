"""Weights of torchvision's ImageNet models in our networks of the same shape.

Conventions: a state dict is {name: tensor} as `state_dict` gives it. The models saw RGB from 0 to 1, less its
mean (0.485, 0.456, 0.406) and over its deviation (0.229, 0.224, 0.225); GoogLeNet saw RGB from -1 to 1.
Source: torchvision's documentation of its models, whose weights are under the BSD licence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from audiocnn.backbones import create_backbone
from audiocnn.backbones.base import Backbone
from audiocnn.blocks.arguments import choose

SITE = "https://download.pytorch.org/models/"
# The name of a network: its file, which ends in the first digits of its SHA-256.
FILES = {
    "alexnet": "alexnet-owt-7be5be79.pth",
    "vgg11": "vgg11-8a719046.pth",
    "vgg13": "vgg13-19584684.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
    "vgg11_bn": "vgg11_bn-6002323d.pth",
    "vgg13_bn": "vgg13_bn-abd245e5.pth",
    "vgg16_bn": "vgg16_bn-6c64b313.pth",
    "vgg19_bn": "vgg19_bn-c79401a0.pth",
    "googlenet": "googlenet-1378be20.pth",
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "resnet152": "resnet152-394f9c45.pth",
    "densenet121": "densenet121-a639ec97.pth",
    "densenet169": "densenet169-b2777c0a.pth",
    "densenet201": "densenet201-c1103571.pth",
    "mobilenet_v2": "mobilenet_v2-b0353104.pth",
    "mnasnet1_0": "mnasnet1.0_top1_73.512-f206786ef8.pth",
    "efficientnet_b0": "efficientnet_b0_rwightman-7f5810bc.pth",
    "efficientnet_b1": "efficientnet_b1_rwightman-bac287d4.pth",
    "efficientnet_b2": "efficientnet_b2_rwightman-c35c1473.pth",
    "efficientnet_b3": "efficientnet_b3_rwightman-b3899882.pth",
    "efficientnet_b4": "efficientnet_b4_rwightman-23ab8bcd.pth",
    "efficientnet_b5": "efficientnet_b5_lukemelas-1a07897c.pth",
    "efficientnet_b6": "efficientnet_b6_lukemelas-24a108a5.pth",
    "efficientnet_b7": "efficientnet_b7_lukemelas-c5b4e57e.pth",
}
# What differs from a network's defaults in the one whose weights they are.
ARGUMENTS: dict[str, dict[str, Any]] = {"alexnet": {"padding": "published"}}

N_CLASSES = 1000  # of ImageNet
RGB = 3
HEADS = ("fc", "classifier")  # what torchvision calls them
AUXILIARY = ("aux1", "aux2")  # GoogLeNet's heads for training
# A count that only training reads, and that files older than it lack.
COUNT = "num_batches_tracked"

Layers = list[tuple[str, dict[str, Tensor]]]


def load_torchvision(
    backbone: Backbone, state_dict: Mapping[str, Tensor], classifier: nn.Module | None = None
) -> None:
    """Copies the weights and running means of a torchvision model into ours of the same shape.

    Layer by layer in their order, as their names differ; within a layer by name. Where the backbone has not 3
    input channels, each has the sum of the first convolution's weights over RGB, divided by their number: a
    grey image in all of them has the maps that it has as RGB.
    Raises: ValueError when a layer or a tensor's shape differs, with its name and both: nothing is copied.

    Args:
        classifier: with the weights of the model's last layers; these are left out when None.
    """
    ours = _layers(backbone.state_dict())
    if classifier is not None:
        ours += _layers(classifier.state_dict())
    theirs = _layers({name: t for name, t in state_dict.items() if not name.startswith(AUXILIARY)})
    if classifier is None:
        theirs = [(name, tensors) for name, tensors in theirs if name.split(".")[0] not in HEADS]
    if len(ours) != len(theirs):
        last = theirs[-1][0] if theirs else "none"
        raise ValueError(f"the state dict has {len(theirs)} layers to '{last}', expected {len(ours)}")
    pairs = []
    for i, ((_, mine), (name, others)) in enumerate(zip(ours, theirs, strict=True)):
        if mine.keys() != others.keys():
            raise ValueError(f"{name} has {', '.join(others)}, expected {', '.join(mine)}")
        for leaf, target in mine.items():
            source = others[leaf]
            if i == 0 and leaf == "weight" and source.shape[1:2] == (RGB,):
                source = _for_channels(source, backbone.in_channels)
            if source.shape != target.shape:
                raise ValueError(
                    f"{name}.{leaf} has the shape {tuple(source.shape)}, expected {tuple(target.shape)}"
                )
            pairs.append((target, source))
    with torch.no_grad():
        for target, source in pairs:
            target.copy_(source)


def _layers(state_dict: Mapping[str, Tensor]) -> Layers:
    """The tensors by their layer, in order; within a layer old files have another order than new ones."""
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state_dict.items():
        layer, _, leaf = name.rpartition(".")
        if leaf != COUNT:
            layers.setdefault(layer, {})[leaf] = tensor
    return list(layers.items())


def _for_channels(weight: Tensor, in_channels: int) -> Tensor:
    """Shape: (out_channels, 3, *kernel_size) -> (out_channels, in_channels, *kernel_size)."""
    if in_channels == RGB:
        return weight
    total = weight.sum(dim=1, keepdim=True) / in_channels
    return total.expand(-1, in_channels, *weight.shape[2:])


def pretrained(name: str, *, progress: bool = True, **arguments: Any) -> tuple[Backbone, nn.Module]:
    """A network with torchvision's ImageNet weights, and its classifier of 1000 classes.

    The file is fetched once, into torch.hub's folder, its checksum is compared, and nothing in it is run.
    Raises: ValueError when there are no weights for this name, or arguments change a shape; ConnectionError
    when the file is neither there nor to be had.

    Args:
        progress: show how much has been fetched.
        arguments: as of `create_backbone`: in_channels, norm and the like.
    """
    address = SITE + choose(FILES, name, "name")
    backbone = create_backbone(name, **{**ARGUMENTS.get(name, {}), **arguments})
    classifier = backbone.classifier(N_CLASSES)
    try:
        state_dict = torch.hub.load_state_dict_from_url(
            address, map_location="cpu", progress=progress, check_hash=True, weights_only=True
        )
    except (URLError, TimeoutError, ConnectionError) as error:
        raise ConnectionError(
            f"{name}: no connection to {address} ({error}), expected one, or the file in "
            f"{torch.hub.get_dir()}/checkpoints"
        ) from error
    load_torchvision(backbone, state_dict, classifier)
    return backbone, classifier
