"""Other starts of a training than torch's own: callbacks for any task with a backbone, and checkpoints.

In a config they stand among the trainer's callbacks, as audiocnn.training.callbacks.initialise.InitialiseFilters.
They act after `start_from`, and before a checkpoint is restored: a training that goes on is not begun anew.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from audiocnn import files
from audiocnn.backbones import Backbone
from audiocnn.blocks.arguments import choose
from audiocnn.blocks.fixed import KERNELS, create_kernel, set_kernels
from audiocnn.models import weights
from audiocnn.models.file import read_model
from audiocnn.training.callbacks.filters import METHODS, learn_filters

FANS = ("fan_in", "fan_out")


def kaiming(network: nn.Module, mode: str = "fan_in") -> None:
    """Draws the weights of all convolutions and linear layers anew, so that rectified maps keep their size.

    Each weight has the variance 2 / fan: the inputs of an output (fan_in: maps keep their size), or the
    outputs of an input where the stride is 1 (fan_out: gradients do). Biases are 0.
    Raises: ValueError when the mode is neither.
    Source: He et al., "Delving deep into rectifiers", 2015, equations 10 and 14. Differs: an output of a
    grouped convolution is one of its group.
    """
    _check_mode(mode)
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            groups = getattr(layer, "groups", 1)
            fan_out = len(layer.weight) // groups * layer.weight[0, 0].numel()
            nn.init.normal_(layer.weight, std=math.sqrt(2 / (fan_in if mode == "fan_in" else fan_out)))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def load_backbone(backbone: Backbone, path: str | Path) -> None:
    """Gives a backbone the weights of one of the same shape, in a model file or in any task's checkpoint.

    Raises: FileError when the file cannot be read, would run code or does not fit.
    """
    try:
        backbone.load_state_dict(_backbone_weights(weights.path(path)))
    except OSError as error:
        raise files.FileError(path, files.describe_error(error)) from error
    except files.FileError:
        raise
    except Exception as error:  # what a damaged file does to the reader is not to be foreseen
        raise files.FileError(path, f"no model or checkpoint with this backbone ({error})") from error


def _backbone_weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_model(path).backbone.state_dict()
    state_dict = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return {
        name.removeprefix("backbone."): tensor
        for name, tensor in state_dict.items()
        if name.startswith("backbone.")
    }


class InitialiseKaiming(lightning.Callback):
    """Starts the backbone as `kaiming` says.

    Args:
        mode: fan_in or fan_out.
    """

    def __init__(self, mode: str = "fan_in") -> None:
        _check_mode(mode)
        self.mode = mode

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage == "fit":
            kaiming(backbone_of(pl_module), self.mode)


class InitialiseKernels(lightning.Callback):
    """Starts the backbone's first convolution with kernels set by hand, as `set_kernels` does.

    Args:
        kernels: the arguments of `blocks.fixed.kernel` for each: [{name: sobel_x}, {name: gabor, size: 5}].
    """

    def __init__(self, kernels: list[dict[str, Any]]) -> None:
        if not kernels:
            raise ValueError("kernels are [], expected at least one")
        for arguments in kernels:
            choose(KERNELS, arguments.get("name"), "name")
        self.kernels = kernels

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        backbone = backbone_of(pl_module)
        layers = [part for part in backbone.modules() if isinstance(part, nn.Conv1d | nn.Conv2d)]
        if not layers:
            raise ValueError(f"backbone is {type(backbone).__name__}, expected one with a convolution")
        set_kernels(
            layers[0], [create_kernel(**{"dims": backbone.dims, **arguments}) for arguments in self.kernels]
        )


class InitialiseFilters(lightning.Callback):
    """Starts the backbone's convolutions with filters learned from its images, as `learn_filters` says.

    Args:
        method: pca or kmeans.
        n_images: how many are looked at.
        data: where they come from; what is trained on when None. Labels are not needed: there may be more
            images without.

    n_patches and seed are those of `learn_filters`.
    """

    def __init__(
        self,
        method: str = "pca",
        n_images: int = 500,
        data: lightning.LightningDataModule | None = None,
        n_patches: int = 10_000,
        seed: int = 0,
    ) -> None:
        choose(METHODS, method, "method")
        if n_images < 1:
            raise ValueError(f"n_pictures is {n_images}, expected at least 1")
        self.method, self.n_images, self.data = method, n_images, data
        self.n_patches, self.seed = n_patches, seed

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        data = self.data or trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        if data is None:
            raise ValueError("data is None, expected a data module here or of the training")
        data.setup("fit")
        images = first_images(data, pl_module, self.n_images)
        learn_filters(backbone_of(pl_module), images, self.method, self.n_patches, self.seed)


def backbone_of(task: lightning.LightningModule) -> Backbone:
    """Raises: ValueError when the task has none."""
    backbone = getattr(task, "backbone", None)
    if not isinstance(backbone, Backbone):
        raise ValueError(f"task is {type(task).__name__}, expected one with a backbone")
    return backbone


def first_images(data: lightning.LightningDataModule, task: nn.Module, n: int) -> Tensor:
    """What the backbone of a task would see of the first n examples of a training."""
    spectrogram = getattr(task, "spectrogram", nn.Identity())  # tasks on sound have a front end
    found: list[Tensor] = []
    for inputs, _ in data.train_dataloader():
        found.append(spectrogram(inputs))
        if sum(map(len, found)) >= n:
            break
    return torch.cat(found)[:n]


def _check_mode(mode: str) -> None:
    if mode not in FANS:
        raise ValueError(f"mode is {mode!r}, expected one of {', '.join(FANS)}")
