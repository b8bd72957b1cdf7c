"""GenreTask and InstrumentTask: what they are trained as, and what they learn, the unknown included."""

from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, LambdaCallback
from torch.utils.data import DataLoader, TensorDataset

from audiocnn.augment import Mixup
from audiocnn.backbones import create_backbone
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.waveform import Waveform
from audiocnn.labels import UNKNOWN
from audiocnn.training.clips import ClipTask, GenreTask, InstrumentTask

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]
RATE = 4000
LABELS = ["low", "middle", "high"]
FREQUENCIES_HZ = (220.0, 600.0, 1500.0)


def tiny(kind: type[ClipTask] = GenreTask, **arguments) -> ClipTask:
    torch.manual_seed(0)
    front_end = LogMel(RATE, 256, 128, n_mels=32)
    backbone = create_backbone("resnet_small", in_channels=1, widths=(8, 8, 8, 16))
    arguments = {"window_s": 1.0, "learning_rate": 0.01, **arguments}
    return kind(front_end, backbone, LABELS, **arguments)


def tones(multi_label: bool, n: int, seed: int) -> TensorDataset:
    """A second of tones in noise, each with its labels; some of noise alone."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(RATE) / RATE
    targets = np.zeros((n, 3))
    for row in targets:
        if multi_label:
            row[:] = rng.random(3) < 0.4
        elif rng.random() < 0.8:
            row[rng.integers(3)] = 1
    phases, gains = rng.uniform(0, 2 * np.pi, (n, 3, 1)), rng.uniform(0.1, 0.5, (n, 3, 1))
    sines = np.sin(2 * np.pi * np.array(FREQUENCIES_HZ)[None, :, None] * times_s + phases)
    waveforms = (targets[:, :, None] * gains * sines).sum(1) + 0.02 * rng.standard_normal((n, RATE))
    return TensorDataset(torch.tensor(waveforms).float(), torch.tensor(targets).float())


def quiet(epochs: int, **arguments) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        check_val_every_n_epoch=epochs,
        **arguments,
    )


def validation(multi_label: bool) -> DataLoader:
    return DataLoader(tones(multi_label, 40, 1), 1)


def fitted(task: ClipTask, epochs: int = 6, **arguments) -> ClipTask:
    train = DataLoader(tones(task.multi_label, 192, 0), 16, shuffle=True)
    quiet(epochs, **arguments).fit(task, train, validation(task.multi_label))
    return task.eval()


def said(task: ClipTask, waveforms: torch.Tensor) -> torch.Tensor:
    """The probabilities of a recording, (outputs,)."""
    with torch.inference_mode():
        return task.predict_step((waveforms, torch.zeros(1, 3)))[0]


def test_outputs_are_the_labels_and_with_one_of_them_unknown() -> None:
    assert tiny().outputs == [*LABELS, UNKNOWN]
    assert tiny(InstrumentTask).outputs == LABELS
    assert tiny()(torch.zeros(2, RATE)).shape == (2, 4)
    assert tiny(InstrumentTask)(torch.zeros(2, RATE)).shape == (2, 3)


def test_what_has_no_label_is_unknown() -> None:
    targets = torch.tensor([[0.0, 1, 0], [0, 0, 0], [0.25, 0.25, 0]])
    expected = torch.tensor([[0.0, 1, 0, 0], [0, 0, 0, 1], [0.25, 0.25, 0, 0.5]])
    torch.testing.assert_close(tiny().to_output_targets(targets), expected)
    torch.testing.assert_close(tiny(InstrumentTask).to_output_targets(targets), targets)


def test_losses_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    targets = torch.tensor([[1.0, 0, 0, 0]])
    log_sum = np.log(np.exp(2) + 3)
    assert tiny().loss(logits, targets).item() == pytest.approx(log_sum - 2)
    smoothed = tiny(label_smoothing=0.2).loss(logits, targets).item()
    assert smoothed == pytest.approx(0.85 * (log_sum - 2) + 0.15 * log_sum)
    multi_label = tiny(InstrumentTask, label_smoothing=0.2).loss(
        torch.zeros(1, 3), torch.tensor([[1.0, 0, 1]])
    )
    assert multi_label.item() == pytest.approx(np.log(2))
    multi_label = tiny(InstrumentTask, label_smoothing=0.2).loss(torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    assert multi_label.item() == pytest.approx(np.log1p(np.exp(-3)) + 0.1 * 3, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0, expected 0 or more and less than 1"),
        ({"labels": []}, "labels are .*, expected at least one"),
        ({"labels": ["a", "a"]}, "labels are .*'a', 'a'.*none twice"),
    ],
)
def test_refuses_what_cannot_be(arguments: dict, message: str) -> None:
    labels = arguments.pop("labels", LABELS)
    with pytest.raises(ValueError, match=message):
        GenreTask(LogMel(RATE), create_backbone("lenet5"), labels, **arguments)


def test_refuses_data_whose_labels_are_in_another_order() -> None:
    some = tones(multi_label=False, n=4, seed=0)
    data = lightning.LightningDataModule.from_datasets(some, some)
    data.labels = LABELS[::-1]
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(ValueError, match=r"labels of the data is \['high', .* expected .* \['low', "):
        trainer.fit(tiny(), data)


def test_genre_learns_and_knows_what_it_does_not_know() -> None:
    task = fitted(tiny())
    logged = task.trainer.callback_metrics
    assert logged["val/accuracy"] > 0.95 and logged["val/f1"] > 0.9
    noise = 0.02 * torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(0))
    assert said(task, noise).argmax() == 3
    tone = 0.3 * torch.sin(2 * torch.pi * 600 * torch.arange(3 * RATE) / RATE)[None] + noise
    assert said(task, tone).argmax() == 1


def test_instruments_that_sound_together_are_all_predicted() -> None:
    task = fitted(tiny(InstrumentTask), epochs=8)
    assert task.trainer.callback_metrics["val/map"] > 0.95
    times_s = torch.arange(2 * RATE) / RATE
    both = sum(0.3 * torch.sin(2 * torch.pi * frequency * times_s) for frequency in (220.0, 1500.0))
    values = said(task, (both + 0.02 * torch.randn(2 * RATE))[None])
    assert values[0] > 0.5 > values[1] and values[2] > 0.5


def test_probabilities_are_calibrated_after_validation_and_stay_with_the_weights() -> None:
    task = tiny(mix=Mixup(0.5))
    assert task.temperature == 1
    temperature = fitted(task, epochs=2).temperature.clone()
    assert 0.05 < temperature < 20 and temperature != 1
    other = tiny()
    other.load_state_dict(task.state_dict())
    assert other.temperature == temperature


def test_the_temperature_of_a_checkpoint_is_that_of_averaged_weights(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    saves = LambdaCallback(on_validation_end=lambda trainer, task: trainer.save_checkpoint(path))
    fitted(tiny(mix=Mixup(0.5)), epochs=2, callbacks=[EMAWeightAveraging(decay=0.9), saves])
    state = torch.load(path, weights_only=False)["state_dict"]
    saved = tiny()
    saved.load_state_dict(state)
    quiet(1).validate(saved, validation(saved.multi_label), verbose=False)
    assert state["temperature"] != 1
    torch.testing.assert_close(saved.temperature, state["temperature"])


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second = (fitted(tiny(), epochs=1).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", [GenreTask, InstrumentTask])
def test_a_test_has_the_figures_of_a_validation_and_fits_no_temperature(kind: type[ClipTask]) -> None:
    task, clips = tiny(kind), validation(kind.multi_label)
    trainer = quiet(1)
    (validated,) = trainer.validate(task, clips, verbose=False)
    temperature = task.temperature.clone()
    (tested,) = trainer.test(task, clips, verbose=False)
    assert tested == pytest.approx(
        {name.replace("val/", "test/"): value for name, value in validated.items()}
    )
    assert {"test/loss", "test/f1"} < set(tested)
    assert task.temperature == temperature


def test_waveform_networks_hear_too() -> None:
    backbone = create_backbone("m5_small", dims=1, in_channels=1, stem_channels=8, widths=(8, 8, 16))
    task = GenreTask(Waveform(RATE), backbone, LABELS, window_s=1.0)
    assert task(torch.zeros(2, RATE)).shape == (2, 4)
    assert task.split_windows(torch.zeros(1)).shape == (1, task.min_samples)


def test_short_multi_label_clips_are_padded_by_silence() -> None:
    shape = tiny(InstrumentTask).split_windows(torch.ones(2)).nonzero().tolist()
    assert shape == [[0, RATE // 2 - 1], [0, RATE // 2]]
