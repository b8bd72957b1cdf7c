"""torchaudio's functions, importable also beside a CPU-only torch.

The wheel of torchaudio on PyPI holds an extension built for CUDA, and `import torchaudio` loads it: beside a
CPU-only torch that raises OSError (libc10_cuda.so is missing), although its functional and transforms are
plain PyTorch. There they are imported with the extension marked as absent.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

EXTENSION = "torchaudio._extension"


def import_torchaudio(module: str) -> ModuleType:
    """Import a module of torchaudio, in about 0.1 s.

    Args:
        module: its name below torchaudio: functional or transforms.

    Returns:
        The module. Beside a CPU-only torch `functional.lfilter` is slow: a loop in Python.
    """
    try:
        import torchaudio  # noqa: F401
    except OSError:
        sys.modules[EXTENSION] = _create_absent_extension()
    return import_module(f"torchaudio.{module}")


def _create_absent_extension() -> ModuleType:
    extension = ModuleType(EXTENSION)
    vars(extension).update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, fail_if_no_align=lambda function: function)
    return extension
