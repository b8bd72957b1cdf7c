"""Starts of a training: how weights are drawn, and that callbacks set them before a training's first step."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from audiocnn.backbones import create_backbone
from audiocnn.backbones.dilated import DilatedNet
from audiocnn.backbones.resnet import ResNet
from audiocnn.blocks.fixed import create_kernel
from audiocnn.files import FileError
from audiocnn.frontends.mel import LogMel
from audiocnn.training.base import load_backbone
from audiocnn.training.callbacks.initialise import (
    InitialiseFilters,
    InitialiseKaiming,
    InitialiseKernels,
    init_kaiming_normal,
)
from audiocnn.training.filters import learn_filters
from audiocnn.training.notes import NotesTask


class Images(lightning.LightningDataModule):
    """Forty images, in the same order each time."""

    def setup(self, stage: str | None = None) -> None:
        images = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        self.examples = list(zip(images, torch.zeros(40), strict=True))

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.examples, batch_size=8)


class Holder(lightning.LightningModule):
    """A task with a backbone and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = ResNet(depths=(1, 1), widths=(8, 16))


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
def test_kaiming_draws_as_torch_does(mode: Any) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.Linear(6, 4), nn.Conv1d(3, 8, 3, bias=False))
    torch.manual_seed(0)
    init_kaiming_normal(network, mode)
    torch.manual_seed(0)
    for layer in network:
        expected = nn.init.kaiming_normal_(torch.empty_like(layer.weight), mode=mode, nonlinearity="relu")
        assert torch.equal(layer.weight, expected)
    assert network[0].bias.abs().max() == network[1].bias.abs().max() == 0


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 9 * 2), ("fan_out", 9 * 16)])
def test_kaiming_of_groups(mode: str, fan: int) -> None:
    """Each of 1024 inputs reaches the 16 outputs of its group through 9 weights; each output has 2 inputs."""
    torch.manual_seed(0)
    layer = nn.Conv2d(1024, 8192, 3, groups=512)
    init_kaiming_normal(layer, mode)
    assert layer.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.01)


def test_kaiming_keeps_the_size_of_rectified_maps() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*[part for _ in range(20) for part in (nn.Linear(400, 400), nn.ReLU())])
    x = torch.randn(100, 400)
    faded = network(x).square().mean()
    init_kaiming_normal(network)
    assert faded < 0.05
    assert network(x).square().mean().item() == pytest.approx(x.square().mean().item(), rel=0.6)


def fit_starts(callback: lightning.Callback, task: lightning.LightningModule, data: Any) -> None:
    """What Lightning calls before it restores a checkpoint and trains."""
    callback.setup(SimpleNamespace(datamodule=data), task, "fit")


def test_kaiming_of_a_task() -> None:
    task, alone = Holder(), Holder().backbone
    torch.manual_seed(1)
    fit_starts(InitialiseKaiming("fan_out"), task, None)
    torch.manual_seed(1)
    init_kaiming_normal(alone, "fan_out")
    assert all(map(torch.equal, task.backbone.state_dict().values(), alone.state_dict().values()))
    InitialiseKaiming().setup(SimpleNamespace(), task, "test")
    assert all(map(torch.equal, task.backbone.state_dict().values(), alone.state_dict().values()))


def test_kernels_of_a_task() -> None:
    """Sobel's in the middle of the stem's 7 x 7, then a wave as large as it; others are as before."""
    task, before = Holder(), Holder().backbone.stages[0][0][0].weight
    kernels = [{"name": "sobel_x"}, {"name": "gabor", "size": 7, "angle": 0.5}]
    fit_starts(InitialiseKernels(kernels), task, None)
    stem = task.backbone.stages[0][0][0].weight
    sobel = torch.zeros(7, 7)
    sobel[2:5, 2:5] = torch.tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    assert torch.equal(stem[0, 0], sobel)
    assert torch.equal(stem[1, 0], create_kernel("gabor", dims=2, size=7, angle=0.5))
    assert torch.equal(stem[2:], before[2:])


@pytest.mark.parametrize("own", [True, False], ids=["its own data", "the training's"])
def test_filters_of_a_task(own: bool) -> None:
    task, alone, data = Holder(), Holder().backbone, Images()
    fit_starts(InitialiseFilters("pca", n_inputs=20, data=data if own else None), task, data)
    learn_filters(alone, torch.stack([image for image, _ in data.examples[:20]]), "pca")
    before = Holder().backbone.state_dict()
    for name, tensor in alone.state_dict().items():
        assert torch.equal(task.backbone.state_dict()[name], tensor)
        assert torch.equal(before[name], tensor) == (tensor.ndim < 4), name


def test_filters_of_a_task_on_sound() -> None:
    """What its backbone sees comes from its front end."""
    torch.manual_seed(0)
    task = NotesTask(
        LogMel(8000, 512, 256, n_mels=20), DilatedNet(in_channels=20, channels=8, dilations=(1, 2))
    )

    class Sounds(Images):
        def setup(self, stage: str | None = None) -> None:
            self.examples = list(zip(torch.randn(8, 8000), torch.zeros(8), strict=True))

    before = {name: tensor.clone() for name, tensor in task.backbone.state_dict().items()}
    fit_starts(InitialiseFilters("pca"), task, Sounds())
    after = task.backbone.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(tensor.isfinite().all() for tensor in after.values())


def test_backbone_of_a_checkpoint(tmp_path: Path) -> None:
    trained, backbone = Holder(), Holder().backbone
    init_kaiming_normal(trained)
    tensors = {**trained.state_dict(), "head.weight": torch.zeros(1)}
    torch.save({"state_dict": tensors}, tmp_path / "trained.ckpt")
    load_backbone(backbone, tmp_path / "trained.ckpt")
    for name, tensor in trained.backbone.state_dict().items():
        assert torch.equal(backbone.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            None,
            r"no such file on this machine, nor a run with best\.ckpt; expected one, or a model of genre, ",
        ),
        (b"text", "damaged, or no checkpoint of tensors alone"),
        ({"state_dict": {"head.weight": torch.zeros(1)}}, "no model or checkpoint with a backbone$"),
        (
            {"state_dict": {"backbone.stages.0.0.0.weight": torch.zeros(1)}},
            r"is of another backbone: stages\.0\.0\.0\.weight is torch.float32 \(1,\), expected",
        ),
        ({"state_dict": {"backbone.weight": Path("a")}}, "damaged, or no checkpoint of tensors alone"),
    ],
    ids=["missing", "text", "a head alone", "another network", "not tensors alone"],
)
def test_bad_checkpoint(tmp_path: Path, content: Any, reason: str) -> None:
    path = tmp_path / "bad.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save(content, path)
    with pytest.raises(FileError, match=f"bad.ckpt: {reason}"):
        load_backbone(Holder().backbone, path)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="mode is 'fan', expected one of fan_in, fan_out"):
        InitialiseKaiming("fan")
    with pytest.raises(ValueError, match=r"kernels are \[\], expected at least one"):
        InitialiseKernels([])
    with pytest.raises(ValueError, match="name is 'sobel', expected one of box, "):
        InitialiseKernels([{"name": "sobel"}])
    linear = SimpleNamespace(backbone=create_backbone("linear"))
    with pytest.raises(ValueError, match="backbone is Perceptron, expected one with a convolution"):
        fit_starts(InitialiseKernels([{"name": "sobel_x"}]), linear, None)
    with pytest.raises(ValueError, match="method is 'ica', expected one of pca, kmeans"):
        InitialiseFilters("ica")
    with pytest.raises(ValueError, match="n_inputs is 0, expected at least 1"):
        InitialiseFilters(n_inputs=0)
    with pytest.raises(ValueError, match="data is None, expected a data module"):
        fit_starts(InitialiseFilters(), Holder(), None)
    with pytest.raises(ValueError, match="task is LightningModule, expected one with a backbone"):
        fit_starts(InitialiseKaiming(), lightning.LightningModule(), None)
