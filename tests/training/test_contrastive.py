"""ContrastiveTask: it learns which halves belong together, and its backbone goes into a classifier."""

import lightning
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from audiocnn import create_backbone
from audiocnn.frontends.mel import LogMel
from audiocnn.training.clips import GenreTask
from audiocnn.training.contrastive import ContrastiveTask

RATE = 8000

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]


def front_end() -> LogMel:
    return LogMel(sample_rate=RATE, n_fft=256, hop_length=128, n_mels=32)


def task() -> ContrastiveTask:
    return ContrastiveTask(front_end(), create_backbone("resnet_small"), channels=16, learning_rate=1e-2)


def tones(n: int) -> list[tuple[Tensor, Tensor]]:
    """Half a second each of a tone of its own."""
    time_s = torch.arange(RATE // 2) / RATE
    return [((200 * 1.18**i * 2 * torch.pi * time_s).sin(), torch.zeros(3)) for i in range(n)]


def test_halves_are_those_of_each_clip() -> None:
    clips = torch.arange(14.0).view(2, 7)
    assert task().split_halves(clips).tolist() == [[[0, 1, 2], [7, 8, 9]], [[3, 4, 5], [10, 11, 12]]]


def test_learns_which_halves_belong_together_and_starts_a_classifier(tmp_path) -> None:
    torch.manual_seed(0)
    network, clips = task(), tones(16)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    quiet |= {"enable_checkpointing": False, "num_sanity_val_steps": 0, "check_val_every_n_epoch": 60}
    loop = lightning.Trainer(accelerator="cpu", max_epochs=60, default_root_dir=tmp_path, **quiet)
    loop.validate(network, DataLoader(clips), verbose=False)
    before = loop.callback_metrics["val/accuracy"].item()
    loop.fit(network, DataLoader(clips, batch_size=16), DataLoader(clips))
    assert before < 0.5
    assert loop.callback_metrics["val/accuracy"].item() > 0.8
    assert loop.callback_metrics["train/loss"].item() < 1.8  # of 16 by chance: 2.8
    assert network.eval().predict_step((clips[0][0][None], clips[0][1])).shape == (1, 16)

    loop.save_checkpoint(tmp_path / "contrastive.ckpt")
    start_from = str(tmp_path / "contrastive.ckpt")
    classifier = GenreTask(front_end(), create_backbone("resnet_small"), ["a", "b"], start_from=start_from)
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(classifier.backbone.state_dict()[name], tensor)
