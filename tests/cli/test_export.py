"""`audiocnn export`: what is exported is the model, in every format."""

import json
import pickle
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import audiocnn
from audiocnn.models.clips import ClipModel
from audiocnn.models.file import read_model, write_model
from audiocnn.models.load import load

RATE = 16_000
LENET = {"class": "LeNet", "init_args": {}}


def described(name: str, **arguments: object) -> dict[str, object]:
    """A checkpoint without tensors that says it is of a class."""
    task = {"class": name, "init_args": arguments}
    return {"state_dict": {}, "audiocnn": json.dumps({"version": 1, "task": task})}


def test_export_a_model_again(run, tmp_path: Path, model: Path) -> None:
    done = run("export", tmp_path / "again.safetensors", "--model", model)
    assert (done.status, done.err) == (0, [])
    assert (tmp_path / "again.safetensors").read_bytes() == model.read_bytes()


def test_export_an_average(run, tmp_path: Path, model: Path, one_tone: Path) -> None:
    other, out = tmp_path / "other.safetensors", tmp_path / "mean.safetensors"
    network = read_model(model)
    with torch.no_grad():
        for value in network.parameters():
            value += 1
    write_model(network, other)
    done = run("export", out, "--model", model, "--average", other, "--share", "0.25")
    assert (done.status, done.err) == (0, [])
    for name, value in read_model(model).named_parameters():
        torch.testing.assert_close(read_model(out).get_parameter(name), value + 0.25)
    assert run("export", out, "--model", model, "--average", one_tone).status == 2
    assert run("export", out, "--model", model, "--average", other, "--share", "2").status == 2


SPLITS = {
    "the same": ([{"train": ["a"], "validation": ["b"]}] * 2, {"train": ["a"], "validation": ["b"]}, ""),
    "others": (
        [{"train": ["a"], "validation": ["b"], "test": ["c"]}, {"train": ["c"], "test": ["a", "d"]}],
        {"train": ["a", "c"], "validation": ["b"], "test": ["d"]},
        "the split of the average: 2 train, 1 validation, 1 test, of both",
    ),
    "one unknown": (
        [None, {"train": ["a"], "validation": [], "test": []}],
        {"train": ["a"], "validation": [], "test": []},
        "the split of the average: 1 train, 0 validation, 0 test of one of the two; what the other",
    ),
}


@pytest.mark.parametrize("case", SPLITS)
def test_an_average_was_trained_on_what_either_was(run, tmp_path: Path, one_tone: Path, case: str) -> None:
    splits, expected, line = SPLITS[case]
    paths = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for path, split in zip(paths, splits, strict=True):
        model = read_model(one_tone)
        model.split = split
        write_model(model, path)
    done = run("export", tmp_path / "mean.safetensors", "--model", paths[0], "--average", paths[1])
    assert (done.status, len(done.err)) == (0, int(bool(line)))
    assert not line or done.err[0].startswith(line)
    assert read_model(tmp_path / "mean.safetensors").split == expected


def test_a_model_is_never_overwritten_by_its_export(run, tmp_path: Path, model: Path) -> None:
    mine, out = tmp_path / "mine.safetensors", tmp_path / "out.safetensors"
    mine.write_bytes(model.read_bytes())
    for command in (("--model", mine), ("--model", model, "--average", mine)):
        done = run("export", mine, *command)
        assert (done.status, done.err) == (1, [f"{mine}: is one of the inputs, expected another output"])
    assert mine.read_bytes() == model.read_bytes()
    assert run("export", out, "--model", mine).err == []
    assert run("export", out, "--model", mine).err == [f"{out}: is replaced"]


@pytest.mark.slow
def test_onnx_gives_the_scores_of_torch(run, tmp_path: Path, sound, model: Path) -> None:
    assert run("export", tmp_path / "tones.onnx", "--model", model).status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["tones.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "tones.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata == {"sample_rate": "16000", "hop_length": "512", "min_samples": "512"}
    task, music = read_model(model), sound(duration_s=6).astype(np.float32)
    for n_samples in (512, 513, 20_000, 96_000):
        waveform = music[None, :n_samples]
        with torch.inference_mode():
            wanted = task.scores(torch.from_numpy(waveform))
        got = dict(zip(wanted, session.run(None, {"waveform": waveform}), strict=True))
        for name, scores in wanted.items():
            assert got[name].shape == (1, 88, 1 + n_samples // 512)
            np.testing.assert_allclose(got[name], scores.numpy(), atol=1e-4)
    # Frame i is sample i * hop_length: A4 begins at 0.5 s.
    assert got["onset"][0, 69 - 21, : RATE // 512].argmax() == pytest.approx(0.5 * RATE / 512, abs=0.7)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one_tone", "many_tones"])
def test_onnx_gives_the_probabilities_of_torch(
    run, tmp_path: Path, tone, kind: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    assert run("export", tmp_path / "labels.onnx", "--model", path).status == 0
    session = onnxruntime.InferenceSession(tmp_path / "labels.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    names = ["low", "middle", "high"] + ["unknown"] * (kind == "one_tone")
    assert json.loads(metadata.pop("outputs")) == names
    assert metadata == {"sample_rate": "16000", "window_s": "1.0", "min_samples": "0"}
    for n_samples in (1, 777, RATE):
        waveform = tone("middle", duration_s=1)[None, :n_samples]
        window = load(path, kind=ClipModel).split_windows(torch.from_numpy(waveform[0]))
        (got,) = session.run(["probabilities"], {"waveform": window.numpy()})
        wanted = audiocnn.classify((waveform[0], RATE), path).timeline.probabilities
        assert got.shape == (1, len(names))
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert names[got[0].argmax()] == "middle"


def test_export_without_the_onnx_extra(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    monkeypatch.setattr("audiocnn.models.onnx.find_spec", lambda name: None)
    done = run("export", tmp_path / "m.onnx", "--model", model)
    assert done.status == 1
    assert done.err == [f"{tmp_path}/m.onnx: needs onnx and onnxscript: pip install 'audiocnn[onnx]'"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["m.pt", "--model", "notes"], "OUT is m.pt, expected a name that ends in .safetensors or .onnx"),
        (["m.onnx", "--model", "notes", "--share", "0.3"], "--share is given, expected none without average"),
        (["m.onnx"], "give either --model or --checkpoint"),
        (["m.onnx", "--model", "notes", "--checkpoint", "c"], "give either --model or --checkpoint"),
    ],
)
def test_export_wrongly_asked_for(run, arguments: list, reason: str) -> None:
    done = run("export", *arguments)
    assert done.status == 2
    assert done.err == [f"audiocnn export: {reason} (see audiocnn export --help)"]


def test_the_place_is_checked_before_the_work(run, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").mkdir()
    done = run("export", tmp_path / "m.onnx", "--model", "nobody")
    assert (done.status, done.err) == (1, [f"{tmp_path}/m.onnx: is a folder, expected a file to write"])


class Code:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


NO_FIT = "damaged: its description and its tensors do not fit"
TENSORS_ALONE = "damaged, or no checkpoint of tensors alone"
NO_TRAINING = "no checkpoint of a training: it has no state_dict"


@pytest.mark.parametrize(
    ("checkpoint", "reason"),
    [
        (None, "no such file or folder, expected a checkpoint, a run or a folder of runs"),
        (b"", TENSORS_ALONE),
        (b"text", TENSORS_ALONE),
        (pickle.dumps({"state_dict": Code()}), TENSORS_ALONE),
        ({"state_dict": Code()}, TENSORS_ALONE),
        ({"weights": {}}, NO_TRAINING),
        (torch.zeros(3), NO_TRAINING),
        ({"state_dict": {}}, "does not say what its model is: an earlier version wrote it, or "),
        ({"state_dict": {}, "audiocnn": "{"}, NO_FIT),
        (described("system"), "class system is not registered; update audiocnn"),
        (described("ImageTask", backbone=1, n_classes=2), NO_FIT),
        (described("ImageTask", backbone=LENET, n_classes=2), f"{NO_FIT} ("),
    ],
)  # fmt: skip
def test_bad_checkpoint(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: object, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.ckpt"
    if isinstance(checkpoint, bytes):
        path.write_bytes(checkpoint)
    elif checkpoint is not None:
        torch.save(checkpoint, path)
    done = run("export", "out.safetensors", "--checkpoint", path)
    assert (done.status, len(done.err)) == (1, 1)
    assert done.err[0].startswith(f"{path}: {reason}")
    assert [file.name for file in tmp_path.iterdir()] == ([] if checkpoint is None else ["bad.ckpt"])
