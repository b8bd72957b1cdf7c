"""`audiocnn export`: a checkpoint or a model -> a model file, or ONNX."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import audiocnn
from audiocnn import files
from audiocnn.cli import terminal
from audiocnn.cli.parser import UsageError
from audiocnn.models import weights
from audiocnn.ranges import ArgumentError

if TYPE_CHECKING:
    from torch import nn

HALF = 0.5  # of two models' weights: their mean


def export(
    out: Path,
    *,
    model: str | None = None,
    checkpoint: Path | None = None,
    average: str | None = None,
    share: float | None = None,
) -> int:
    """Write a model file (OUT.safetensors), or the model from waveform to scores as ONNX (OUT.onnx).

    The model is one that exists (--model), or what `audiocnn fit` trained (--checkpoint). Checkpoints are
    read without unpickling code. An ONNX model of labels takes one window; for a multi-label model, pad a
    shorter recording with silence on both sides. Averaged with the model that its training started from
    (--average), a fine-tuned model forgets less.

    Args:
        out: the file to write; its suffix, .safetensors or .onnx, is its format.
        model: a model's name (see `audiocnn models`) or file.
        checkpoint: checkpoint of a training; or the folder of a run, or of all runs of a config, such as
            runs/genre_folder: best.ckpt of the latest.
        average: name or file of a model of the same architecture, with which weights are averaged.
        share: share of `average` in the averaged weights, 0 to 1; 0.5 by default.

    Returns:
        The exit status.
    """
    if share is not None and average is None:
        raise UsageError("share is given, expected none without average")
    if share is not None and not 0 <= share <= 1:
        raise UsageError(f"share is {share}, expected 0 to 1")
    if out.suffix not in (".safetensors", ".onnx"):
        raise UsageError(f"out is {out}, expected a name that ends in .safetensors or .onnx")
    read = [weights.path(one) for one in (model, average) if one is not None]
    files.check_writable(out, files.identify(read))
    network = _load(model, checkpoint)
    if average is not None:
        _average(network, average, HALF if share is None else share)
    if out.exists():
        terminal.report(f"{out}: is replaced")
    _write(network, out)
    terminal.tell(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
    return 0


def _load(model: str | None, checkpoint: Path | None) -> "nn.Module":
    if model is not None and checkpoint is None:
        return audiocnn.load(model)
    if model is None and checkpoint is not None:
        return load_checkpoint(checkpoint)
    raise UsageError("give either --model or --checkpoint")


def _average(network: Any, other: str, share: float) -> None:
    """Average a model's weights with those of another; what either was trained on, both were."""
    from audiocnn.datasets.clips.record import merge_records
    from audiocnn.models.file import average_weights

    loaded = audiocnn.load(other)
    try:
        average_weights(network, loaded, share)
    except ArgumentError as error:
        raise UsageError(f"average is {other}: {error}") from error
    splits = [getattr(network, "split", None), loaded.split]
    if splits[0] == splits[1]:
        return
    network.split = merge_records([split for split in splits if split])
    parts = ", ".join(f"{len(digests)} {part}" for part, digests in network.split.items())
    unknown = (
        " of one of the two; what the other was trained on is not known" if None in splits else ", of both"
    )
    terminal.report(f"the split of the average: {parts}{unknown}")


def _write(network: "nn.Module", out: Path) -> None:
    from audiocnn.models.base import Model
    from audiocnn.models.file import write_model
    from audiocnn.models.onnx import export_onnx

    if out.suffix == ".safetensors":
        write_model(getattr(network, "network", network), out)  # of a StyleTask what it trains
    elif isinstance(network, Model):
        export_onnx(network, out)
    else:
        raise UsageError(f"out is {out}, expected a .safetensors file: ONNX is for models of sound")


def load_checkpoint(place: Path) -> "nn.Module":
    """Load what a training has trained.

    Args:
        place: a checkpoint, the folder of a run, or a folder of runs: best.ckpt of the latest.

    Returns:
        The task with its weights, in evaluation mode.

    Raises:
        FileError: there is no checkpoint, it cannot be read, or it does not say what it is of.
    """
    from audiocnn.training import runs
    from audiocnn.training.checkpoint import load_task

    path = runs.find_checkpoint(place, runs.BEST)
    if path is None:
        reason = f"no {runs.BEST} in it or in its runs" if place.is_dir() else "no such file or folder"
        raise files.FileError(place, f"{reason}, expected a checkpoint, a run or a folder of runs")
    print(f"from {path}")
    return load_task(path)
