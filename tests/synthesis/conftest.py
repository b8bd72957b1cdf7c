"""What tests of rendering need of the machine."""

from pathlib import Path

import pytest

SOUNDFONTS = ("TimGM6mb.sf2", "FluidR3_GM.sf2")


@pytest.fixture(scope="session")
def soundfont() -> Path:
    """A General MIDI soundfont of the system."""
    for name in SOUNDFONTS:
        path = Path("/usr/share/sounds/sf2", name)
        if path.exists():
            return path
    pytest.skip(f"none of {', '.join(SOUNDFONTS)} is installed")
