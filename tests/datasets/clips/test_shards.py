"""Shards: what is written, by hand; and with webdataset, the same clips as from the folder."""

import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiocnn.datasets.clips import shards
from audiocnn.datasets.clips.cropping import CropOptions
from audiocnn.datasets.clips.loader import ClipsDataModule, LoaderOptions

RATE = 8_000
HZ = {"low": 500, "high": 2000}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """10 low tones and 10 high ones of 0.3 s in a folder per class, and the same as shards of 4 clips."""
    for label, hz in HZ.items():
        (tmp_path / "clips" / label).mkdir(parents=True)
        for i in range(10):
            tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(2400) / RATE)
            soundfile.write(tmp_path / "clips" / label / f"{i}.wav", tone, RATE)
    assert shards.write_shards(tmp_path / "clips", tmp_path / "shards", sample_rate=RATE, shard_mb=0) == 20
    return tmp_path / "shards"


def module(folder: Path, **arguments) -> ClipsDataModule:
    loader = LoaderOptions(batch_size=4, workers=arguments.pop("workers", 0))
    crops = CropOptions(window_s=0.25, sampling=arguments.pop("sampling", "natural"))
    data = ClipsDataModule(str(folder), **{"sample_rate": RATE, **arguments}, crops=crops, loader=loader)
    data.prepare_data()
    data.setup()
    return data


def test_what_is_written(folder: Path) -> None:
    index = json.loads((folder / "shards.json").read_text())
    assert (index["sample_rate"], index["labels"]) == (RATE, ["high", "low"])
    assert [len(index["shards"][part]) for part in ("train", "validation", "test")] == [13, 4, 3]
    heard = []
    for names in index["shards"].values():
        for name in names:
            with tarfile.open(folder / name) as tar:
                flac, told = tar.getnames()
                assert flac.removesuffix(".flac") == told.removesuffix(".json")
                waveform, rate = soundfile.read(tar.extractfile(flac))
                heard += json.loads(tar.extractfile(told).read())["labels"]
            assert (rate, waveform.shape) == (RATE, (2400,))
    assert sorted(heard) == ["high"] * 10 + ["low"] * 10


def test_where_shards_are(folder: Path) -> None:
    assert shards.is_sharded(str(folder))
    assert shards.is_sharded("https://example.org/clips")
    assert shards.is_sharded("pipe:aws s3 cp s3://bucket/clips/{} -")
    assert not shards.is_sharded(str(folder.parent / "clips"))
    assert shards.join_address("https://example.org/clips/", "a.tar") == "https://example.org/clips/a.tar"
    assert shards.join_address("pipe:cat x/{} -", "a.tar") == "pipe:cat x/a.tar -"


def test_a_folder_with_something_in_it_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="shards holds files already, expected a new folder"):
        shards.write_shards(folder.parent / "clips", folder)


def test_without_webdataset(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs webdataset: pip install 'audiocnn\[shards\]'"):
        module(folder)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("path", ["{}", "pipe:cat {}/{{}}"])
def test_batches(folder: Path, workers: int, path: str) -> None:
    pytest.importorskip("webdataset")
    torch.manual_seed(0)
    data = module(path.format(folder), workers=workers)
    assert data.labels == ["high", "low"]
    waveforms, labels = map(torch.cat, zip(*data.train_dataloader(), strict=True))
    assert waveforms.shape == (13, RATE // 4)
    assert labels.sum(dim=0).tolist() == [7, 6]
    for waveform, (high, _) in zip(waveforms, labels, strict=True):
        assert float(torch.fft.rfft(waveform).abs().argmax()) * 4 == HZ["high" if high else "low"]
    whole = list(data.val_dataloader())
    assert [tuple(waveform.shape) for waveform, _ in whole] == [(1, 2400)] * 4


def test_order_and_crops_repeat_with_the_seed(folder: Path) -> None:
    pytest.importorskip("webdataset")

    def heard(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        loader = module(folder, workers=2).train_dataloader()
        return [torch.cat([waveforms for waveforms, _ in loader]) for _ in range(2)]

    one, again, other = heard(0), heard(0), heard(1)
    assert all(map(torch.equal, one, again))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], other[0])


def test_wrong_arguments(folder: Path) -> None:
    pytest.importorskip("webdataset")
    with pytest.raises(ValueError, match="sample rate is 8000, expected 16000 Hz"):
        module(folder, sample_rate=16_000)
    with pytest.raises(ValueError, match="sampling is 'balanced', expected 'natural'"):
        module(folder, sampling="balanced")
