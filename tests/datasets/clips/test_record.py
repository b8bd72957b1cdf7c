"""The split of a training is known again by the content of its files, wherever they lie."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiocnn.datasets.clips.finding import find_clips
from audiocnn.datasets.clips.loader import ClipsDataModule, LoaderOptions
from audiocnn.datasets.clips.manifest import read_manifest
from audiocnn.datasets.clips.record import add_digests, apply_records, record_split
from audiocnn.datasets.clips.sources import Clip
from audiocnn.datasets.clips.splits import describe_split, split_clips

RATE = 8_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder per class: 12 sounds of each of two classes, all different."""
    for number, label in enumerate(("low", "high")):
        (tmp_path / "music" / label).mkdir(parents=True)
        for i in range(12):
            tone = 0.5 * np.sin((1 + number) * np.arange(2400) / (5 + i / 10))
            soundfile.write(tmp_path / "music" / label / f"{i}.wav", tone, RATE)
    return tmp_path / "music"


def module(folder: Path, **arguments) -> ClipsDataModule:
    cache = str(arguments.pop("cache", folder.parent / "cache"))
    loader = LoaderOptions(batch_size=4, workers=0, cache=cache, **arguments)
    data = ClipsDataModule(str(folder), sample_rate=RATE, loader=loader)
    data.prepare_data()
    data.setup()
    return data


def parts(data: ClipsDataModule) -> dict[str, str | None]:
    return {f"{clip.labels[0]}/{clip.path.name}": clip.split for clip in data._clips}


def test_a_split_does_not_depend_on_where_the_files_lie(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = module(folder)
    shutil.copytree(folder, folder.parent / "elsewhere" / "mine")
    assert module(folder.parent / "elsewhere" / "mine").record == before.record
    monkeypatch.chdir(folder.parent)
    assert parts(module(Path("music"))) == parts(before)
    assert parts(module(Path("elsewhere/../music"))) == parts(before)
    (folder / "low" / "0.wav").rename(folder / "low" / "zero.wav")
    assert module(folder).record == before.record


def test_one_cache_for_every_way_to_write_a_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    (folder.parent / "link").symlink_to(folder)
    expected = torch.stack([waveform for waveform, _ in module(folder).val_set])
    for path in ("music", "./music/", "music/../music", "link", str(folder), str(folder.parent / "link")):
        data = module(Path(path), cache=folder.parent / "cache")
        assert len(data.train_set) == 16
        assert torch.equal(torch.stack([waveform for waveform, _ in data.val_set]), expected)
    assert len([*(folder.parent / "cache").glob("*.pcm")]) == 1


def test_a_record_is_found_again_in_a_copy(folder: Path) -> None:
    clips = split_clips(add_digests(find_clips(folder).clips))
    shutil.copytree(folder, folder.parent / "copy")
    soundfile.write(folder.parent / "copy" / "low" / "new.wav", np.zeros(2400), RATE)
    copies = apply_records(add_digests(find_clips(folder.parent / "copy").clips), [record_split(clips)])
    expected = {clip.path.relative_to(folder): clip.split for clip in clips}
    expected[Path("low/new.wav")] = None
    assert {clip.path.relative_to(folder.parent / "copy"): clip.split for clip in copies} == expected


def test_of_two_records_training_holds() -> None:
    clip = Clip(Path("a.wav"), ("a",), split="test", digest="0")
    one, other = {"validation": ["0"]}, {"train": ["0"], "test": ["1"]}
    assert [c.split for c in apply_records([clip], [one, other])] == ["train"]
    assert [c.split for c in apply_records([clip], [one])] == ["validation"]
    assert [c.split for c in apply_records([replace(clip, digest="2")], [one, other])] == ["test"]


def test_copies_are_counted_and_as_many_are_in_each_part() -> None:
    clips = [Clip(Path(f"{i}.wav"), ("a",), digest="0") for i in range(10)]
    divided = split_clips(clips)
    record = record_split(divided)
    assert {part: len(digests) for part, digests in record.items()} == {
        "train": 6, "validation": 2, "test": 2,
    }  # fmt: skip
    assert record_split(apply_records(clips, [record])) == record
    assert describe_split(divided).endswith("; 4 files not in train are copies of files in it")


def test_labels_that_a_part_lacks_are_named() -> None:
    clips = [Clip(Path(f"a{i}.wav"), ("a",)) for i in range(20)]
    clips += [Clip(Path("b0.wav"), ("b",)), Clip(Path("c0.wav"), ("c",))]
    line = describe_split(split_clips(clips))
    assert line.startswith("train 15, validation 4, test 3; ") or line.startswith("train 1")
    assert "no clip in validation of b, c" in line
    assert "no clip in test of b, c" in line


def test_a_resumed_training_keeps_its_split(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = module(folder)
    state = json.loads(json.dumps(first.state_dict()))
    for i in range(6):
        tone = 0.5 * np.sin(3 * np.arange(2400) / (5 + i / 10))
        soundfile.write(folder / "low" / f"added{i}.wav", tone, RATE)
    caplog.clear()
    resumed = module(folder)
    resumed.load_state_dict(state)
    for loader in (resumed.val_dataloader, resumed.train_dataloader):
        loader()
    told = [line for line in caplog.messages if line.startswith("split: ")]
    assert told == [
        "split: as the checkpoint says it; 6 clips were added since",
        f"split: {describe_split(resumed._clips)}",
    ]
    after = parts(resumed)
    assert {name: after[name] for name in parts(first)} == parts(first)
    assert {part for name, part in after.items() if "added" in name} <= {"train", "validation", "test"}
    assert len(resumed.train_set) + len(resumed.val_set) + len(resumed.test_set) == 30


@pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:The number of training batches", "ignore:.*in the `DataLoader` to")
def test_a_training_writes_its_split(folder: Path, tmp_path: Path) -> None:
    import lightning

    from audiocnn.backbones import DilatedNet
    from audiocnn.frontends.mel import LogMel
    from audiocnn.training.clips import GenreTask

    front_end = LogMel(RATE, n_fft=256, hop_length=80, n_mels=16)
    task = GenreTask(front_end, DilatedNet(in_channels=16, channels=4, dilations=()), ["high", "low"], 0.25)
    data = ClipsDataModule(
        str(folder), sample_rate=RATE, loader=LoaderOptions(workers=0, cache=str(tmp_path / "cache"))
    )
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path / "run", num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(task, data)
    written = read_manifest(tmp_path / "run" / "split.jsonl")
    assert {(clip.path, clip.labels, clip.split) for clip in written} == {
        (clip.path, clip.labels, clip.split) for clip in data._clips
    }
    (path,) = (tmp_path / "run").rglob("*.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["ClipsDataModule"] == {"split": data.record}
    assert os.path.isabs(json.loads((tmp_path / "run" / "split.jsonl").read_text().splitlines()[0])["path"])
