"""`audiocnn export`: a checkpoint or a model -> a model file, or ONNX."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import audiocnn
from audiocnn import files
from audiocnn.cli.configs import find_config
from audiocnn.cli.parser import UsageError

if TYPE_CHECKING:
    from torch import nn


def export(
    out: Path,
    *,
    model: str | None = None,
    fit_config: str | None = None,
    ckpt_path: Path | None = None,
    average: str | None = None,
    share: float = 0.5,
) -> int:
    """Write a model file (OUT.safetensors), or the model from waveform to scores as ONNX (OUT.onnx).

    The model is one that exists (--model), or what `audiocnn fit` trained (--fit-config and --ckpt-path).
    Checkpoints are read without unpickling code. An ONNX model of labels takes one window; for a multi-label
    model, pad a shorter recording with silence on both sides. Averaged with the model that its training
    started from (--average), a fine-tuned model forgets less.

    Args:
        out: the file to write; its suffix, .safetensors or .onnx, is its format.
        model: a model's name (see `audiocnn models`) or file.
        fit_config: config of the training: the name of a shipped one, or the file that `audiocnn fit` wrote
            among its logs.
        ckpt_path: checkpoint of the training.
        average: name or file of a model of the same architecture, with which weights are averaged.
        share: share of `average` in the averaged weights, 0 to 1.

    Returns:
        The exit status.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"share is {share}, expected 0 to 1")
    if out.suffix not in (".safetensors", ".onnx"):
        raise UsageError(f"out is {out}, expected a name that ends in .safetensors or .onnx")
    network = _load(model, fit_config, ckpt_path)
    if average is not None:
        _average(network, average, share)
    _write(network, out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
    return 0


def _load(model: str | None, fit_config: str | None, ckpt_path: Path | None) -> "nn.Module":
    if model is not None and fit_config is None and ckpt_path is None:
        return audiocnn.load(model)
    if model is None and fit_config is not None and ckpt_path is not None:
        return load_checkpoint(find_config(fit_config), ckpt_path)
    raise UsageError("give either --model, or --fit-config and --ckpt-path")


def _average(network: "nn.Module", other: str, share: float) -> None:
    from audiocnn.models.file import average_weights

    try:
        average_weights(network, audiocnn.load(other), share)
    except ValueError as error:
        raise UsageError(f"average is {other}: {error}") from error


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


def load_checkpoint(config: Path, ckpt_path: Path) -> "nn.Module":
    """Build the task that a config describes, with the weights of a checkpoint.

    Args:
        config: config of the training.
        ckpt_path: checkpoint of the training; read without unpickling code.

    Raises:
        FileError: one of them cannot be read, or they do not fit.
    """
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):
            checkpoint = torch.load(ckpt_path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise files.FileError(ckpt_path, files.describe_error(error)) from error
    except Exception as error:  # a damaged file may raise anything
        raise files.FileError(ckpt_path, "damaged, or no checkpoint of tensors alone") from error
    labels = checkpoint.get("labels") if isinstance(checkpoint, dict) else None
    task = _build_task(config, labels)
    try:
        task.load_state_dict(dict(checkpoint)["state_dict"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise files.FileError(ckpt_path, f"does not fit the model of {config}") from error
    return task.eval()


def _build_task(config: Path, labels: list[str] | None) -> "nn.Module":
    """Build the untrained task of a config, with the labels of its data where those are known."""
    import jsonargparse
    import yaml

    from audiocnn.training.clips import ClipTask
    from audiocnn.training.image import ImageTask
    from audiocnn.training.notes import NotesTask
    from audiocnn.training.style import StyleTask

    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments((NotesTask, ClipTask, ImageTask, StyleTask), "model", required=True)
    try:
        section = {"model": yaml.safe_load(config.read_text())["model"]}
        section["model"]["init_args"].pop("start_from", None)  # all weights are the checkpoint's
        if labels:
            section["model"]["init_args"]["labels"] = labels
        return parser.instantiate(parser.parse_object(section))["model"]
    except OSError as error:
        raise files.FileError(config, files.describe_error(error)) from error
    except (jsonargparse.ArgumentError, yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise files.FileError(config, f"describes no model: {error}") from error
