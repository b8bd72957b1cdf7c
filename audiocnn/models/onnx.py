"""A task -> ONNX: the whole model in one file, waveform to scores, for runtimes without PyTorch."""

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
    """Silences what the exporter tells its authors: packages it could do with, old names that it uses."""
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
    """What the file computes, waveform -> outputs by `names`, from `n_least` samples up."""

    n_example, n_least = N_EXAMPLE, 1
    names: list[str]
    metadata: dict[str, str]


class _Scores(_Exported):
    def __init__(self, task: NotesModel) -> None:
        super().__init__()
        self.task = task
        self.names = list(task.scores(torch.zeros(1, N_EXAMPLE)))
        self.metadata = {"sample_rate": str(task.sample_rate), "hop_length": str(task.hop_length)}

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.task.scores(waveform).values())


class _Probabilities(_Exported):
    def __init__(self, task: ClipModel) -> None:
        super().__init__()
        self.task = task
        self.names = ["probabilities"]
        self.n_example, self.n_least = task.n_window, max(task.n_least, 1)
        outputs, window_s = json.dumps(task.outputs), str(task.window_s)
        self.metadata = {"sample_rate": str(task.sample_rate), "window_s": window_s, "outputs": outputs}

    def forward(self, waveform: Tensor) -> Tensor:
        logits = self.task(waveform) / self.task.temperature
        return torch.sigmoid(logits) if self.task.multi_label else torch.softmax(logits, dim=1)


EXPORTED: dict[type[Model], Callable[[Any], _Exported]] = {NotesModel: _Scores, ClipModel: _Probabilities}


def export_onnx(task: Model, path: str | Path) -> None:
    """Writes the model as ONNX, what it is for in the file's metadata.

    Of notes: `waveform` (1, samples) -> scores (1, pitches, frames) by the outputs' names. Frame i is that of
    sample i * hop_length. Metadata: `sample_rate` in Hz and `hop_length`.
    Of labels: `waveform` (1, samples), a window -> `probabilities` (1, outputs). Metadata: `sample_rate` in
    Hz, `window_s`, and `outputs`, a list in JSON: the labels and, with one of them, unknown.

    Raises: FileError when the packages for it are missing.
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise files.FileError(path, "needs onnx and onnxscript: pip install 'audiocnn[onnx]'")
    module = next(wrap for kind, wrap in EXPORTED.items() if isinstance(task, kind))(task)
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            (torch.zeros(1, module.n_example),),
            dynamo=True,
            input_names=["waveform"],
            output_names=module.names,
            dynamic_shapes=[{1: torch.export.Dim("samples", min=module.n_least)}],
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(module.metadata)
    with files.write_atomically(path) as partial:
        program.save(partial)
