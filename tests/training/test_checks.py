"""Data that do not fit their model, and numbers that are not finite, are told before they do harm."""

import inspect
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from audiocnn import create_backbone
from audiocnn.backbones import VGG
from audiocnn.datasets.defaults import default_of_model
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.waveform import Waveform
from audiocnn.style.painters.feedforward import TransferNet
from audiocnn.training.autoencoder import AutoencoderTask
from audiocnn.training.base import Task, load_backbone
from audiocnn.training.checks import SHARED, TrainingError
from audiocnn.training.clips import GenreTask, InstrumentTask
from audiocnn.training.contrastive import ContrastiveTask
from audiocnn.training.image import ImageTask
from audiocnn.training.notes import NotesTask
from audiocnn.training.style import StyleTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
]
RATE, LABELS = 8000, ["low", "high"]


def front_end() -> LogMel:
    return LogMel(RATE, n_fft=256, hop_length=128, n_mels=32)


def small(**arguments: Any):
    return create_backbone("dilated", channels=8, dilations=(1,), **arguments)


def clip_task(kind: type[GenreTask] | type[InstrumentTask] = GenreTask, **arguments: Any) -> Task:
    return kind(front_end(), small(), LABELS, **{"window_s": 0.5, **arguments})


def image_task(**arguments: Any) -> ImageTask:
    return ImageTask(create_backbone("lenet5", widths=(4, 8)), n_classes=3, **arguments)


TASKS = {
    "genre": clip_task,
    "instrument": lambda: clip_task(InstrumentTask),
    "notes": lambda: NotesTask(front_end(), small()),
    "contrastive": lambda: ContrastiveTask(front_end(), small(), channels=8),
    "image": image_task,
    "autoencoder": lambda: AutoencoderTask(create_backbone("lenet5", widths=(4, 8)), size=16),
    "style": lambda: StyleTask(TransferNet(width=4, n_blocks=1), ["style.png"]),
}
# What differs -> another value than that of any task above.
OTHERS = {
    "sample_rate": 16_000,
    "hop_length": 99,
    "window_s": 0.25,
    "labels": ["high", "low"],
    "channels": 2,
    "size": 20,
    "n_classes": 7,
}
MISMATCHES = [
    ("genre", "sample_rate"),
    ("genre", "window_s"),
    ("genre", "labels"),
    ("instrument", "sample_rate"),
    ("instrument", "window_s"),
    ("instrument", "labels"),
    ("notes", "sample_rate"),
    ("notes", "hop_length"),
    ("contrastive", "sample_rate"),
    ("image", "channels"),
    ("image", "n_classes"),
    ("autoencoder", "channels"),
    ("autoencoder", "size"),
    ("style", "channels"),
]


def again(task: Task, **arguments: Any) -> Task:
    """A task like this one, but for some arguments."""
    given = {name: task.init_args[name] for name in inspect.signature(type(task)).parameters}
    return type(task)(**{**given, **arguments})


def trainer(**arguments: Any) -> lightning.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    quiet |= {"enable_checkpointing": False, "num_sanity_val_steps": 0, "max_epochs": 1}
    return lightning.Trainer(accelerator="cpu", **{**quiet, **arguments})


class Untouched(lightning.LightningDataModule):
    """Data of which no batch may be asked for."""

    def train_dataloader(self) -> DataLoader:
        raise AssertionError("training has begun")


def test_all_that_data_and_model_share_is_compared() -> None:
    assert set(OTHERS) == set(SHARED) == {name for _, name in MISMATCHES}


@pytest.mark.parametrize(("kind", "name"), MISMATCHES)
def test_data_that_differ_from_the_model_are_refused_before_training(kind: str, name: str) -> None:
    data, task = Untouched(), TASKS[kind]()
    setattr(data, name, OTHERS[name])
    expected = re.escape(
        f"{name} of the data is {OTHERS[name]}, expected that of the model, {getattr(task, name)} (--model."
    )
    with pytest.raises(ValueError, match=expected):
        trainer().fit(task, data)


def test_an_argument_of_the_data_is_that_of_the_model() -> None:
    data = Untouched()
    data.trainer = SimpleNamespace(lightning_module=SimpleNamespace(sample_rate=RATE))  # pyright: ignore
    assert default_of_model(data, "sample_rate", None) == default_of_model(data, "sample_rate", RATE) == RATE
    assert default_of_model(data, "size", None, otherwise=32) == 32
    with pytest.raises(ValueError, match="sample_rate of the data is 1, expected that of the model, 8000"):
        default_of_model(data, "sample_rate", 1)
    with pytest.raises(ValueError, match=r"window_s of the data is not given, .* SimpleNamespace has none"):
        default_of_model(data, "window_s", None)
    with pytest.raises(
        ValueError, match="size of the data is not given, expected a number: there is no model"
    ):
        default_of_model(Untouched(), "size", None)


BATCHES = {
    "waveforms and labels": (torch.zeros(2, RATE), torch.eye(2)),
    "images and classes": (torch.zeros(2, 1, 16, 16), torch.zeros(2).long()),
    "waveforms and three labels": (torch.zeros(2, RATE), torch.zeros(2, 3)),
}
TAKES = {
    "genre": "waveforms and labels",
    "instrument": "waveforms and labels",
    "image": "images and classes",
    "autoencoder": "images and classes",
}


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("kind", [kind for kind in TASKS if kind != "contrastive"])
def test_batches_of_another_kind_of_data_are_refused(kind: str, batch: str) -> None:
    task, examples = TASKS[kind](), list(zip(*BATCHES[batch], strict=True))
    if kind == "style":
        task.setup = lambda stage: None  # which would read a loss network
    if TAKES.get(kind) == batch:
        trainer().fit(task, DataLoader(examples, batch_size=2))
        return
    with pytest.raises(ValueError, match=r"a batch is \(2, .*, expected (waveforms|images) \("):
        trainer().fit(task, DataLoader(examples, batch_size=2))


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("kind", TAKES)
def test_numbers_of_a_batch_that_are_not_finite_are_refused(kind: str, number: float) -> None:
    inputs, targets = BATCHES[TAKES[kind]]
    inputs = inputs.clone()
    inputs[0, ..., 3] = number
    with pytest.raises(TrainingError, match=r"^\d+ of \d+ numbers of a batch are NaN or infinite, expected"):
        trainer().fit(TASKS[kind](), DataLoader(list(zip(inputs, targets, strict=True)), batch_size=2))


class Diverging(ImageTask):
    """Its loss is as given."""

    def __init__(self, loss: float) -> None:
        super().__init__(create_backbone("linear"), n_classes=3)
        self.factor = loss

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        return super().step(batch, stage) * self.factor


IMAGES = DataLoader([(torch.ones(1, 16, 16), 1)] * 8, batch_size=4)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_training_with_its_weights_as_they_were(loss: float) -> None:
    task = Diverging(loss)
    before = {name: tensor.clone() for name, tensor in task.state_dict().items()}
    with pytest.raises(
        TrainingError, match=f"the loss is {loss} in step 0, at learning rate .*learning_rate"
    ):
        trainer().fit(task, IMAGES)
    assert all(torch.equal(before[name], tensor) for name, tensor in task.state_dict().items())


def test_weights_that_are_not_finite_are_neither_saved_nor_validated(tmp_path: Path) -> None:
    task, loop = image_task(), trainer()
    loop.fit(task, IMAGES)
    loop.save_checkpoint(tmp_path / "last.ckpt")
    whole = (tmp_path / "last.ckpt").read_bytes()
    with torch.no_grad():
        next(task.parameters())[:] = math.nan
    with pytest.raises(TrainingError, match=r"weight is not finite after step 2"):
        loop.save_checkpoint(tmp_path / "last.ckpt")
    assert (tmp_path / "last.ckpt").read_bytes() == whole
    with pytest.raises(TrainingError, match="weight is not finite"):
        trainer().validate(task, IMAGES, verbose=False)


def test_scores_that_are_not_finite_are_no_labels() -> None:
    """Weights may be finite where what they add up to is not."""
    task = clip_task()
    with torch.no_grad():
        task.head.project.weight.fill_(3e38)
    clips = DataLoader([(torch.randn(RATE), torch.tensor([1.0, 0.0]))])
    with pytest.raises(TrainingError, match="the scores of a clip are not finite after step 0"):
        trainer().validate(task, clips, verbose=False)


class Stream(IterableDataset):
    """Images without an end."""

    def __iter__(self):
        while True:
            yield torch.ones(1, 16, 16), 1


def test_a_schedule_needs_an_end() -> None:
    with pytest.raises(
        ValueError, match=r"steps of the training are .*, expected a number.*--trainer\.max_steps"
    ):
        trainer().fit(image_task(), DataLoader(Stream(), batch_size=4))
    loop = trainer(max_epochs=None, max_steps=3)
    loop.fit(image_task(), DataLoader(Stream(), batch_size=4))
    assert loop.global_step == 3


@pytest.mark.filterwarnings("ignore:Total length of .* across ranks is zero")
def test_a_training_without_a_batch_is_refused() -> None:
    few = DataLoader([(torch.ones(1, 16, 16), 1)] * 3, batch_size=4, drop_last=True)
    with pytest.raises(ValueError, match="0 batches to train on, expected 1 or more"):
        trainer().fit(image_task(), few)


def test_segments_shorter_than_the_windows_are_refused() -> None:
    data = Untouched()
    data.segments = SimpleNamespace(n_frames=1)  # pyright: ignore
    with pytest.raises(ValueError, match=r"segments\.n_frames is 1, expected more than 1: "):
        trainer().fit(NotesTask(front_end(), small()), data)


def test_images_of_one_dimension_and_of_a_size_that_is_too_small() -> None:
    data = Untouched()
    data.size = 16  # pyright: ignore
    with pytest.raises(ValueError, match="dims is 1, expected 2: images have rows and columns"):
        trainer().fit(ImageTask(create_backbone("lenet5", dims=1), n_classes=3), data)
    task = image_task()
    task.head = nn.Linear(7, 3)
    with pytest.raises(ValueError, match=r"the network cannot take an input of \(1, 1, 16, 16\): mat1"):
        trainer().fit(task, data)


def test_one_clip_has_no_other_to_be_told_from() -> None:
    examples = [(torch.zeros(RATE), torch.zeros(2))]
    with pytest.raises(ValueError, match="a batch has 1 clip, expected 2 or more"):
        trainer().fit(TASKS["contrastive"](), DataLoader(examples))


# Of every task its numbers, and what each refuses beside NaN and infinity.
NUMBERS = {
    "genre": {
        "learning_rate": 0,
        "weight_decay": -1,
        "label_smoothing": 1,
        "window_s": 0,
        "drop": -0.1,
        "threshold": 2,
    },
    "instrument": {
        "learning_rate": -1,
        "weight_decay": -1,
        "label_smoothing": 2,
        "window_s": -1,
        "drop": 1.1,
    },
    "image": {"learning_rate": -1, "weight_decay": -1, "label_smoothing": 2, "n_classes": 0},
    "notes": {"learning_rate": 0, "weight_decay": -1},
    "contrastive": {"learning_rate": 0, "weight_decay": -1, "channels": 0},
    "autoencoder": {"learning_rate": 0, "weight_decay": -1, "hidden": 1},
    "style": {"learning_rate": 0, "weight_decay": -1, "style_size": 0},
}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (kind, name, value)
        for kind, numbers in NUMBERS.items()
        for name, least in numbers.items()
        for value in (least, math.nan, math.inf)
    ],
)
def test_numbers_out_of_range_are_refused(kind: str, name: str, value: float) -> None:
    task = TASKS[kind]()
    with pytest.raises(ValueError, match=rf"{name} is {value}, expected "):
        again(task, **{name: value})


@pytest.mark.parametrize("kind", [kind for kind in TASKS if kind != "style"])
def test_a_start_that_does_not_fit_is_one_line(kind: str, tmp_path: Path) -> None:
    if kind in ("contrastive", "autoencoder"):
        pytest.skip("starts from nothing")
    (tmp_path / "text.ckpt").write_text("text")
    for start, reason in {
        "nowhere.ckpt": "no such file on this machine, nor a run with best.ckpt; expected one, or a model ",
        str(tmp_path / "text.ckpt"): "damaged, or no checkpoint of tensors alone$",
        "genre": "is of another backbone: [^ ]+ is ",
    }.items():
        task = TASKS[kind]()
        with pytest.raises(Exception, match=f"^{re.escape(start)}: {reason}") as caught:
            again(task, start_from=start)
        assert "\n" not in str(caught.value)


def test_an_image_classifier_is_a_start_too() -> None:
    backbone = VGG(
        kernels=((3, 3),) * 4,
        widths=(32, 64, 128, 256),
        hidden=256,
        size=2,
        norm="batch",
        pool="average",
        in_channels=3,
    )
    before = next(backbone.parameters()).clone()
    load_backbone(backbone, "vgg")
    assert not torch.equal(before, next(backbone.parameters()))


def test_waveforms_have_one_channel_and_clips_go_through() -> None:
    task = GenreTask(Waveform(RATE), create_backbone("m5_small"), LABELS, window_s=1.0)
    assert task.backbone.in_channels == 1
    with pytest.raises(ValueError, match="dims is 2, expected 1: the front end Waveform has 1 bin"):
        GenreTask(Waveform(RATE), create_backbone("resnet_small"), LABELS)
    assert np.isfinite(task(torch.zeros(1, RATE)).detach().numpy()).all()
