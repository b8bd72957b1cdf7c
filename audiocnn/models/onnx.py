"""Models -> ONNX files: the whole model, waveform -> scores, for runtimes without PyTorch."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiocnn import files
from audiocnn.models.base import Model
from audiocnn.models.clips import ClipModel
from audiocnn.models.notes import NotesModel

N_EXAMPLE = 32_768  # samples that the export runs on; any number can be given to the file


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter logs for its authors: optional packages, deprecated names that it uses."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


class _Exported(nn.Module):
    """Predict as the file does: a waveform of at least `min_samples` -> outputs by `names`."""

    n_example, min_samples = N_EXAMPLE, 1
    names: list[str]
    metadata: dict[str, str]


class _Scores(_Exported):
    def __init__(self, model: NotesModel) -> None:
        super().__init__()
        self.model = model
        # The exporter finds no range of lengths where the coarsest feature map has one position.
        self.min_samples = (2 * model.backbone.time_grid - 1) * model.front_end.hop_length
        self.n_example = max(N_EXAMPLE, 2 * self.min_samples)
        self.names = list(model.scores(torch.zeros(1, self.n_example)))
        self.metadata = {"sample_rate": str(model.sample_rate), "hop_length": str(model.hop_length)}

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.model.scores(waveform).values())


class _Probabilities(_Exported):
    def __init__(self, model: ClipModel) -> None:
        super().__init__()
        self.model = model
        self.names = ["probabilities"]
        self.n_example, self.min_samples = model.n_window, model.min_samples
        outputs, window_s = json.dumps(model.outputs), str(model.window_s)
        self.metadata = {"sample_rate": str(model.sample_rate), "window_s": window_s, "outputs": outputs}

    def forward(self, waveform: Tensor) -> Tensor:
        logits = self.model(waveform) / self.model.temperature
        return torch.sigmoid(logits) if self.model.multi_label else torch.softmax(logits, dim=1)


EXPORTED: dict[type[Model], Callable[[Any], _Exported]] = {NotesModel: _Scores, ClipModel: _Probabilities}


def export_onnx(model: Model, path: str | Path) -> None:
    """Export a model as ONNX, with what its inputs and outputs are in the file's metadata.

    A NotesModel becomes `waveform` (1, samples) -> scores (1, pitches, frames) by the outputs' names; frame i
    lies at sample i * hop_length. Metadata: `sample_rate` in Hz, `hop_length` and `min_samples` in samples. A
    ClipModel becomes `waveform` (1, samples), one window -> `probabilities` (1, outputs). Metadata:
    `sample_rate` in Hz, `window_s` in seconds, `min_samples`, and `outputs`, their names as JSON.

    The file is the network alone. A shorter waveform than `min_samples` is padded with zeros before it is
    given to the file: one of notes at the end, a window of labels on both sides.

    Args:
        model: a NotesModel or ClipModel.
        path: the file, NAME.onnx.

    Raises:
        FileError: the packages for it are missing, PyTorch cannot export the model, or the file cannot be
            written.
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise files.FileError(path, "needs onnx and onnxscript: pip install 'audiocnn[onnx]'")
    module = next(wrap for kind, wrap in EXPORTED.items() if isinstance(model, kind))(model)
    program = _export(module, path)
    program.model.metadata_props.update(module.metadata, min_samples=str(module.min_samples))
    with files.write_atomically(path) as partial:
        program.save(partial)


def _export(module: _Exported, path: str | Path) -> torch.onnx.ONNXProgram:
    """Export a module for waveforms of any length from its minimum on."""
    samples = torch.export.Dim("samples", min=max(module.min_samples, 1))
    with _quiet():
        try:
            program = torch.onnx.export(
                module.eval(),
                (torch.zeros(1, module.n_example),),
                dynamo=True,
                input_names=["waveform"],
                output_names=module.names,
                dynamic_shapes=[{1: samples}],
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).partition("\n")[0]
            raise files.FileError(path, f"PyTorch cannot export this model: {reason}") from error
    assert program is not None
    return program
