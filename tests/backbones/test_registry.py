"""Backbones by name: imported when named, those of other packages included."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from jsonargparse import ArgumentParser

import audiocnn.backbones
from audiocnn import create_backbone, list_backbones
from audiocnn.backbones import BACKBONES, FAMILIES, backbone_family, register
from audiocnn.backbones.resnet import ResNet

PACKAGE = """
from torch import nn
from audiocnn.backbones import register
from audiocnn.backbones.base import Backbone

@register({"pointwise": {}, "pointwise_wide": {"channels": 8}})
class Pointwise(Backbone):
    def __init__(self, dims=2, in_channels=1, channels=4):
        super().__init__(dims, in_channels)
        self.stages = nn.ModuleList([nn.Conv2d(in_channels, channels, 1)])
        self.stage_channels, self.time_stride = (channels,), 1
"""


def run(program: str, *folders: Path) -> str:
    """What a program of its own prints: each has imported nothing yet."""
    root = Path(audiocnn.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (*folders, root)))}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_list_backbones() -> None:
    assert list_backbones() == sorted(name for _, members in FAMILIES.values() for name in members)
    assert list_backbones("dil*") == ["dilated"]
    assert list_backbones("resnet[13]?") == ["resnet18", "resnet34"]
    assert list_backbones("resnet*", pretrained=True) == [f"resnet{n}" for n in (101, 152, 18, 34, 50)]
    assert list_backbones("no_such_network*") == []


def test_unknown_backbone() -> None:
    with pytest.raises(ValueError, match=r"backbone is 'resnet', expected one of .*dilated, .*resnet18, "):
        create_backbone("resnet")


@pytest.mark.parametrize("name", FAMILIES)
def test_index_is_what_the_family_registers(name: str) -> None:
    module, members = FAMILIES[name]
    family = BACKBONES[name]
    assert (family.__module__, family.__name__) == (f"audiocnn.backbones.{module}", name)
    assert tuple(family.members) == members
    assert family.weights.keys() <= family.members.keys()


@pytest.mark.parametrize("name", FAMILIES)
def test_arguments_are_the_same_for_configs_and_model_files(name: str) -> None:
    """Configs follow `**common` through the source code, model files through the signatures."""
    parser = ArgumentParser()
    parser.add_class_arguments(BACKBONES[name])
    of_signature = {key: one.default for key, one in inspect.signature(BACKBONES[name]).parameters.items()}
    assert vars(parser.get_defaults()) == of_signature


@pytest.mark.parametrize("name", list_backbones())
def test_networks_are_rebuilt_from_their_arguments(name: str) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name)
        again = type(backbone)(**backbone.init_args)
    assert again.init_args == backbone.init_args
    assert str(again) == str(backbone)


@pytest.mark.parametrize("name", list_backbones(pretrained=True))
def test_weights_are_described(name: str) -> None:
    weights = backbone_family(name).weights[name]
    assert re.fullmatch(r"[\w./-]+-[0-9a-f]{8,10}\.pth", weights.file)
    assert weights.package or weights.url.startswith("https://")
    assert len(weights.mean) == len(weights.std) == 3
    assert weights.arguments.keys() <= create_backbone(name).init_args.keys()


def test_families_are_imported_when_named() -> None:
    program = """
import sys
from audiocnn.backbones import create_backbone, list_backbones
def families(): return sorted(m.split(".")[2] for m in sys.modules if m.startswith("audiocnn.backbones."))
assert "resnet18" in list_backbones()
print(*families())
create_backbone("lenet5")
print(*families())
from audiocnn.backbones import HarmonicUNet
print(*families())
"""
    assert run(program).splitlines() == [
        "base",
        "base lenet plain",
        "base harmonic lenet plain",
    ]


def test_class_by_its_name() -> None:
    assert audiocnn.backbones.ResNet is ResNet
    with pytest.raises(AttributeError, match=r"module 'audiocnn\.backbones' has no attribute 'ResNets'"):
        _ = audiocnn.backbones.ResNets


def test_another_package(tmp_path: Path) -> None:
    (tmp_path / "points.py").write_text(PACKAGE)
    metadata = tmp_path / "points-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: points\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[audiocnn.backbones]\nPointwise = points\n")
    program = """
import sys
from audiocnn import create_backbone, list_backbones
create_backbone("lenet5")
assert "points" not in sys.modules
print(list_backbones("point*"), create_backbone("pointwise_wide").out_channels)
"""
    assert run(program, tmp_path) == "['pointwise', 'pointwise_wide'] 8"


def test_names_that_are_taken() -> None:
    class OtherNet(ResNet):
        pass

    with pytest.raises(ValueError, match="OtherNet: resnet18 is a member of ResNet already"):
        register({"resnet18": {}})(OtherNet)
