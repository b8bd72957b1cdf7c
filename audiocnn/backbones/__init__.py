"""The networks by name: one family a file, all with the contract of `base.Backbone`."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

from audiocnn.backbones.base import Backbone
from audiocnn.backbones.dilated import DilatedNet
from audiocnn.backbones.harmonic import HarmonicNet, HarmonicUNet

BACKBONES: dict[str, type[Backbone]] = {
    "dilated": DilatedNet,
    "harmonic": HarmonicNet,
    "harmonic_unet": HarmonicUNet,
}


def create_backbone(name: str, **arguments: Any) -> Backbone:
    """A new network of this name.

    Raises: ValueError when there is no network of this name.
    """
    if name not in BACKBONES:
        raise ValueError(f"backbone is {name!r}, expected one of {', '.join(BACKBONES)}")
    return BACKBONES[name](**arguments)


def list_backbones(pattern: str = "*") -> list[str]:
    """The names that match a shell pattern, sorted."""
    return sorted(name for name in BACKBONES if fnmatch(name, pattern))
