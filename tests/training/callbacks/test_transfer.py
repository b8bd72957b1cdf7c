"""Transfer learning: what is a stage in every family, what learns when, and how fast."""

from collections.abc import Iterable
from types import SimpleNamespace

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from audiocnn import create_backbone
from audiocnn.backbones import Backbone, HarmonicNet
from audiocnn.backbones.resnet import ResNet
from audiocnn.training.callbacks.transfer import DiscriminativeRates, FreezeBackbone, GradualUnfreezing
from audiocnn.training.image import ImageTask
from audiocnn.training.stages import freeze_stages, group_by_learning_rate, list_stages

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]
SMALL_HARMONIC = {"channels": 4, "n_pitches": 20, "dilations": (((12, 1), (1, 2)), ((7, 2), (12, 4)))}


def small_resnet() -> ResNet:
    """A stem and two stages."""
    return ResNet(depths=(1, 1), widths=(4, 8))


def tiny(backbone: Backbone | None = None, **arguments) -> ImageTask:
    torch.manual_seed(0)
    return ImageTask(backbone or small_resnet(), n_classes=10, **arguments)


def fit(task: ImageTask, *callbacks: lightning.Callback, max_epochs: int = 1) -> lightning.Trainer:
    """On eight images of noise, four of them at a time."""
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        accelerator="cpu",
        enable_checkpointing=False,
        max_epochs=max_epochs,
        callbacks=list(callbacks),
        **quiet,
    )
    images = torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    examples = DataLoader(list(zip(images, range(8), strict=True)), batch_size=4)
    trainer.fit(task, examples, examples)
    return trainer


def copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(module: nn.Module, before: dict[str, Tensor]) -> set[bool]:
    """Whether weights and statistics are as before: {True}, {False}, or both when some are."""
    return {torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items()}


# Stages


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet_small", 5),
        ("vgg_small", 8),
        ("m5", 4),
        ("densenet_small", 5),
        ("harmonic", 5),
        ("harmonic_unet", 10),
        ("lenet5", 3),
        ("textcnn", 2),
        ("linear", 0),
    ],
)
def test_stages_of_families(name: str, count: int) -> None:
    with torch.device("meta"):
        assert len(list_stages(create_backbone(name))) == count


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("resnet_small", (1, 1, 64, 64)),
        ("vgg_small", (1, 1, 32, 32)),
        ("m5", (1, 1, 2048)),
        ("densenet_small", (1, 1, 64, 64)),
        ("harmonic", (1, 1, 264, 8)),
        ("harmonic_unet", (1, 1, 264, 8)),
        ("mobilenet_small", (1, 1, 64, 64)),
        ("amoebanet_small", (1, 1, 64, 64)),
    ],
)
def test_stages_hold_all_weights_in_the_order_in_which_they_work(name: str, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name).eval()
    parts, worked = list_stages(backbone), []
    for i, part in enumerate(parts):
        for module in part.modules():
            if module._parameters:
                module.register_forward_hook(lambda *_, i=i: worked.append(i))
    with torch.no_grad():
        backbone(torch.empty(shape, device="meta"))
    assert list(dict.fromkeys(worked)) == list(range(len(parts)))
    held = [id(p) for part in parts for p in part.parameters()]
    own = [id(p) for p in backbone.parameters(recurse=False)]
    assert sorted(held + own) == sorted(id(p) for p in backbone.parameters())


# Freezing


@pytest.mark.parametrize("n_stages", [0, 1, 3])
def test_freeze_and_thaw(n_stages: int) -> None:
    backbone = HarmonicNet(**SMALL_HARMONIC)
    freeze_stages(backbone, 3)
    freeze_stages(backbone, n_stages)
    assert backbone.pitch_bias.requires_grad == (n_stages == 0)
    for i, part in enumerate(list_stages(backbone)):
        assert {p.requires_grad for p in part.parameters()} == {i >= n_stages}
        assert {module.training for module in part.modules()} == {i >= n_stages}


@pytest.mark.parametrize("name", ["resnet_small", "vgg_small", "densenet_small", "mobilenet_small"])
def test_only_the_head_is_trained(name: str) -> None:
    """Neither weights nor running statistics of the backbone change, also after a validation in between."""
    backbone = create_backbone(name)
    task = tiny(backbone)
    before, head = copied(backbone), copied(task.head)
    trainer = fit(task, FreezeBackbone(), max_epochs=2)
    assert same(backbone, before) == {True}
    assert same(task.head, head) == {False}
    trained = {id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]}
    assert trained == {id(p) for p in task.head.parameters()}


def test_the_first_stages_are_frozen() -> None:
    task = tiny()
    before = [copied(part) for part in list_stages(task.backbone)]
    fit(task, FreezeBackbone(2))
    found = [same(part, b) for part, b in zip(list_stages(task.backbone), before, strict=True)]
    assert found == [{True}, {True}, {False}]


class Watch(lightning.Callback):
    """Which stages each epoch changes."""

    def __init__(self) -> None:
        self.changed: list[list[int]] = []

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.before = [copied(part) for part in self.parts(pl_module)]

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        pairs = enumerate(zip(self.parts(pl_module), self.before, strict=True))
        self.changed.append([i for i, (part, before) in pairs if same(part, before) != {True}])

    def parts(self, task: lightning.LightningModule) -> Iterable[nn.Module]:
        return [*list_stages(task.backbone), task.head]


def test_stages_thaw_from_the_top() -> None:
    watch = Watch()
    fit(tiny(), GradualUnfreezing(epochs_per_stage=2), watch, max_epochs=8)
    expected = [[3], [3], [2, 3], [2, 3], [1, 2, 3], [1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert watch.changed == expected


# Rates


def optimizer_of(task: ImageTask, *callbacks: lightning.Callback) -> torch.optim.Optimizer:
    task._trainer = SimpleNamespace(estimated_stepping_batches=100)
    for callback in callbacks:
        callback.setup(task._trainer, task, "fit")
    return task.configure_optimizers()["optimizer"]


@pytest.mark.parametrize("name", ["resnet_small", "vgg_small", "m5_small", "densenet_small"])
def test_each_stage_learns_slower_than_the_one_above(name: str) -> None:
    backbone = create_backbone(name)
    task = tiny(backbone, learning_rate=0.1, weight_decay=0.2)
    groups = optimizer_of(task, DiscriminativeRates(2.0)).param_groups
    of = {id(p): group for group in groups for p in group["params"]}
    assert len(of) == sum(len(group["params"]) for group in groups) == len(list(task.parameters()))
    for depth, part in enumerate([task.head, *reversed(list_stages(backbone))]):
        for p in part.parameters():
            assert of[id(p)]["max_lr"] == pytest.approx(0.1 / 2**depth)
            assert of[id(p)]["weight_decay"] == (0.2 if p.ndim > 1 else 0)


def test_what_a_backbone_holds_itself_learns_as_its_first_stage() -> None:
    backbone = HarmonicNet(**SMALL_HARMONIC)
    groups = group_by_learning_rate([{"params": list(backbone.parameters()), "lr": 1}], backbone, 1.0, 10.0)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert rates[id(backbone.pitch_bias)] == rates[id(backbone.stem[0].weight)] == pytest.approx(1e-3)


def test_without_decay_of_rates_weights_and_others_are_two_groups() -> None:
    task = tiny(learning_rate=0.1)
    groups = optimizer_of(task).param_groups
    assert [group["max_lr"] for group in groups] == [0.1, 0.1]
    assert len(optimizer_of(task, FreezeBackbone(2)).param_groups) == 2


def test_rates_rise_and_fall_together() -> None:
    """Over a training: each group's rate is at all times the head's, divided by the same number."""
    found = []

    class Rates(lightning.Callback):
        def on_train_batch_end(self, trainer: lightning.Trainer, *_) -> None:
            found.append({group["lr"] for group in trainer.optimizers[0].param_groups})

    fit(tiny(learning_rate=0.01), DiscriminativeRates(), GradualUnfreezing(), Rates(), max_epochs=10)
    assert max(map(max, found)) == pytest.approx(0.01, rel=0.05)
    for rates in found:
        expected = [max(rates) / 2.6**depth for depth in range(4)]
        assert sorted(rates, reverse=True) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: freeze_stages(small_resnet(), 4), "n_stages is 4, expected 0 to 3"),
        (lambda: GradualUnfreezing(0), "epochs_per_stage is 0, expected 1 or more"),
        (lambda: DiscriminativeRates(0.5), r"rate_decay is 0\.5, expected 1 or more"),
    ],
)
def test_wrong_arguments(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
