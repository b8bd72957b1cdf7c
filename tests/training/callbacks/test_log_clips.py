"""LogClips: what a training leaves to look at and to listen to, also with Weights & Biases, offline."""

from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from torch.utils.data import DataLoader, TensorDataset

from audiocnn import audio
from audiocnn.backbones import create_backbone
from audiocnn.frontends.mel import LogMel
from audiocnn.training.callbacks.log_clips import LogClips
from audiocnn.training.clips import ClipTask, GenreTask, InstrumentTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]
RATE = 4000


def validated(task: ClipTask, callback: LogClips, loggers: list, root: Path) -> TensorDataset:
    """Validates an untrained task on eight clips, and gives these."""
    noise = torch.randn(8, RATE, generator=torch.Generator().manual_seed(0)) / 10
    targets = torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    targets[7] = 0
    clips = TensorDataset(noise, targets)
    trainer = lightning.Trainer(
        accelerator="cpu", logger=loggers, callbacks=[callback], default_root_dir=root,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.validate(task, DataLoader(clips, 1), verbose=False)
    return clips


@pytest.mark.parametrize("kind", [GenreTask, InstrumentTask])
def test_the_hardest_clips_are_kept(kind: type[ClipTask], tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = kind(LogMel(RATE, 256, 128, n_mels=32), create_backbone("resnet_small"), ["a", "b", "c"], 1.0)
    logger = CSVLogger(tmp_path, name="csv")
    clips = validated(task, LogClips(2), [logger], tmp_path)
    names = ["confusion.png", "hardest_0.png", "hardest_0.wav", "hardest_1.png", "hardest_1.wav"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".png", ".wav")) == names
    task.eval()
    with torch.inference_mode():
        values = torch.cat([task.predict_step((one[None], None)) for one, _ in clips])
    hard = (values - task.to_output_targets(clips.tensors[1])).abs().amax(1)
    for rank, number in enumerate(hard.argsort(descending=True)[:2].tolist()):
        kept = audio.load(tmp_path / f"hardest_{rank}.wav", RATE)
        np.testing.assert_allclose(kept, clips[number][0].numpy(), atol=1e-4)


def test_weights_and_biases_takes_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = GenreTask(LogMel(RATE, 256, 128, n_mels=32), create_backbone("resnet_small"), ["a", "b", "c"], 1.0)
    logger = WandbLogger(save_dir=tmp_path, project="audiocnn", offline=True)
    validated(task, LogClips(1), [logger], tmp_path)
    logger.experiment.finish()
    assert len(list(tmp_path.rglob("media/audio/val/hardest_0*.wav"))) == 1
    assert len(list(tmp_path.rglob("media/images/val/confusion*.png"))) == 1
    assert len(list(tmp_path.rglob("media/images/val/hardest_0*.png"))) == 1
