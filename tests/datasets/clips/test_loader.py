"""Clips to batches: waveforms hold what their targets say, and items repeat with their seed."""

from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from audiocnn.augment import RandomRecording
from audiocnn.datasets.clips import cache
from audiocnn.datasets.clips.cropping import CropOptions
from audiocnn.datasets.clips.items import Crops, WholeClips, encode_labels
from audiocnn.datasets.clips.loader import ClipsDataModule, LoaderOptions
from audiocnn.datasets.clips.sources import Clip
from audiocnn.datasets.clips.splits import SplitOptions
from audiocnn.datasets.epochs import EpochSampler
from audiocnn.files import FileError

RATE = 8_000
HZ = {"low": 500, "high": 2000}


def tone(label: str, duration_s: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * HZ[label] * np.arange(round(duration_s * RATE)) / RATE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder per class: 8 low tones of 1 s, and 4 high ones of 0.3 s."""
    for label, n, duration_s in (("low", 8, 1.0), ("high", 4, 0.3)):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for i in range(n):
            soundfile.write(tmp_path / "clips" / label / f"{i}.wav", tone(label, duration_s), RATE)
    return tmp_path / "clips"


def module(folder: Path, **arguments) -> ClipsDataModule:
    groups = {"crops": CropOptions, "split": SplitOptions, "loader": LoaderOptions}
    settings = {"window_s": 0.5, "batch_size": 4, "workers": 0, "cache": str(folder.parent / "cache")}
    settings |= arguments
    options = {
        name: kind(
            **{field.name: settings.pop(field.name) for field in fields(kind) if field.name in settings}
        )
        for name, kind in groups.items()
    }
    data = ClipsDataModule(str(folder), **{"sample_rate": RATE, **settings}, **options)
    data.prepare_data()
    data.setup()
    return data


def pitch_hz(waveform: Tensor) -> float:
    return float(torch.fft.rfft(waveform).abs().argmax()) * RATE / len(waveform)


def epoch(data: ClipsDataModule) -> tuple[Tensor, Tensor]:
    waveforms, labels = zip(*data.train_dataloader(), strict=True)
    return torch.cat(waveforms), torch.cat(labels)


@pytest.mark.parametrize("workers", [0, 2])
def test_training_batches(folder: Path, workers: int) -> None:
    data = module(folder, workers=workers, validation=0.25, test=0.25)
    assert data.labels == ["high", "low"]
    waveforms, labels = epoch(data)
    assert waveforms.shape == (6, RATE // 2)
    assert (waveforms.dtype, labels.dtype) == (torch.float32, torch.float32)
    assert labels.sum(dim=0).tolist() == [2, 4]
    for waveform, (high, _) in zip(waveforms, labels, strict=True):
        assert pitch_hz(waveform) == pytest.approx(HZ["high" if high else "low"], abs=2 / 0.3)


def test_whole_clips(folder: Path) -> None:
    data = module(folder, validation=0.25, test=0.25)
    for loader in (data.val_dataloader(), data.test_dataloader(), data.predict_dataloader()):
        batches = list(loader)
        assert [tuple(waveform.shape) for waveform, _ in batches] == [(1, 2400), (1, 8000), (1, 8000)]
        assert [target.tolist() for _, target in batches] == [[[1, 0]], [[0, 1]], [[0, 1]]]
    assert [clip.path.parent.name for clip in data.val_set.clips] == ["high", "low", "low"]
    np.testing.assert_allclose(data.val_set[1][0], tone("low", 1.0), atol=1e-4)


def test_short_clips_lie_whole_in_silence_at_any_place(folder: Path) -> None:
    data = module(folder, test=0, labels=["high", "low"], sampling="balanced", n_crops=60)
    waveforms, labels = epoch(data)
    starts = [
        int(waveform.abs().gt(0.01).nonzero()[0])
        for waveform, (high, _) in zip(waveforms, labels, strict=True)
        if high
    ]
    for waveform, (high, _) in zip(waveforms, labels, strict=True):
        n_silent = int((waveform.abs() < 1e-4).sum())
        assert n_silent >= RATE // 2 - 2400 if high else n_silent < RATE // 8 + 2
    assert min(starts) < 400 < 1200 < max(starts) <= 1601


def test_balanced_draws_each_label_as_often(folder: Path) -> None:
    shares = {}
    for sampling in ("natural", "balanced"):
        _, labels = epoch(module(folder, sampling=sampling, n_crops=400, test=0, validation=0))
        shares[sampling] = float(labels[:, 0].mean())
    assert shares["natural"] == pytest.approx(1 / 3, abs=0.01)
    assert shares["balanced"] == pytest.approx(1 / 2, abs=0.07)


def test_natural_goes_through_all_clips_first(folder: Path) -> None:
    data = module(folder, test=0, validation=0)
    drawn = [[data.train_set._draw(epoch, i, None) for i in range(24)] for epoch in range(2)]
    for order in drawn:
        assert sorted(order[:12]) == sorted(order[12:]) == list(range(12))
        assert order[:12] != order[12:]
    assert drawn[0] != drawn[1]


def test_items_repeat_and_differ(folder: Path) -> None:
    def heard(seed: int = 0, workers: int = 0) -> tuple[Tensor, Tensor]:
        return epoch(module(folder, augment=RandomRecording(), negative_p=0.3, seed=seed, workers=workers))

    assert all(map(torch.equal, heard(), heard()))
    assert all(map(torch.equal, heard(), heard(workers=2)))
    assert not torch.equal(heard()[0], heard(seed=1)[0])
    data = module(folder, augment=RandomRecording())
    loader = data.train_dataloader()
    first, second = (torch.cat([waveforms for waveforms, _ in loader]) for _ in range(2))
    assert not torch.equal(first, second)
    loader.sampler.n_used = 0
    assert torch.equal(first, torch.cat([waveforms for waveforms, _ in loader]))


def test_half_of_the_clips_of_a_label_have_it_alone(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.wav" for i in range(9)]
    for path in paths:
        soundfile.write(path, tone("low", 0.2), RATE)
    clips = [Clip(path, ("a", "b") if i else ("a",)) for i, path in enumerate(paths)]
    sounds = cache.open_cache(paths, RATE, tmp_path / "cache")
    options = CropOptions(window_s=0.2, sampling="balanced", alone_p=0.5)
    crops = Crops(clips, sounds, ["a", "b"], options)
    drawn = torch.stack([crops[0, i][1] for i in range(400)])
    alone = float((drawn.sum(1) == 1).float().mean())  # never of b, which none has alone
    assert alone == pytest.approx(1 / 2 * (1 / 2 + 1 / 2 / 9), abs=0.07)


def test_negative_examples_are_none_of_the_labels(folder: Path) -> None:
    _, labels = epoch(module(folder, negative_p=0.25, n_crops=200))
    assert float((labels.sum(dim=1) == 0).float().mean()) == pytest.approx(0.25, abs=0.08)
    _, labels = epoch(module(folder, negative_p=1.0))
    assert not labels.any()


def test_augmentation_has_a_second_before_the_crop(folder: Path) -> None:
    heard = []

    def augment(
        waveform: np.ndarray, n_samples: int, sample_rate: int, rng: np.random.Generator
    ) -> np.ndarray:
        assert (len(waveform), sample_rate) == (n_samples, RATE)
        heard.append(n_samples)
        return -waveform

    one, other = module(folder, augment=augment).train_set, module(folder).train_set
    assert len(one[0, 0][0]) == RATE // 2
    assert heard[0] >= RATE // 2 + RATE
    assert torch.equal(one[0, 0][0], -other[0, 0][0])


def test_stretches_of_a_file(tmp_path: Path) -> None:
    """A crop of a stretch holds nothing of what lies beside it, and the end of the file ends a stretch."""
    waveform = np.concatenate([tone("low", 1.0), tone("high", 1.0)])
    soundfile.write(tmp_path / "both.wav", waveform, RATE)
    path = tmp_path / "both.wav"
    clips = [Clip(path, ("low",), 0.25, 1.0), Clip(path, ("high",), 1.0, 9.0), Clip(path, (), 2.5)]
    sounds = cache.open_cache([path], RATE, tmp_path / "cache")
    crops = Crops(clips[:2], sounds, ["high", "low"], CropOptions(window_s=0.25, seed=1))
    for item in ((epoch, i) for epoch in range(5) for i in range(2)):
        crop, target = crops[item]
        assert pitch_hz(crop) == HZ["high" if target[0] else "low"]
        assert float(crop.abs().max()) == pytest.approx(0.5, abs=0.001)
    whole = WholeClips(clips, sounds, ["high", "low"])
    assert [len(whole[0][0]), len(whole[1][0])] == [6000, 8000]
    np.testing.assert_allclose(whole[1][0], waveform[8000:], atol=1e-4)
    with pytest.raises(ValueError, match=r"both\.wav: start is 2\.5 s, expected less than 2\.0 s"):
        whole[2]


def test_labels_of_a_file(folder: Path) -> None:
    (folder.parent / "labels.txt").write_text("low\nmid\nhigh\n")
    assert module(folder, labels=str(folder.parent / "labels.txt")).labels == ["low", "mid", "high"]


def test_encode_labels() -> None:
    clip = Clip(Path("x.wav"), ("b", "d"))
    assert encode_labels(clip, ["a", "b", "c", "d"]).tolist() == [0, 1, 0, 1]


def test_epoch_sampler() -> None:
    sampler = EpochSampler(2)
    assert [*sampler, *sampler] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len(sampler) == 2


@pytest.mark.filterwarnings("ignore:.*LeafSpec")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*training_step. returned .None")
@pytest.mark.filterwarnings("ignore:The number of training batches")
def test_lightning_gives_each_epoch_items_of_its_own(folder: Path, tmp_path: Path) -> None:
    import lightning

    class Task(lightning.LightningModule):
        heard: ClassVar = Counter()
        validated = 0

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
            for waveform in batch[0]:
                self.heard[self.current_epoch, round(float(waveform.abs().sum()), 3)] += 1

        def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
            Task.validated += 1

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)

    data = module(folder, augment=RandomRecording())
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, default_root_dir=tmp_path, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(Task(), data)
    sums = [{value for epoch, value in Task.heard if epoch == e} for e in (0, 1)]
    assert len(sums[0]) == len(sums[1]) == len(data.train_set)
    assert not sums[0] & sums[1]
    assert Task.validated == 2 * len(data.val_set)


def test_broken_files(folder: Path) -> None:
    (folder / "low" / "broken.wav").write_text("no sound")
    with pytest.raises(
        FileError, match=r"clips: 1 files or clips cannot be read, loader.skip_broken=true(.|\n)*broken\.wav"
    ):
        module(folder)
    data = module(folder, skip_broken=True, test=0, validation=0)
    assert len(data.train_set) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window_s": 0}, "window_s is 0, expected more than 0"),
        ({"negative_p": 2}, "negative_p is 2, expected a number from 0 to 1"),
        ({"alone_p": -1}, "alone_p is -1, expected a number from 0 to 1"),
        ({"labels": ["low", "mid"]}, "clips have the labels high, expected low, mid"),
        ({"layout": "nowhere"}, "layout is 'nowhere', expected folder, gtzan"),
    ],
)
def test_wrong_arguments(folder: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        module(folder, **arguments)
