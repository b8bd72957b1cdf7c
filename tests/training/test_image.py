"""ImageTask: its loss and scores by hand, that a seed repeats a training, and how LeNet-5 reads digits."""

import math
from pathlib import Path
from types import SimpleNamespace

import lightning
import pytest
import torch
import yaml
from torch import Tensor
from torch.utils.data import DataLoader

from audiocnn import create_backbone
from audiocnn.datasets.images.digits import DigitsDataModule
from audiocnn.models.file import read_model, write_model
from audiocnn.models.image import ImageModel
from audiocnn.training.image import ImageTask

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]


def trainer(**arguments) -> lightning.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return lightning.Trainer(accelerator="cpu", enable_checkpointing=False, **quiet, **arguments)


def tiny(**arguments) -> ImageTask:
    torch.manual_seed(0)
    return ImageTask(create_backbone("lenet5", widths=(4, 8)), n_classes=10, **arguments)


def fixed(logits: Tensor, monkeypatch: pytest.MonkeyPatch, **arguments) -> tuple[ImageTask, dict]:
    """A task that says these logits to anything, and what it logs."""
    task, logged = ImageTask(create_backbone("linear"), n_classes=logits.shape[1], **arguments), {}
    monkeypatch.setattr(task, "forward", lambda images: logits)
    monkeypatch.setattr(task, "log_dict", lambda values, **_: logged.update(values))
    return task, logged


@pytest.mark.parametrize("stage", ["train", "val", "test"])
def test_loss_and_accuracy_by_hand(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.tensor([[math.log(3), 0.0, 0.0], [0.0, 0.0, math.log(8)]])
    task, logged = fixed(logits, monkeypatch)
    steps = {"train": task.training_step, "val": task.validation_step, "test": task.test_step}
    loss = steps[stage]((torch.zeros(2, 1, 8, 8), torch.tensor([0, 1])))
    # The probabilities are 3/5, 1/5, 1/5 and 1/10, 1/10, 8/10.
    assert loss.item() == pytest.approx(-(math.log(3 / 5) + math.log(1 / 10)) / 2)
    assert {name: value.item() for name, value in logged.items()} == {
        f"{stage}/loss": loss.item(),
        f"{stage}/accuracy": 0.5,
    }


def test_smoothed_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    task, _ = fixed(torch.tensor([[math.log(3), 0.0, 0.0]]), monkeypatch, label_smoothing=0.3)
    loss = task.training_step((torch.zeros(1, 1, 8, 8), torch.tensor([0])))
    assert loss.item() == pytest.approx(-(0.8 * math.log(3 / 5) + 0.2 * math.log(1 / 5)))


def test_predictions_are_probabilities() -> None:
    images = torch.rand(3, 1, 16, 16)
    with torch.no_grad():
        task = tiny().eval()
        found = task.predict_step((images, torch.zeros(3)))
        assert found == pytest.approx(torch.softmax(task(images), 1))
    assert found.sum(1) == pytest.approx(torch.ones(3))


def test_tests_and_predictions_average_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    images, classes = torch.rand(4, 1, 16, 16), torch.tensor([0, 1, 2, 3])
    task, logged = tiny(tta="mirror").eval(), {}
    monkeypatch.setattr(task, "log_dict", lambda values, **_: logged.update(values))
    with torch.no_grad():
        mean = (torch.softmax(task(images), 1) + torch.softmax(task(images.flip(3)), 1)) / 2
        torch.testing.assert_close(task.predict_step((images, classes)), mean)
        loss = task.test_step((images, classes))
        assert loss.item() == pytest.approx(-mean[range(4), classes].log().mean().item())
        assert logged["test/accuracy"] == (mean.argmax(1) == classes).float().mean()
        plain = torch.nn.functional.cross_entropy(task(images), classes)
        torch.testing.assert_close(task.validation_step((images, classes)), plain)


def test_scores_of_a_stage_are_those_of_all_its_images() -> None:
    """The last batch is smaller than the others."""
    task, data = tiny(), DigitsDataModule(size=8, batch_size=100)
    (logged,) = trainer().validate(task, data, verbose=False)
    images, classes = data.sets["validation"].tensors
    with torch.no_grad():
        logits = task.eval()(images)
    accuracy = (logits.argmax(1) == classes).float().mean().item()
    loss = torch.nn.functional.cross_entropy(logits, classes).item()
    assert logged == pytest.approx({"val/accuracy": accuracy, "val/loss": loss}, rel=1e-5)


def test_its_model_file_keeps_labels_size_and_mean(tmp_path: Path) -> None:
    data = DigitsDataModule(size=16, batch_size=100)
    task = tiny(labels=data.find_labels(), mean=(0.5,), std=(0.25,))
    trainer().validate(task, data, verbose=False)
    write_model(task, tmp_path / "digits.safetensors")
    model = read_model(tmp_path / "digits.safetensors", ImageModel)
    assert (model.outputs, model.size) == ([str(digit) for digit in range(10)], 16)
    assert (model.mean, model.std) == ((0.5,), (0.25,))
    images = data.sets["test"].tensors[0][:4]
    with torch.no_grad():
        torch.testing.assert_close(model(images), task.eval()(images))
        torch.testing.assert_close(model(images), model.head(model.backbone((images - 0.5) / 0.25)))


def test_a_seed_repeats_a_training_bitwise() -> None:
    def trained(seed: int) -> list[Tensor]:
        lightning.seed_everything(seed, verbose=False)
        task = ImageTask(create_backbone("lenet5", widths=(4, 8), drop=0.1), n_classes=10)
        trainer(max_epochs=1).fit(task, DigitsDataModule(size=8, batch_size=50, per_class=20))
        return list(task.parameters())

    first = trained(0)
    assert all(map(torch.equal, first, trained(0)))
    assert not any(map(torch.equal, first, trained(1)))


def test_learns_to_tell_two_kinds_apart() -> None:
    torch.manual_seed(0)
    images = 0.1 * torch.rand(40, 1, 8, 8)
    images[:20, :, :, 3] += 1
    images[20:, :, 3] += 1
    examples = list(zip(images, [0] * 20 + [1] * 20, strict=True))
    task = ImageTask(create_backbone("lenet5", widths=(4, 8)), n_classes=2, learning_rate=1e-2)
    loader = DataLoader(examples, batch_size=8, shuffle=True)
    loop = trainer(max_epochs=6)
    loop.fit(task, loader, DataLoader(examples, batch_size=40))
    assert loop.callback_metrics["val/accuracy"] == 1


@pytest.mark.parametrize("n_steps", [1, 2, 10, 100])
def test_the_rate_rises_and_falls_in_any_number_of_steps(n_steps: int) -> None:
    task = ImageTask(create_backbone("linear"), n_classes=2, learning_rate=1e-2)
    task._trainer = SimpleNamespace(estimated_stepping_batches=n_steps)
    configured = task.configure_optimizers()
    rates = []
    for _ in range(n_steps):
        rates.append(configured["optimizer"].param_groups[0]["lr"])
        configured["optimizer"].step()
        configured["lr_scheduler"]["scheduler"].step()
    assert n_steps <= 2 or rates[0] < max(rates) == pytest.approx(1e-2)
    assert n_steps <= 2 or rates[-1] < 1e-6


def test_biases_of_each_place_do_not_decay() -> None:
    task = ImageTask(create_backbone("locally_connected", norm="none"), n_classes=10, weight_decay=0.3)
    task._trainer = SimpleNamespace(estimated_stepping_batches=5)
    decaying, others = task.configure_optimizers()["optimizer"].param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert [p.ndim for p in others["params"]] == [3, 3, 3, 1]  # three layers' and the classifier's


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_classes": 1}, "n_classes is 1, expected a whole number from 2"),
        ({"n_classes": 2, "tta": "flip"}, "tta is 'flip', expected one of mirror, ten_crop, scales"),
        ({"n_classes": 2, "label_smoothing": 1.5}, r"label_smoothing is 1\.5, expected a number from 0 to 1"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageTask(create_backbone("linear"), **arguments)


@pytest.mark.slow
def test_lenet5_reads_digits() -> None:
    """With the settings of configs/digits.yaml."""
    base, config = (
        yaml.safe_load((ROOT / "configs" / name).read_text()) for name in ("base.yaml", "digits.yaml")
    )
    lightning.seed_everything(base["seed_everything"], verbose=False)
    model = {**config["model"]["init_args"], "backbone": create_backbone("lenet5")}
    data = DigitsDataModule(**config["data"]["init_args"])
    loop, task = trainer(max_epochs=config["trainer"]["max_epochs"]), ImageTask(**model)
    loop.fit(task, data)
    (logged,) = loop.test(task, data, verbose=False)
    assert logged["test/accuracy"] >= 0.98
