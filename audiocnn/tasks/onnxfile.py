"""A task -> ONNX: the whole model in one file, waveform to scores, for runtimes without PyTorch."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from audiocnn import files
from audiocnn.tasks.model import NotesModel

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


class _Scores(nn.Module):
    def __init__(self, task: NotesModel) -> None:
        super().__init__()
        self.task = task

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.task.scores(waveform).values())


def save(task: NotesModel, path: str | Path) -> None:
    """Writes the model as ONNX: `waveform` (1, samples) -> scores (1, pitches, frames) by the outputs' names.

    Frame i is that of sample i * hop_length. The file's metadata has `sample_rate` in Hz and `hop_length`.

    Raises: FileError when the packages for it are missing.
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise files.FileError(path, "needs onnx and onnxscript: pip install 'audiocnn[onnx]'")
    names = list(task.scores(torch.zeros(1, N_EXAMPLE)))
    with _quiet():
        program = torch.onnx.export(
            _Scores(task).eval(),
            (torch.zeros(1, N_EXAMPLE),),
            dynamo=True,
            input_names=["waveform"],
            output_names=names,
            dynamic_shapes=[{1: torch.export.Dim("samples", min=1)}],
            verbose=False,
        )
    assert program is not None
    hop_length = str(task.hop_length)
    program.model.metadata_props.update(sample_rate=str(task.sample_rate), hop_length=hop_length)
    with files.written(path) as partial:
        program.save(partial)
