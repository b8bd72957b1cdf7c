"""Convolutional networks for audio: notes and labels of recordings, styles for images and sound.

This module is the public interface. Each name is imported from its module when it is first used, so that
`import audiocnn` takes no time, and a program loads only what it calls.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiocnn import explain
    from audiocnn.backbones import create_backbone, list_backbones
    from audiocnn.inference.classify import classify
    from audiocnn.inference.transcribe import transcribe
    from audiocnn.models.load import load
    from audiocnn.style.images import stylize
    from audiocnn.style.sounds import stylize_sound

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
    "classify": "audiocnn.inference.classify",
    "create_backbone": "audiocnn.backbones",
    "list_backbones": "audiocnn.backbones",
    "load": "audiocnn.models.load",
    "stylize": "audiocnn.style.images",
    "stylize_sound": "audiocnn.style.sounds",
    "transcribe": "audiocnn.inference.transcribe",
}


def __getattr__(name: str) -> object:
    if name == "explain":  # a package of many functions
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "explain"})
