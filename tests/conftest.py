"""What all tests share: recordings that they may read, a tone, no network, no GPU test without a GPU."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

from audiocnn import audio

ROOT = Path(__file__).parents[1]
# Their annotations, shapes included, are checked at each call: no module of theirs is imported above.
CHECKED = [
    "audiocnn.augment",
    "audiocnn.backbones",
    "audiocnn.blocks",
    "audiocnn.frontends",
    "audiocnn.models.heads",
    "audiocnn.models.image",
    "audiocnn.notes",
    "audiocnn.style.losses",
    "audiocnn.training.filters",
]
# The tower: where a float is expected, a whole number will do.
install_import_hook(CHECKED, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Lightning's handlers keep the standard error of their import: that of another test, closed since.
    for name in ("lightning", "lightning.fabric", "lightning.pytorch"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.stream = sys.stderr
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


TONES_HZ = {"low": 220, "middle": 440, "high": 1760}


@pytest.fixture(scope="session")
def one_tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model made by hand that tells which of `TONES_HZ` sounds, at most one, in windows of a second."""
    return _tones(tmp_path_factory.mktemp("models") / "one.safetensors", multi_label=False)


@pytest.fixture(scope="session")
def many_tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of several at once."""
    return _tones(tmp_path_factory.mktemp("models") / "many.safetensors", multi_label=True)


@pytest.fixture(scope="session")
def alto(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `one_tone`, with other names for the same tones."""
    path = tmp_path_factory.mktemp("models") / "alto.safetensors"
    return _tones(path, multi_label=False, labels=("bass", "alto", "treble"))


def _tones(path: Path, multi_label: bool, labels: Sequence[str] = tuple(TONES_HZ)) -> Path:
    import torch

    from audiocnn.backbones import DilatedNet
    from audiocnn.frontends.mel import LogMel
    from audiocnn.models.clips import ClipModel
    from audiocnn.models.file import write_model

    front_end = LogMel(16_000, n_fft=1024, hop_length=320, n_mels=40)
    model = ClipModel(
        front_end, DilatedNet(in_channels=40, channels=3, dilations=()), labels, multi_label, 1.0
    )
    stem, norm, *_ = model.backbone.stages[0]
    with torch.no_grad():
        stem.weight.zero_()
        for channel, band in enumerate((2, 5, 20)):  # in which the tones lie
            stem.weight[channel, band, 1] = 1
        norm.bias.fill_(6.0)  # a tone has a level of 2, noise of -3, silence of -14
        own = torch.eye(3)
        model.head.project.weight[:3] = own if multi_label else 2 * own - 1
        model.head.project.bias[:3] = -8.0 if multi_label else 0.0
        if not multi_label:
            model.head.project.weight[3], model.head.project.bias[3] = 0.0, 4.0
    write_model(model, path)
    return path


COLOURS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model made by hand that predicts which of `COLOURS` an image has most of."""
    import torch

    from audiocnn.backbones import create_backbone
    from audiocnn.models.file import write_model
    from audiocnn.models.image import ImageModel

    backbone = create_backbone("linear", in_channels=3, size=(1, 1))
    model = ImageModel(backbone, None, [*COLOURS], size=4, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    layer = next(part for part in model.head.modules() if isinstance(part, torch.nn.Linear))
    with torch.no_grad():
        layer.weight.copy_(torch.eye(3))
        layer.bias.zero_()
    path = tmp_path_factory.mktemp("models") / "colours.safetensors"
    write_model(model, path)
    return path


@pytest.fixture(scope="session")
def tone() -> Callable[..., np.ndarray]:
    """Makes a sum of tones of `TONES_HZ` at 16 kHz, float32 (samples,)."""

    def tone(*names: str, duration_s: float = 2.0) -> np.ndarray:
        time_s = np.arange(round(duration_s * 16_000)) / 16_000
        waves = [0.1 * np.sin(2 * np.pi * TONES_HZ[name] * time_s) for name in names]
        return np.sum([0 * time_s, *waves], axis=0).astype(np.float32)

    return tone
