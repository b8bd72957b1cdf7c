"""Shards: what is written, by hand; the same clips as from the folder; nothing that an index names is run."""

import io
import json
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiocnn import audio, files
from audiocnn.datasets.clips import sharding, shards
from audiocnn.datasets.clips.cropping import CropOptions, Cropping
from audiocnn.datasets.clips.finding import find_clips
from audiocnn.datasets.clips.loader import ClipsDataModule, LoaderOptions
from audiocnn.datasets.clips.shard_stream import ShardStream

RATE = 8_000
HZ = {"low": 500, "high": 2000}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 low tones and 10 high ones of 0.3 s in a folder per class, and the same as shards of a clip each."""
    folder = tmp_path_factory.mktemp("data")
    for label, hz in HZ.items():
        (folder / "clips" / label).mkdir(parents=True)
        for i in range(10):
            tone = 0.5 * np.sin(2 * np.pi * (hz + i) * np.arange(2400) / RATE)
            soundfile.write(folder / "clips" / label / f"{i}.wav", tone, RATE)
    assert sharding.write_shards(folder / "clips", folder / "shards", sample_rate=RATE, shard_mb=0) == 20
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of the shards, beside one of the clips."""
    shutil.copytree(written, tmp_path / "data")
    return tmp_path / "data" / "shards"


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """The address of the folder on a web server, which serves whole files alone."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def module(folder: Path | str, **arguments) -> ClipsDataModule:
    loader = LoaderOptions(
        batch_size=4, workers=arguments.pop("workers", 0), skip_broken=arguments.pop("skip_broken", False)
    )
    crops = CropOptions(window_s=0.25, **{name: arguments.pop(name) for name in CROPS if name in arguments})
    data = ClipsDataModule(str(folder), **{"sample_rate": RATE, **arguments}, crops=crops, loader=loader)
    data.prepare_data()
    data.setup()
    return data


CROPS = ("sampling", "n_crops", "seed")


def epoch(data: ClipsDataModule) -> list[torch.Tensor]:
    return [waveforms for waveforms, _ in data.train_dataloader()]


def pitches(waveforms: torch.Tensor) -> list[int]:
    return sorted(round(float(one.abs().argmax()) * 4) for one in torch.fft.rfft(waveforms))


def change_index(folder: Path, change: Callable[[dict], object]) -> None:
    index = json.loads((folder / "shards.json").read_text())
    change(index)
    (folder / "shards.json").write_text(json.dumps(index))


def test_what_is_written(folder: Path) -> None:
    index = json.loads((folder / "shards.json").read_text())
    assert (index["version"], index["sample_rate"], index["labels"]) == (2, RATE, ["high", "low"])
    assert [len(index["shards"][part]) for part in ("train", "validation", "test")] == [12, 4, 4]
    assert [len(index["split"][part]) for part in ("train", "validation", "test")] == [12, 4, 4]
    labels = []
    for names in index["shards"].values():
        for name, count in names.items():
            with tarfile.open(folder / name) as tar:
                flac, facts = tar.getnames()
                assert count == 1
                assert flac.removesuffix(".flac") == facts.removesuffix(".json")
                waveform, rate = soundfile.read(tar.extractfile(flac))
                labels += json.loads(tar.extractfile(facts).read())["labels"]
            assert (rate, waveform.shape) == (RATE, (2400,))
    assert sorted(labels) == ["high"] * 10 + ["low"] * 10


def test_where_shards_are(folder: Path) -> None:
    assert shards.is_sharded(str(folder))
    assert shards.is_sharded("https://example.org/clips")
    assert shards.is_sharded("pipe:aws s3 cp s3://bucket/clips/{} -")  # which `Index.read` refuses
    assert not shards.is_sharded(str(folder.parent / "clips"))
    assert not shards.is_sharded("C:/clips")
    assert shards.join_address("https://example.org/clips/", "a.tar") == "https://example.org/clips/a.tar"


def test_a_folder_with_something_in_it_is_refused(folder: Path) -> None:
    with pytest.raises(files.FileError, match="shards: holds files already, expected a new folder"):
        sharding.write_shards(folder.parent / "clips", folder)


def test_all_or_nothing(folder: Path) -> None:
    clips = folder.parent / "clips"
    (clips / "low" / "broken.wav").write_text("no sound")
    with pytest.raises(
        files.FileError, match=r"broken\.wav: no audio .*\(--skip-broken goes on without it\)"
    ):
        sharding.write_shards(clips, folder.parent / "more", sample_rate=RATE)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["clips", "shards"]
    assert sharding.write_shards(clips, folder.parent / "more", sample_rate=RATE, skip_broken=True) == 20


def test_stretches_of_a_file_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tones = [0.5 * np.sin(2 * np.pi * hz * np.arange(2400) / RATE) for hz in HZ.values()]
    soundfile.write(tmp_path / "both.wav", np.concatenate(tones), RATE)
    rows = ["path,labels,start,end,split", "both.wav,low,0,0.3,train", "both.wav,high,0.3,,train"]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    decoded = []
    load = audio.load
    monkeypatch.setattr(audio, "load", lambda path, rate: decoded.append(path) or load(path, rate))
    assert sharding.write_shards(tmp_path / "clips.csv", tmp_path / "shards", sample_rate=RATE) == 2
    assert decoded == [tmp_path / "both.wav"]
    (name,) = shards.Index.read(str(tmp_path / "shards")).shards["train"]
    assert [len(flac) > 100 for flac, _ in shards.read_shard(str(tmp_path / "shards" / name))] == [True] * 2
    index = shards.Index.read(str(tmp_path / "shards"))
    for clip in shards.read_shard(index.locate(name)):
        waveform, (label,) = shards.parse_clip(clip, index, name)
        assert pitches(torch.from_numpy(waveform[:2000])[None]) == [HZ[label]]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches(folder: Path, server: str, workers: int) -> None:
    for path in (folder, server):
        data = module(path, workers=workers)
        assert data.labels == ["high", "low"]
        waveforms, labels = map(torch.cat, zip(*data.train_dataloader(), strict=True))
        assert len(data.train_dataloader()) == 3
        assert waveforms.shape == (12, RATE // 4)
        assert labels.sum(dim=0).tolist() == [6, 6]
        for waveform, (high, _) in zip(waveforms, labels, strict=True):
            (hz,) = pitches(waveform[None])
            assert abs(hz - HZ["high" if high else "low"]) < 12
        whole = list(data.val_dataloader())
        assert len(data.val_dataloader()) == 4
        assert [tuple(waveform.shape) for waveform, _ in whole] == [(1, 2400)] * 4


def test_order_and_crops_repeat_with_the_seed(folder: Path) -> None:
    def two_epochs(seed: int) -> list[torch.Tensor]:
        loader = module(folder, seed=seed).train_dataloader()
        return [torch.cat([waveforms for waveforms, _ in loader]) for _ in range(2)]

    one, again, other = two_epochs(0), two_epochs(0), two_epochs(1)
    assert all(map(torch.equal, one, again))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize(("n_crops", "is_broken"), [(50, False), (None, True)])
def test_batches_come_in_the_same_order_with_any_number_of_workers(
    folder: Path, server: str, n_crops: int | None, is_broken: bool
) -> None:
    """From a disk and from an address, and with clips that cannot be read."""
    if is_broken:
        for number, name in ((1, "missing"), (4, "cut off"), (7, "garbage"), (10, "no sound")):
            BROKEN_SHARDS[name](folder / f"train-{number:06d}.tar")
    epochs = []
    for path, workers in ((server, 0), (server, 2), (folder, 2)):
        data = module(path, workers=workers, n_crops=n_crops, skip_broken=True)
        if path == folder:  # where broken shards are left out at once
            data.train_set = ShardStream(
                shards.Index.read(str(folder)), "train", data.labels, data.cropping, data.loader.batch_size
            )
        loaders = data.train_dataloader(), data.val_dataloader()
        epochs.append([one for loader in loaders for batch in loader for one in batch])
    for other in epochs[1:]:
        assert len(epochs[0]) == len(other)
        assert all(map(torch.equal, epochs[0], other))


def test_a_resumed_epoch_is_that_epoch(folder: Path) -> None:
    loader = module(folder).train_dataloader()
    _, second = ([waveforms for waveforms, _ in loader] for _ in range(2))
    resumed = module(folder).train_dataloader()
    resumed.epochs.n_used = 1
    assert all(map(torch.equal, second, [waveforms for waveforms, _ in resumed]))


def test_an_epoch_has_as_many_crops_as_asked_for(folder: Path) -> None:
    assert [len(batch) for batch in epoch(module(folder, n_crops=30))] == [4] * 7 + [2]
    assert [len(batch) for batch in epoch(module(folder, n_crops=5, workers=2))] == [4, 1]


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("shard_mb", [0, 1])
def test_processes_and_workers_share_all_clips(
    folder: Path, monkeypatch: pytest.MonkeyPatch, world: int, shard_mb: int
) -> None:
    """Each clip is in one place; of those to train on the last is repeated where the numbers do not fit."""
    out = folder.parent / f"shards{shard_mb}"
    sharding.write_shards(folder.parent / "clips", out, sample_rate=RATE, shard_mb=shard_mb)
    index = shards.Index.read(str(out))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: world)
    for part, cropping in (("train", Cropping(RATE, CropOptions(window_s=0.3))), ("validation", None)):
        found, lengths = [], set()
        for rank in range(world):
            monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
            stream = ShardStream(index, part, ["high", "low"], cropping, 2)
            batches = [batch for batch, errors in stream if batch and not errors]
            assert len(batches) == stream.n_batches
            lengths.add(len(batches))
            found += [hz for waveforms, _ in batches for hz in pitches(waveforms[:, :2000])]
        n_clips = sum(index.shards[part].values())
        assert len({*found}) == len({*found} | {*pitches_of(index, part)})
        if cropping:
            assert len(lengths) == 1
            assert len(found) == -(-n_clips // world) * world
        else:
            assert len(found) == n_clips


def pitches_of(index: shards.Index, part: str) -> list[int]:
    clips = [(clip, name) for name in index.shards[part] for clip in shards.read_shard(index.locate(name))]
    waveforms = [shards.parse_clip(clip, index, name)[0] for clip, name in clips]
    return pitches(torch.from_numpy(np.stack(waveforms))[:, :2000])


def test_shards_are_no_clips(folder: Path) -> None:
    with pytest.raises(
        files.FileError, match=r"holds shards, which `audiocnn test .* --data.path .*` reads; "
    ):
        find_clips(folder)


def test_wrong_arguments(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"they are at 8000 Hz: give --model.front_end.sample_rate=8000$"):
        module(folder, sample_rate=16_000)
    with pytest.raises(ValueError, match=r"'balanced', .* own order: give --data.crops.sampling=natural$"):
        module(folder, sampling="balanced")


@pytest.mark.parametrize(
    "name",
    [
        "pipe:touch {proof}", "| touch {proof}", "$(touch {proof}).tar", "a.tar; touch {proof}", "../x.tar",
        "/etc/passwd", "file:///etc/passwd", "http://example.org/a.tar", "a/b.tar", ".tar", "a.zip",
        "a.tar\n",
    ],
)  # fmt: skip
def test_an_index_names_files_beside_it_alone(folder: Path, name: str) -> None:
    proof = folder / "proof"
    change_index(folder, lambda index: index["shards"]["train"].update({name.format(proof=proof): 1}))
    with pytest.raises(files.FileError, match=r"shards\.json: shard .*, expected the name of a \.tar file"):
        module(folder)
    assert not proof.exists()


@pytest.mark.parametrize(
    "path", ["pipe:touch {proof}", "pipe:touch {proof}; cat {folder}/{{}}", "file://{folder}"]
)
def test_addresses_that_are_refused(folder: Path, path: str) -> None:
    proof = folder / "proof"
    with pytest.raises(
        files.FileError, match=r"begins with (pipe|file):, expected a folder, or http:, https:"
    ):
        module(path.format(proof=proof, folder=folder))
    assert not proof.exists()


WRONG_INDICES = {
    "no JSON": lambda folder: (folder / "shards.json").write_text("{"),
    "bytes": lambda folder: (folder / "shards.json").write_bytes(b"\xff\xfe\x00"),
    "deep": lambda folder: (folder / "shards.json").write_text("[" * 100_000),
    "a list": lambda folder: (folder / "shards.json").write_text("[]"),
    "before": lambda folder: change_index(folder, lambda index: index.update(version=1)),
    "no rate": lambda folder: change_index(folder, lambda index: index.update(sample_rate="x")),
    "no labels": lambda folder: change_index(folder, lambda index: index.update(labels=[3])),
    "no part": lambda folder: change_index(folder, lambda index: index["shards"].pop("test")),
    "no shards": lambda folder: change_index(folder, lambda index: index.pop("shards")),
    "a list of shards": lambda folder: change_index(folder, lambda index: index["shards"].update(test=[1])),
    "no count": lambda folder: change_index(
        folder, lambda index: index["shards"]["test"].update({"a.tar": 0})
    ),
    "no split": lambda folder: change_index(folder, lambda index: index.update(split=3)),
}


@pytest.mark.parametrize("name", WRONG_INDICES)
def test_wrong_indices_are_one_line(folder: Path, name: str) -> None:
    WRONG_INDICES[name](folder)
    with pytest.raises(files.FileError, match=r"shards\.json: ") as caught:
        module(folder)
    assert "\n" not in str(caught.value)


def write_tar(path: Path, **members: bytes) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name.replace("_", "."))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def flac(rate: int = RATE, n_channels: int = 1) -> bytes:
    sound = io.BytesIO()
    soundfile.write(sound, np.zeros((2400, n_channels)), rate, format="FLAC")
    return sound.getvalue()


LOW = b'{"labels": ["low"]}'
BROKEN_SHARDS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:2000]),
    "cut off in a header": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "garbage": lambda path: path.write_bytes(b"garbage" * 1000),
    "empty": lambda path: path.write_bytes(b""),
    "no sound": lambda path: write_tar(path, a_json=LOW),
    "no facts": lambda path: write_tar(path, a_flac=flac()),
    "other names": lambda path: write_tar(path, a_flac=flac(), b_json=LOW),
    "more clips": lambda path: write_tar(path, a_flac=flac(), a_json=LOW, b_flac=flac(), b_json=LOW),
    "no JSON": lambda path: write_tar(path, a_flac=flac(), a_json=b"{"),
    "no labels": lambda path: write_tar(path, a_flac=flac(), a_json=b"{}"),
    "labels of another kind": lambda path: write_tar(path, a_flac=flac(), a_json=b'{"labels": [[]]}'),
    "another label": lambda path: write_tar(path, a_flac=flac(), a_json=b'{"labels": ["mid"]}'),
    "no FLAC": lambda path: write_tar(path, a_flac=b"no sound", a_json=LOW),
    "another rate": lambda path: write_tar(path, a_flac=flac(16_000), a_json=LOW),
    "stereo": lambda path: write_tar(path, a_flac=flac(n_channels=2), a_json=LOW),
}


@pytest.mark.parametrize("name", BROKEN_SHARDS)
def test_broken_shards_are_named_and_skipped_if_asked(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    BROKEN_SHARDS[name](folder / "train-000003.tar")
    with pytest.raises(files.FileError, match=r"(.|\n)*train-000003\.tar: (.|\n)*") as caught:
        epoch(module(folder))
    assert "skip_broken=true" in str(caught.value)
    caplog.set_level("INFO")
    n_crops = sum(map(len, epoch(module(folder, skip_broken=True))))
    assert n_crops in (11, 12)  # found out while reading, the clip before is there once more
    told = capsys.readouterr().err + caplog.text
    assert told.count("train-000003.tar") == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_shards_of_an_address_are_found_while_reading(
    folder: Path, server: str, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in ((1, "missing"), (4, "cut off"), (7, "garbage"), (9, "more clips"), (10, "no sound")):
        BROKEN_SHARDS[name](folder / f"train-{number:06d}.tar")
    with pytest.raises(files.FileError, match=r"train-0000\d\d\.tar: .*\(loader\.skip_broken=true"):
        epoch(module(server, workers=workers))
    data = module(server, workers=workers, skip_broken=True)
    assert sum(map(len, epoch(data))) >= 11
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len({*lines}) == 4  # the clip that is too much is not read
    assert all(line.startswith(f"skipped: {server}/train-0000") for line in lines)


@pytest.mark.filterwarnings("ignore:.*LeafSpec")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:The number of training batches")
def test_lightning_counts_the_steps_and_sets_the_epoch(folder: Path) -> None:
    import lightning

    from audiocnn.backbones import DilatedNet
    from audiocnn.frontends.mel import LogMel
    from audiocnn.training.clips import GenreTask

    front_end = LogMel(RATE, n_fft=256, hop_length=80, n_mels=16)
    task = GenreTask(front_end, DilatedNet(in_channels=16, channels=4, dilations=()), ["high", "low"], 0.25)
    data = module(folder)
    trainer = lightning.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, default_root_dir=folder, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(task, data)
    assert trainer.global_step == 9
    assert trainer.estimated_stepping_batches == 9
    assert data.train_set.epoch in (2, 3)
