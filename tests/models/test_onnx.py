"""Export to ONNX: every shipped model of sound, by the command line, with the scores of torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from audiocnn import files
from audiocnn.backbones.dilated import DilatedNet
from audiocnn.blocks.cost import evaluation_mode
from audiocnn.frontends.mel import LogMel
from audiocnn.models import weights
from audiocnn.models.base import Model
from audiocnn.models.load import load
from audiocnn.models.notes import NotesModel
from audiocnn.models.onnx import EXPORTED, export_onnx

PROGRAM = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
out, model, n_bytes = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(n_bytes), -1))
from audiocnn.cli import main
raise SystemExit(main(["export", out, "--model", model]))
"""
ODD, TEN_SECONDS = 20_011, 160_000  # samples


def export(out: Path, model: str, n_bytes: int = -1) -> subprocess.CompletedProcess[str]:
    """`audiocnn export` in a process that may write files of so many bytes, which stands for a full disk."""
    command = [sys.executable, "-c", PROGRAM, str(out), model, str(n_bytes)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def predict(model: Model, waveform: torch.Tensor) -> list[np.ndarray]:
    """The outputs of torch in the order of the file's, whatever is exported."""
    with torch.inference_mode(), evaluation_mode(model):
        if isinstance(model, NotesModel):
            return [scores.numpy() for scores in model.scores(waveform).values()]
        logits = model(waveform) / model.get_buffer("temperature")
        multi_label = model.init_args["multi_label"]
        return [(logits.sigmoid() if multi_label else logits.softmax(1)).numpy()]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "notes-piano" else pytest.mark.slow)
        for name in weights.names("notes", "labels")
    ],
)
def test_shipped_models_export_with_the_scores_of_torch(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    # A process of its own: the exporter's symbolic numbers are no ints to the checks of annotations here.
    done = export(out, name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{out}: ") and len(done.stdout.splitlines()) <= 2
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    metadata, model = session.get_modelmeta().custom_metadata_map, load(name)
    assert int(metadata["sample_rate"]) == model.sample_rate
    if not isinstance(model, NotesModel):
        assert json.loads(metadata["outputs"]) == [*model.init_args["labels"]] + ["unknown"] * (
            name == "genre"
        )
    generator = torch.Generator().manual_seed(0)
    for n_samples in (int(metadata["min_samples"]), ODD, TEN_SECONDS):
        waveform = torch.rand(1, n_samples, generator=generator) - 0.5
        got = session.run(None, {"waveform": waveform.numpy()})
        for scores, wanted in zip(map(np.asarray, got), predict(model, waveform), strict=True):
            assert scores.shape == wanted.shape
            np.testing.assert_allclose(scores, wanted, atol=1e-3)


def test_what_is_exported_has_a_minimum_length() -> None:
    for name in ("notes-piano", "genre"):
        model = load(name)
        (wrap,) = (wrap for kind, wrap in EXPORTED.items() if isinstance(model, kind))
        hop = model.front_end.hop_length
        assert wrap(model).min_samples == {"notes-piano": 7 * hop, "genre": 31 * hop}[name]


@pytest.mark.slow
def test_a_model_that_pytorch_cannot_export(tmp_path: Path) -> None:
    """Its front end decides by the values of the samples."""

    class Moody(LogMel):
        def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
            return super().forward(waveforms if float(waveforms.max()) > 0.5 else -waveforms)

    backbone = DilatedNet(in_channels=20, channels=4, dilations=(1,))
    model = NotesModel(Moody(8000, 512, 256, n_mels=20), backbone)
    with pytest.raises(files.FileError, match=r"x\.onnx: PyTorch cannot export this model: \w+") as error:
        export_onnx(model, tmp_path / "x.onnx")
    assert "\n" not in str(error.value) and not [*tmp_path.iterdir()]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    """One line, and nothing is left."""
    out = tmp_path / f"out{suffix}"
    done = export(out, "notes-piano", n_bytes=100_000)
    assert done.returncode == 1
    assert done.stderr == f"{out}: File too large\n" and not done.stdout
    assert not [*tmp_path.iterdir()]
