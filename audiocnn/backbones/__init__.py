"""The backbones by name: one family a file, all with the contract of `base.Backbone`.

A family is a class and a table of its members: each has a name, and the arguments in which it differs from
the class's defaults. A family's file is imported when the class or one of its members is named, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from importlib import import_module
from types import MappingProxyType
from typing import Any, TypeVar

from audiocnn.backbones.base import Backbone, Members, PretrainedWeights
from audiocnn.blocks.arguments import choose
from audiocnn.registry import Registry

# class -> (its module, the names of its members): what is known of our own families without importing them
FAMILIES = {
    "AlexNet": ("alexnet", ("alexnet", "alexnet_2012", "alexnet_small")),
    "CellNet": ("amoebanet", ("amoebanet_a", "amoebanet_small")),
    "DenseNet": ("densenet", ("densenet121", "densenet169", "densenet201", "densenet_small")),
    "DilatedNet": ("dilated", ("dilated",)),
    "DynamicCNN": ("text", ("dcnn", "dcnn_small")),
    "DynamicNet": (
        "dynamic",
        ("dynamic_mixed_small", "dynamic_local_small", "dynamic_hyper_small", "dynamic_bank_small"),
    ),
    "EfficientNet": (
        "efficientnet",
        (*(f"efficientnet_b{i}" for i in range(8)), "efficientnet_lite0", "efficientnet_small"),
    ),
    "GoogLeNet": ("googlenet", ("googlenet", "googlenet_small")),
    "HarmonicNet": ("harmonic", ("harmonic",)),
    "HarmonicUNet": ("harmonic", ("harmonic_unet",)),
    "LeNet": ("lenet", ("lenet5",)),
    "LocallyConnectedNet": ("locally_connected", ("locally_connected",)),
    "MNasNet": ("mnasnet", ("mnasnet1_0", "mnasnet_small")),
    "MNet": ("waveform", ("m3", "m5", "m11", "m18", "m34_res", "m5_small")),
    "MobileNetV2": ("mobilenet", ("mobilenet_v2", "mobilenet_small")),
    "NiN": ("nin", ("nin", "nin_cifar", "nin_small")),
    "Perceptron": ("baselines", ("linear", "mlp")),
    "ResNet": (
        "resnet",
        (
            *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
            *("resnet18_v2", "resnet34_v2", "resnet50_v2", "resnet101_v2", "resnet152_v2"),
            *("se_resnet50", "resnet20_cifar", "resnet_small"),
        ),
    ),
    "SampleCNN": ("waveform", ("samplecnn", "samplecnn_small")),
    "TemporalNet": ("tcn", ("tcn", "tcn_small")),
    "TextCNN": ("text", ("textcnn", "textcnn_small")),
    "VGG": (
        "vgg",
        (
            *("vgg11", "vgg11_lrn", "vgg13", "vgg16_c", "vgg16", "vgg19"),
            *("vgg11_bn", "vgg13_bn", "vgg16_c_bn", "vgg16_bn", "vgg19_bn", "vgg_small"),
        ),
    ),
}
BACKBONES: Registry[Backbone] = Registry(
    "backbones", {family: f"{__name__}.{module}" for family, (module, _) in FAMILIES.items()}
)
# member -> its class; those of other packages are added as they register
_family_of = {member: family for family, (_, members) in FAMILIES.items() for member in members}

B = TypeVar("B", bound=Backbone)


def register(
    members: Members, weights: Mapping[str, PretrainedWeights] = MappingProxyType({})
) -> Callable[[type[B]], type[B]]:
    """Add a family to the backbones; a class decorator.

    A package other than audiocnn also announces the class by an entry point, as `audiocnn.registry.Registry`
    says.

    Args:
        members: of each network of the family its name, and the arguments that differ from the class's
            defaults.
        weights: of members with published weights.

    Returns:
        The decorator, which returns the class as it is.

    Raises:
        ValueError: another family has this name, or a member of it.
    """

    def decorate(family: type[B]) -> type[B]:
        for member in members:
            if _family_of.setdefault(member, family.__name__) != family.__name__:
                raise ValueError(f"{family.__name__}: {member} is a member of {_family_of[member]} already")
        family.members, family.weights = members, weights
        BACKBONES.register(family)
        return family

    return decorate


def backbone_family(name: str) -> type[Backbone]:
    """Import the family that a network belongs to.

    Args:
        name: of a network, as `list_backbones` returns it.

    Returns:
        The class, in whose `members` the name is.

    Raises:
        ValueError: there is no network of this name.
    """
    if name not in _family_of:
        _import_other_packages()
    return BACKBONES[choose(_family_of, name, "backbone")]


def create_backbone(name: str, *, pretrained: bool = False, **arguments: Any) -> Backbone:
    """Create a network.

    Args:
        name: of the network, as `list_backbones` returns it.
        pretrained: with its published ImageNet weights, if `list_backbones(pretrained=True)` has the name;
            with random ones by default.
        arguments: of its class, in place of those that the name stands for: dims, in_channels, norm, pool,
            drop and the like.

    Returns:
        The network, in training mode.

    Raises:
        ValueError: there is no network of this name; or no weights of it, or an argument changes a shape.
        FileError: the package that holds the weights is not installed, or damaged.
        ConnectionError: the weights are not cached and cannot be downloaded.

    Example:
        >>> import torch
        >>> from audiocnn import create_backbone
        >>> backbone = create_backbone("resnet_small", in_channels=1)
        >>> spectrograms = torch.randn(2, 1, 64, 100)  # batch, channels, bins, frames
        >>> backbone(spectrograms).shape
        torch.Size([2, 128, 2, 4])
    """
    if pretrained:
        return import_module(f"{__name__}.pretrained").pretrained(name, **arguments)[0]
    family = backbone_family(name)
    return family(**{**family.members[name], **arguments})


def list_backbones(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """List the names of networks, those of installed packages that register some included.

    Args:
        pattern: shell pattern that the names match.
        pretrained: list only networks with published weights.

    Returns:
        The names, sorted.

    Example:
        >>> from audiocnn import list_backbones
        >>> list_backbones("mobilenet*")
        ['mobilenet_small', 'mobilenet_v2']
        >>> list_backbones("resnet*", pretrained=True)
        ['resnet101', 'resnet152', 'resnet18', 'resnet34', 'resnet50']
    """
    _import_other_packages()
    names = sorted(name for name in _family_of if fnmatch(name, pattern))
    return [name for name in names if not pretrained or name in backbone_family(name).weights]


def _import_other_packages() -> None:
    for family in BACKBONES.names():
        if family not in FAMILIES:
            BACKBONES[family]


def __getattr__(name: str) -> type[Backbone]:
    """The class of a family by its name alone: `from audiocnn.backbones import ResNet`."""
    if name not in FAMILIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return BACKBONES[name]
