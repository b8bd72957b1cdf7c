"""An album of tones, whole files and clips of them with labels."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocnn.datasets.clips.sources import Clip

RATE = 16_000  # Hz


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, tone) -> Path:
    """A low and a high tone, silence, and a file with a low tone and then a middle one."""
    folder = tmp_path_factory.mktemp("album")
    both = np.concatenate([tone("low", duration_s=3), tone("middle", duration_s=2)])
    for name, samples in {"low": tone("low"), "high": tone("high"), "none": tone(), "both": both}.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE)
    return folder


@pytest.fixture(scope="module")
def clips(album: Path) -> list[Clip]:
    """Clips of the album: one with a wrong label, one without, and three of one file."""
    return [
        Clip(album / "low.wav", ("low",)),
        Clip(album / "high.wav", ("low",)),  # labelled low
        Clip(album / "none.wav", ()),
        Clip(album / "both.wav", ("low",), 0.0, 1.5),
        Clip(album / "both.wav", ("low",), 1.5, 3.0),
        Clip(album / "both.wav", ("middle",), 3.0),
    ]
