"""What all tests share: the recordings they may read, no network, and no GPU test without a GPU."""

import os
from pathlib import Path

import pytest

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
