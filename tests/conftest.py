"""What all tests share: recordings that they may read, a tone, no network, no GPU test without a GPU."""

import os
from pathlib import Path

import numpy as np
import pytest

from audiocnn import audio

ROOT = Path(__file__).parents[1]

os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the project's own recordings, each NAME.flac beside its ground truth NAME.mid."""
    return ROOT / "data" / "examples"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Real recordings for tests marked `data`: the folder AUDIOCNN_RECORDINGS, else ../shared/recordings."""
    folder = Path(os.environ.get("AUDIOCNN_RECORDINGS", ROOT.parent / "shared" / "recordings"))
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder} (AUDIOCNN_RECORDINGS names another folder)")
    return folder


@pytest.fixture
def a4(tmp_path: Path) -> Path:
    """Two seconds of 440 Hz at -20 dB, half a second of it silence, in 16 kHz."""
    waveform = 0.1 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    waveform[:8_000] = 0
    audio.save(tmp_path / "a4.wav", waveform.astype(np.float32), 16_000)
    return tmp_path / "a4.wav"
