"""The networks by name: one family a file, all with the contract of `base.Backbone`."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

from audiocnn.backbones.alexnet import ALEXNETS, AlexNet
from audiocnn.backbones.amoebanet import AMOEBANETS, CellNet
from audiocnn.backbones.base import Backbone
from audiocnn.backbones.baselines import BASELINES, Perceptron
from audiocnn.backbones.densenet import DENSENETS, DenseNet
from audiocnn.backbones.dilated import DilatedNet
from audiocnn.backbones.dynamic import DYNAMICS, DynamicNet
from audiocnn.backbones.efficientnet import EFFICIENTNETS, EfficientNet
from audiocnn.backbones.googlenet import GOOGLENETS, GoogLeNet
from audiocnn.backbones.harmonic import HarmonicNet, HarmonicUNet
from audiocnn.backbones.lenet import LENETS, LeNet
from audiocnn.backbones.locally_connected import LOCALLY_CONNECTED, LocallyConnectedNet
from audiocnn.backbones.mnasnet import MNASNETS, MNasNet
from audiocnn.backbones.mobilenet import MOBILENETS, MobileNetV2
from audiocnn.backbones.nin import NINS, NiN
from audiocnn.backbones.resnet import RESNETS, ResNet
from audiocnn.backbones.tcn import TCNS, TemporalNet
from audiocnn.backbones.text import DYNAMIC_CNNS, TEXT_CNNS, DynamicCNN, TextCNN
from audiocnn.backbones.vgg import VGG, VGGS
from audiocnn.backbones.waveform import MNETS, SAMPLE_CNNS, MNet, SampleCNN
from audiocnn.blocks.arguments import choose

# class -> its members: name -> what differs from the class's defaults
FAMILIES: dict[type[Backbone], dict[str, dict[str, Any]]] = {
    DilatedNet: {"dilated": {}},
    HarmonicNet: {"harmonic": {}},
    HarmonicUNet: {"harmonic_unet": {}},
    Perceptron: BASELINES,
    LocallyConnectedNet: LOCALLY_CONNECTED,
    LeNet: LENETS,
    AlexNet: ALEXNETS,
    VGG: VGGS,
    NiN: NINS,
    GoogLeNet: GOOGLENETS,
    ResNet: RESNETS,
    DenseNet: DENSENETS,
    MobileNetV2: MOBILENETS,
    MNasNet: MNASNETS,
    EfficientNet: EFFICIENTNETS,
    CellNet: AMOEBANETS,
    DynamicNet: DYNAMICS,
    TemporalNet: TCNS,
    MNet: MNETS,
    SampleCNN: SAMPLE_CNNS,
    TextCNN: TEXT_CNNS,
    DynamicCNN: DYNAMIC_CNNS,
}
BACKBONES = {name: (kind, members[name]) for kind, members in FAMILIES.items() for name in members}


def create_backbone(name: str, **arguments: Any) -> Backbone:
    """A new network of this name.

    Args:
        arguments: of its class, in place of those that the name stands for: dims, in_channels, norm, pool,
            drop and the like.
    Raises: ValueError when there is no network of this name.
    """
    kind, defaults = choose(BACKBONES, name, "backbone")
    return kind(**{**defaults, **arguments})


def list_backbones(pattern: str = "*") -> list[str]:
    """The names that match a shell pattern, sorted."""
    return sorted(name for name in BACKBONES if fnmatch(name, pattern))
