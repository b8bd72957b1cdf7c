"""Model files: what is saved comes back unchanged, and nothing else is let in."""

import json
import pickle
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from audiocnn.augment import SpecAugment
from audiocnn.backbones.dilated import DilatedNet
from audiocnn.backbones.harmonic import HarmonicNet
from audiocnn.frontends.cqt import Cqt
from audiocnn.frontends.mel import LogMel
from audiocnn.frontends.stft import Stft
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import ModelError, describe, read_model, rebuild, write_model
from audiocnn.models.notes import NotesModel
from audiocnn.notes import DecodingOptions
from audiocnn.training.clips import ClipTask, GenreTask, InstrumentTask
from audiocnn.training.notes import NotesTask

T = TypeVar("T", bound=nn.Module)


def dilated() -> NotesTask:
    return NotesTask(
        LogMel(8000, 512, 256, n_mels=20, fmax=3000.0),
        DilatedNet(in_channels=20, channels=8, dilations=(1, 2), groups=2),
    )


def harmonic() -> NotesTask:
    return NotesTask(
        Cqt(8000, 256, fmin=26.9755, n_bins=252, bins_per_octave=36, max_length=1022, floor=1e-4),
        HarmonicNet(channels=4, harmonics=(1, 2), dilations=(((12, 1), (1, 2)),)),
        decoding=DecodingOptions(onset_threshold=0.3, lowest_pitch=40),
        bend=True,
        spec_augment=SpecAugment(p=0.1),
        learning_rate=1e-4,
    )


def varied(task: T) -> T:
    """The task with every number away from its initial value."""
    torch.manual_seed(0)
    for tensor in task.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand_like(tensor))
    return task


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_model(varied(dilated()), path)
    return path


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_written(number: float, saved: Path) -> None:
    before, task = saved.read_bytes(), dilated()
    with torch.no_grad():
        next(task.backbone.parameters())[0] = number
    with pytest.raises(ModelError, match=r"model\.safetensors: backbone\.\S+ has values that are not finite"):
        write_model(task, saved)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize("create", [dilated, harmonic])
def test_comes_back_unchanged(create, tmp_path: Path) -> None:
    task, path = varied(create()), tmp_path / "model.safetensors"
    write_model(task, path)
    loaded = read_model(path)
    assert type(loaded) is NotesModel
    assert not loaded.training
    assert loaded.decoding == task.decoding
    assert loaded.sample_rate == 8000
    assert json.dumps(describe(loaded)) == json.dumps(describe(task, NotesModel))
    waveform = torch.rand(1, 4000) - 0.5
    with torch.no_grad():
        logits = task.eval()(waveform)
        torch.testing.assert_close(loaded(waveform), logits, rtol=1e-6, atol=1e-6)
    assert logits.std(dim=-1).min() > 0


@pytest.mark.parametrize("kind", [GenreTask, InstrumentTask])
def test_a_model_of_labels_comes_back_unchanged(kind: type[ClipTask], tmp_path: Path) -> None:
    front_end, backbone = (
        LogMel(8000, 512, 256, n_mels=20),
        DilatedNet(in_channels=20, channels=8, dilations=(1,)),
    )
    task = kind(front_end, backbone, ["jazz", "rock"], window_s=2.0, threshold=0.4, drop=0.1)
    path = tmp_path / "mine.safetensors"
    varied(task).temperature.fill_(1.7)
    write_model(task, path)
    loaded = read_model(path)
    assert type(loaded) is ClipModel
    assert (loaded.name, loaded.labels, loaded.outputs) == ("mine", task.labels, task.outputs)
    assert (loaded.multi_label, loaded.window_s, loaded.threshold) == (kind is InstrumentTask, 2.0, 0.4)
    assert loaded.temperature.item() == pytest.approx(1.7)
    waveform = torch.rand(1, 4000) - 0.5
    with torch.no_grad():
        torch.testing.assert_close(loaded(waveform), task.eval()(waveform), rtol=1e-6, atol=1e-6)


def test_saves_tensors_and_a_description(saved: Path) -> None:
    task = dilated()
    assert set(load_file(saved)) == set(task.state_dict())
    assert not any(name.startswith("front_end") for name in load_file(saved))
    with safe_open(saved, "pt") as file:
        header = json.loads(file.metadata()["audiocnn"])
    assert header["version"] == 2
    assert header["model"]["class"] == "NotesModel"
    assert list(header["model"]["init_args"]) == ["front_end", "backbone", "decoding", "bend"]
    backbone = header["model"]["init_args"]["backbone"]
    assert backbone["class"] == "DilatedNet"
    arguments = {"in_channels": 20, "channels": 8, "dilations": [1, 2], "groups": 2}
    assert backbone["init_args"].items() >= arguments.items()


def test_writes_beside_and_renames(saved: Path) -> None:
    write_model(dilated(), saved)
    assert [file.name for file in saved.parent.iterdir()] == ["model.safetensors"]


class Bomb:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["zip", "raw", "legacy"])
def test_pickles_are_refused_unread(tmp_path: Path, kind: str) -> None:
    path, mark = tmp_path / "model.safetensors", tmp_path / "mark"
    if kind == "raw":
        path.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        torch.save({"x": Bomb(mark)}, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(ModelError, match=r"model\.safetensors: is a pickle, which could run code"):
        read_model(path)
    assert not mark.exists()


def test_old_pickles_are_refused_unread(tmp_path: Path) -> None:
    path, mark = tmp_path / "model.safetensors", tmp_path / "mark"
    path.write_bytes(pickle.dumps(Bomb(mark), protocol=0))
    with pytest.raises(ModelError, match="damaged, or no safetensors file"):
        read_model(path)
    assert not mark.exists()


@pytest.mark.parametrize("kept", [3, 8, 100, 0.5, 0.999])
def test_truncated(saved: Path, kept: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(ModelError, match=r"model\.safetensors: damaged, or no safetensors file"):
        read_model(saved)


def test_text_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("These are not the weights you are looking for.\n" * 10)
    with pytest.raises(ModelError, match="damaged, or no safetensors file"):
        read_model(tmp_path / "model.safetensors")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no\.safetensors: No such file or directory"):
        read_model(tmp_path / "no.safetensors")
    with pytest.raises(ModelError, match="is a folder, expected a file"):
        read_model(tmp_path)


def write(path: Path, header: object, tensors: dict | None = None) -> None:
    tensors = {"x": torch.zeros(1)} if tensors is None else tensors
    save_file(tensors, path, None if header is None else {"audiocnn": json.dumps(header)})


def test_foreign_safetensors(tmp_path: Path) -> None:
    for header in (None, {"model": {}}, [1, 2], "audiocnn"):
        write(tmp_path / "foreign.safetensors", header)
        with pytest.raises(ModelError, match="has no audiocnn header; expected a model that audiocnn saved"):
            read_model(tmp_path / "foreign.safetensors")


def test_header_that_is_no_json(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", {"audiocnn": "{"})
    with pytest.raises(ModelError, match="damaged, or no safetensors file"):
        read_model(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("version", "advice"),
    [(1, "export it again from its checkpoint"), (3, "update audiocnn"), ("x", "export")],
)
def test_other_versions_are_refused(tmp_path: Path, version: object, advice: str) -> None:
    write(tmp_path / "other.safetensors", {"version": version, "model": {"whatever": "it holds"}})
    with pytest.raises(ModelError, match=f"is of version {version!r}, expected version 2: {advice}"):
        read_model(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"class": "os.system", "init_args": {"command": "true"}}, "class os.system is not registered"),
        ({"class": "Linear", "init_args": {}}, "class Linear is not registered; update audiocnn"),
        ({"class": "audiocnn.models.notes.NotesModel", "init_args": {}}, "is not registered"),
        ({"class": "FileError", "init_args": {}}, "class FileError is not registered"),
        (
            {"class": "Net", "package": "nowhere", "init_args": {}},
            "class Net is not registered; install or import the package nowhere, which has it",
        ),
        ({"class": "NotesModel", "init_args": {}}, "missing 2 required"),
        ({"class": "NotesModel", "init_args": []}, "do not fit"),
        ({"class": "NotesModel"}, "init_args"),
        ({"class": ["NotesModel"], "init_args": {}}, "is not registered"),
        ({"init_args": {}}, "class None is not registered"),
        ([], "do not fit"),
        (None, "do not fit"),
    ],
)
def test_classes_that_are_not_registered(tmp_path: Path, description: object, message: str) -> None:
    path = tmp_path / "model.safetensors"
    write(path, {"version": 2, "model": description})
    with pytest.raises(ModelError, match=message) as error:
        read_model(path)
    assert "\n" not in str(error.value)


def test_a_named_package_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    description = {"class": "Net", "package": "evil", "init_args": {}}
    write(tmp_path / "model.safetensors", {"version": 2, "model": description})
    with pytest.raises(ModelError, match="import the package evil"):
        read_model(tmp_path / "model.safetensors")


def test_a_class_within_the_model_that_is_not_registered(tmp_path: Path) -> None:
    description = describe(dilated(), NotesModel)
    description["init_args"]["backbone"] = {"class": "Popen", "init_args": {"args": ["true"]}}
    write(tmp_path / "model.safetensors", {"version": 2, "model": description})
    with pytest.raises(ModelError, match="class Popen is not registered"):
        read_model(tmp_path / "model.safetensors")


def test_a_front_end_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write(path, {"version": 2, "model": describe(Stft(8000))}, tensors={})
    with pytest.raises(ModelError, match="holds Stft, expected Model"):
        read_model(path)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_tensors_of_another_model(saved: Path, change: str) -> None:
    tensors = load_file(saved)
    if change == "missing":
        del tensors["head.project.bias"]
    elif change == "unknown":
        tensors["head.project.scale"] = torch.zeros(1)
    else:
        tensors["head.project.bias"] = torch.zeros(3)
    write(saved, {"version": 2, "model": describe(dilated(), NotesModel)}, tensors)
    with pytest.raises(
        ModelError, match=r"damaged: its header and tensors do not fit .*head\.project"
    ) as error:
        read_model(saved)
    assert "\n" not in str(error.value)


def test_describe_and_rebuild() -> None:
    """A description is what a config holds: class and arguments, whatever lies within."""
    description = describe(DecodingOptions(frame_threshold=0.2))
    assert description["class"] == "DecodingOptions"
    assert description["init_args"]["frame_threshold"] == 0.2
    assert rebuild(description) == DecodingOptions(frame_threshold=0.2)
    front_end = rebuild(json.loads(json.dumps(describe(Stft(8000, power=2.0)))))
    assert type(front_end) is Stft
    assert front_end.init_args == {"sample_rate": 8000, "n_fft": 2048, "hop_length": 512, "power": 2.0}
