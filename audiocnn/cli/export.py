"""`audiocnn export`: what was trained -> a file to use."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import audiocnn
from audiocnn import files
from audiocnn.cli.arguments import UsageError
from audiocnn.models.file import average_weights, write_model
from audiocnn.models.onnx import export_onnx

if TYPE_CHECKING:
    from torch import nn


def export(
    out: Path,
    model: str | None = None,
    config: Path | None = None,
    ckpt_path: Path | None = None,
    average: str | None = None,
    share: float = 0.5,
) -> int:
    """Writes a model file (OUT.safetensors), or the model from waveform to scores as ONNX (OUT.onnx).

    The model is one that there is (--model), or what `audiocnn fit` trained (--config and --ckpt_path).
    Checkpoints are read without unpickling code. ONNX of a model of labels hears one window; with several
    labels what is shorter should lie in the middle of silence.
    Averaged with what its training started from (--average), a model keeps more of what that knew.

    Args:
        out: the file to write; its suffix tells the format.
        model: a model's name (see `audiocnn models`) or file.
        config: config of the training.
        ckpt_path: checkpoint of the training.
        average: a model's name or file, of the same shape: weights between the two are written.
        share: of the weights of `average`, 0 to 1.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"share is {share}, expected 0 to 1")
    if out.suffix not in (".safetensors", ".onnx"):
        raise UsageError(f"out is {out}, expected a name that ends in .safetensors or .onnx")
    pass
    pass
    from audiocnn.models.base import Model

    if model is not None and config is None and ckpt_path is None:
        task: nn.Module = audiocnn.load(model)
    elif model is None and config is not None and ckpt_path is not None:
        task = trained(config, ckpt_path)
    else:
        raise UsageError("give either --model, or --config and --ckpt_path")
    if average is not None:
        try:
            average_weights(task, audiocnn.load(average), share)
        except ValueError as error:
            raise UsageError(f"average is {average}: {error}") from error
    if out.suffix == ".safetensors":
        write_model(getattr(task, "network", task), out)  # of a StyleTask what it trains
    elif isinstance(task, Model):
        export_onnx(task, out)
    else:
        raise UsageError(f"out is {out}, expected a .safetensors file: ONNX is for what listens")
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
    return 0


def trained(config: Path, ckpt_path: Path) -> "nn.Module":
    """The task that a config describes with the weights of a checkpoint.

    Raises: FileError when one of them cannot be read or they do not fit.
    """
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):
            checkpoint = torch.load(ckpt_path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise files.FileError(ckpt_path, files.describe_error(error)) from error
    except Exception as error:  # what a damaged file does to the reader is not to be foreseen
        raise files.FileError(ckpt_path, "damaged, or no checkpoint of tensors alone") from error
    labels = checkpoint.get("labels") if isinstance(checkpoint, dict) else None
    task = _described(config, labels)
    try:
        task.load_state_dict(dict(checkpoint)["state_dict"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise files.FileError(ckpt_path, f"does not fit the model of {config}") from error
    return task.eval()


def _described(config: Path, labels: list[str] | None) -> "nn.Module":
    """The untrained task of a config, with the labels of its data where those are known."""
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
