"""Convolutional networks that listen: audio files in, notes, labels and styles out.

This module is the whole public surface. Each name is imported from its home when it is first used, so
`import audiocnn` costs next to nothing and a program pays only for what it calls.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiocnn import explain
    from audiocnn.backbones import create_backbone, list_backbones
    from audiocnn.listen import classify, load, transcribe
    from audiocnn.resound import stylize_sound
    from audiocnn.restyle import stylize

__version__ = "0.1.0"
__all__ = [
    "classify",
    "create_backbone",
    "explain",
    "list_backbones",
    "load",
    "stylize",
    "stylize_sound",
    "transcribe",
]

_HOME = {
    "classify": "audiocnn.listen",
    "create_backbone": "audiocnn.backbones",
    "list_backbones": "audiocnn.backbones",
    "load": "audiocnn.listen",
    "stylize": "audiocnn.restyle",
    "stylize_sound": "audiocnn.resound",
    "transcribe": "audiocnn.listen",
}


def __getattr__(name: str) -> object:
    if name == "explain":  # a package of many pieces
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "explain"})
