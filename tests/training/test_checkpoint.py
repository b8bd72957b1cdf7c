"""Checkpoints: written whole, and built again from what they say of their task."""

import resource
from pathlib import Path

import pytest
import torch

from audiocnn.augment import Mixup, RandomShift, SpecAugment
from audiocnn.backbones import create_backbone
from audiocnn.files import FileError
from audiocnn.frontends.mel import LogMel
from audiocnn.training.base import Task
from audiocnn.training.checkpoint import KEY, TASKS, CheckpointFile, check_fit, describe_task
from audiocnn.training.clips import GenreTask, InstrumentTask
from audiocnn.training.image import ImageTask


def save(task: Task, path: Path) -> None:
    """A checkpoint as a training writes it, but for the training's state."""
    torch.save({"state_dict": task.state_dict(), KEY: describe_task(task)}, path)


def test_a_task_is_built_again_with_all_its_arguments(tmp_path: Path) -> None:
    task = GenreTask(
        LogMel(4000, 256, 128, n_mels=32), create_backbone("resnet_small"), ["a", "b"], window_s=1.0,
        spec_augment=SpecAugment(p=0.2), random_shift=RandomShift(bins=1), mix=Mixup(0.4),
        label_smoothing=0.1,
    )  # fmt: skip
    save(task, tmp_path / "a.ckpt")
    again = GenreTask.load_from_checkpoint(tmp_path / "a.ckpt")
    assert (again.labels, again.window_s, again.label_smoothing) == (["a", "b"], 1.0, 0.1)
    assert (again.spec_augment.p, again.random_shift.bins, again.mix.alpha) == (0.2, 1, 0.4)
    torch.testing.assert_close(again.state_dict(), task.state_dict(), rtol=0, atol=0)
    assert type(Task.load_from_checkpoint(tmp_path / "a.ckpt")) is GenreTask
    with pytest.raises(FileError, match=r"a\.ckpt: holds GenreTask, expected InstrumentTask"):
        InstrumentTask.load_from_checkpoint(tmp_path / "a.ckpt")


def genre(
    labels: tuple[str, ...] = ("a", "b"), fmin: float = 30.0, act: str = "relu", **options
) -> GenreTask:
    front_end = LogMel(4000, 256, 128, n_mels=32, fmin=fmin)
    return GenreTask(front_end, create_backbone("resnet_small", act=act), labels, window_s=1.0, **options)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"labels": ("b", "a")}, "labels is a, b, expected b, a"),
        ({"labels": ("a", "b", "c")}, "labels is a, b, expected a, b, c"),
        ({"fmin": 40.0}, "front_end.fmin is 30.0, expected 40.0"),
        ({"act": "silu"}, "backbone.act is relu, expected silu"),
    ],
)
def test_weights_that_learned_something_else_are_refused_though_they_fit(other: dict, reason: str) -> None:
    task = genre()
    checkpoint = {"state_dict": task.state_dict(), KEY: describe_task(task)}
    with pytest.raises(FileError, match=f"^a.ckpt: is of another model: {reason}; model.start_from takes"):
        check_fit("a.ckpt", genre(**other), checkpoint)
    check_fit("a.ckpt", genre(label_smoothing=0.2, drop=0.5, learning_rate=0.1), checkpoint)
    with pytest.raises(FileError, match="damaged"):
        check_fit("a.ckpt", genre(), {**checkpoint, KEY: "{"})


def test_start_from_is_not_read_again(tmp_path: Path) -> None:
    start = ImageTask(create_backbone("lenet5"), 10)
    save(start, tmp_path / "start.ckpt")
    task = ImageTask(create_backbone("lenet5"), 10, start_from=str(tmp_path / "start.ckpt"))
    save(task, tmp_path / "task.ckpt")
    (tmp_path / "start.ckpt").unlink()
    torch.testing.assert_close(
        Task.load_from_checkpoint(tmp_path / "task.ckpt").state_dict(), task.state_dict()
    )


class Subclass(ImageTask):
    """Has the arguments of a registered class."""


class Unregistered(Task):
    """Has none, and an argument that is no value."""

    def __init__(self, thing: object) -> None:
        super().__init__()


def test_classes_that_are_not_registered(tmp_path: Path) -> None:
    save(Subclass(create_backbone("lenet5"), 10), tmp_path / "a.ckpt")
    assert type(Task.load_from_checkpoint(tmp_path / "a.ckpt")) is ImageTask
    assert describe_task(Unregistered(object())) is None
    save(Unregistered(3), tmp_path / "b.ckpt")
    with pytest.raises(FileError, match="class Unregistered is not registered; install or import"):
        Task.load_from_checkpoint(tmp_path / "b.ckpt")


def test_a_full_disk_leaves_the_checkpoint_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    CheckpointFile().save_checkpoint({"state_dict": {}}, path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(FileError, match=r"last\.ckpt: File too large"):
            CheckpointFile().save_checkpoint({"state_dict": {"weight": torch.zeros(10_000)}}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]
    assert CheckpointFile().load_checkpoint(path) == {"state_dict": {}}


def test_every_registered_task_is_one() -> None:
    assert all(issubclass(TASKS[name], Task) for name in TASKS.names())
